"""From the start of a fresh process to the end of a first tiny fit, imports included.

    python -m benchmarks.startup --rounds 9 [--quick]

Ours with warm caches against scikit-learn, interleaved; the imports alone; ours with cold caches,
and what it says meanwhile; and ours where neither the installation nor the home can be written to.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .fit import arguments
from .fresh import ROOT
from .machine import Busy, load_average

FIT = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 2)) + np.repeat([[0, 0], [6, 0], [0, 6]], 100, axis=0)
from {module} import GaussianMixture
GaussianMixture(3, random_state=0).fit(X)
"""

END = "\nimport time\nprint(time.monotonic())\n"

PROGRAMS = {
    "mixtures: first fit": FIT.format(module="mixtures"),
    "scikit-learn: first fit": FIT.format(module="sklearn.mixture"),
    "import mixtures": "import mixtures",
    "import sklearn.mixture": "import sklearn.mixture",
    "import numpy": "import numpy",
}

REFUSED = """
import os, pathlib
import mixtures
home, package = pathlib.Path(os.environ["HOME"]), pathlib.Path(mixtures.__file__).parent
for folder in (home, package, package / "core/kernels/__pycache__"):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "probe").write_text("")
    except OSError:
        continue
    raise SystemExit(f"{folder} can be written to: this run shows nothing")
"""


def users_environment(**changes: str) -> dict[str, str]:
    """What a user has who set nothing, with this checkout on the path."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path, **changes}


def seconds(program: str, **options: Any) -> tuple[float, str]:
    """From before the process exists to the program's last line, and what it wrote to stderr."""
    start = time.monotonic()  # the same clock in all processes of a machine
    command = [sys.executable, "-c", program + END]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {done.stderr or done.stdout}")
    return float(done.stdout.splitlines()[-1]) - start, done.stderr.strip()


def warm(rounds: int) -> list[dict[str, Any]]:
    """Medians of all programs, the rounds interleaved, after one round that warms the caches."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            elapsed, _ = seconds(program, env=users_environment())
            if turn:
                times[name].append(elapsed)
    return [
        {"program": name, "seconds": statistics.median(runs), "least": min(runs)}
        for name, runs in times.items()
    ]


def cold() -> dict[str, Any]:
    """A first fit with nothing compiled yet, and the lines it wrote."""
    with tempfile.TemporaryDirectory() as empty:
        elapsed, said = seconds(
            PROGRAMS["mixtures: first fit"], env=users_environment(NUMBA_CACHE_DIR=empty)
        )
    return {"program": "mixtures: first fit, caches cold", "seconds": elapsed, "said": said}


def obey_permissions() -> None:
    """Make the permissions of files hold for the program about to start even where we are root.

    Root is refused nothing because of one capability (CAP_DAC_OVERRIDE, number 1), which a process
    may drop for what it executes (PR_CAPBSET_DROP, number 24; Linux).
    """
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def unwritable() -> dict[str, Any]:
    """A first fit from an installation that cannot be written to, by a user without a home.

    The package is copied into a folder, all write permissions on it are taken away, and the home
    is to lie there too. The program first checks that writing fails.
    """
    folder = Path(tempfile.mkdtemp())
    environment = users_environment(HOME=str(folder / "nonexistent"))
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment.pop(variable, None)
    try:
        shutil.copytree(
            ROOT / "mixtures", folder / "mixtures", ignore=shutil.ignore_patterns("__pycache__")
        )
        environment["PYTHONPATH"] = str(folder)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        program = REFUSED + PROGRAMS["mixtures: first fit"]
        elapsed, said = seconds(program, env=environment, cwd="/", preexec_fn=obey_permissions)
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)
    return {"program": "mixtures: first fit, nothing writable", "seconds": elapsed, "said": said}


def run(rounds: int) -> list[dict[str, Any]]:
    """All of it, printed."""
    before = load_average()
    with Busy() as busy:
        table = warm(rounds)
    print(f"# load {before:.2f} -> {load_average():.2f}, others used {busy.others:.2f} cores")
    for row in table:
        row |= {"load": before, "others": busy.others, "said": ""}
        print(f"{row['program']:40} {row['seconds']:6.2f} s (least {row['least']:.2f})", flush=True)
    for case in (cold, unwritable):
        row = case()
        table.append(row)
        print(f"{row['program']}: {row['seconds']:.1f} s\n    {row['said'] or '(said nothing)'}")
    return table


def main() -> None:
    parser = arguments(__doc__)
    parser.set_defaults(rounds=9)
    options = parser.parse_args()
    run(3 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
