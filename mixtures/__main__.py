"""Run as ``python -m mixtures``; all of it is in `mixtures.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
