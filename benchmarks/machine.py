"""The machine that a figure belongs to: processor, versions, and how busy it was."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .fresh import ROOT

PACKAGES = ["numpy", "scipy", "numba", "scikit-learn", "scikit-learn-intelex", "daal"]
PACKAGES += ["pomegranate", "torch", "faiss-cpu", "stepmix"]


def processor() -> str:
    """Model, as the processor names itself and as LLVM does, cores and widest vectors."""
    import llvmlite.binding

    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"model name\s*: (.*)", text)
    name = model[1] if model else platform.processor() or platform.machine()
    found = re.search(r"flags\s*: (.*)", text)
    flags = found[1].split() if found else []
    isa = next((i for i in ("avx512f", "avx2") if i in flags), platform.machine())
    llvm = llvmlite.binding.get_host_cpu_name()
    return f"{name} ({llvm}, {isa}), {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Of Python, mixtures (with its commit) and every peer that is installed."""
    import mixtures

    found = {"Python": platform.python_version(), "mixtures": mixtures.__version__ + commit()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if mclust := _mclust():
        found["mclust"] = mclust
    return found


def _mclust() -> str:
    """The version of R's package, or nothing where it is not."""
    question = 'cat(as.character(packageVersion("mclust")))'
    try:
        answer = subprocess.run(
            ["Rscript", "-e", question], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return "" if answer.returncode else answer.stdout


def commit() -> str:
    """The commit of this checkout, with a plus if it has changes, or nothing where git is not."""
    try:
        run = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
        name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **run).stdout.strip()
        dirty = subprocess.run(["git", "status", "--porcelain"], **run).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" ({name}{'+' if dirty else ''})"


def load_average() -> float:
    """Processes that ran or waited over the last minute, our own included."""
    return os.getloadavg()[0]


class Busy:
    """How many cores other processes kept busy while a block of code ran.

    The load average lags and counts ourselves; this takes our own processor time off the
    machine's. NaN where the system does not tell.
    """

    def __enter__(self) -> Busy:
        self.load = load_average()
        self._start = time.perf_counter(), self._everyone(), self._own()
        return self

    def __exit__(self, *_: object) -> None:
        wall, everyone, own = self._start
        self.wall = time.perf_counter() - wall
        self.others = max(
            0.0, (self._everyone() - everyone - (self._own() - own)) / max(self.wall, 1e-9)
        )

    def describe(self) -> str:
        """For the heading of a table."""
        now = f"load {self.load:.2f} -> {load_average():.2f}"
        return f"{now}, other processes used {self.others:.2f} cores"

    @staticmethod
    def _own() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    @staticmethod
    def _everyone() -> float:
        try:
            fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        except OSError:
            return float("nan")
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(float, fields[:8])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
