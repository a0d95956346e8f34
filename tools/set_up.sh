#!/usr/bin/env bash
# Make the virtual environment that the Makefile's targets run in, at the versions of requirements/ci.txt.
#
#   tools/set_up.sh PYTHON FOLDER
#
# The file FOLDER/ready is the last thing written, so an interrupted set-up is done again next time.
set -euo pipefail
cd "$(dirname "$0")/.."
python="$1"
venv="$2"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "mixtures needs Python 3.11 or newer; say which one to use: make PYTHON=python3.12 ..." >&2
    exit 1
}
rm -f "$venv/ready"
"$python" -m venv "$venv" || {
    echo "'$python -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
}

pip=("$venv/bin/python" -m pip --disable-pip-version-check install --quiet -c requirements/ci.txt)
# The build runs in this environment too, so that its tools are pinned like everything else.
"${pip[@]}" setuptools
"${pip[@]}" --no-build-isolation -e ".[dev]"
touch "$venv/ready"
