#!/usr/bin/env bash
# Rewrite requirements/ci.txt: what a fresh install of the `dev` extra resolves to today.
#
#   tools/refresh_constraints.sh [PYTHON]
#
# Run it with the oldest Python we support: a version that still installs there installs on newer
# ones as well. Then run `make test lint`, and commit the file with what the tests made necessary.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

"$python" -m venv "$scratch/venv"
pip=("$scratch/venv/bin/python" -m pip --disable-pip-version-check)
"${pip[@]}" install --quiet --upgrade setuptools
"${pip[@]}" install --quiet --no-build-isolation -e ".[dev]"

{
    echo "# Exact versions for the Makefile and CI (pip install -c). Written by tools/refresh_constraints.sh"
    echo "# with Python $("$scratch/venv/bin/python" -c 'import platform; print(platform.python_version())'); do not edit."
    "${pip[@]}" freeze --all --exclude pip --exclude mixtures-learn
} > "$scratch/ci.txt"
mv "$scratch/ci.txt" requirements/ci.txt
echo "requirements/ci.txt: $(grep -c == requirements/ci.txt) packages"
