"""Call a function of this package in a fresh, single-threaded process.

A measurement in a process of its own has no other library's threads, memory or caches about it,
and the limits on threads are set before any numerical library is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

SINGLE_THREADED = dict.fromkeys(
    [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ],
    "1",
)


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, single-threaded, with this checkout first on the path."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, **SINGLE_THREADED, "PYTHONPATH": path, **changes}


def call(function: str, /, **arguments: Any) -> Any:
    """Result of ``module:function`` of this package; arguments and result travel as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.fresh", function, json.dumps(arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{function}({arguments}) failed with status {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    result = getattr(import_module(f"benchmarks.{module}"), name)(**json.loads(sys.argv[2]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
