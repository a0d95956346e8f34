"""What R is here, and whether its linear algebra is fit to be compared with."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ORDER = 1500  # of the square matrix whose cross product is timed
SHARE = 0.5  # of NumPy's speed that R's must have

ASK = f"""
set.seed(1); X <- matrix(runif({ORDER}^2), {ORDER}); invisible(crossprod(X)); best <- Inf
for (i in 1:3) best <- min(best, system.time(crossprod(X))[["elapsed"]])
cat(sessionInfo()$BLAS, best, R.version$major, R.version$minor,
    as.character(packageVersion("mixsqp")), sep = "\\n")
"""


class RFound(NamedTuple):
    """An R with mixsqp."""

    version: str
    mixsqp: str
    blas: str  # the library's file
    speed: float  # of a symmetric product, in 1e9 operations a second
    numpy: float  # NumPy's speed at the same product

    def describe(self) -> str:
        library = "OpenBLAS" if "openblas" in self.blas.lower() else Path(self.blas).name
        return (
            f"R {self.version}, mixsqp {self.mixsqp}, BLAS {library}: a cross product at "
            f"{self.speed:.0f} GFLOP/s, NumPy's at {self.numpy:.0f}"
        )


def ask_r(expression: str) -> str:
    """What R prints; nothing where R or a package is not installed."""
    try:
        done = subprocess.run(
            ["Rscript", "-e", expression], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return "" if done.returncode else done.stdout


def find_r() -> RFound | None:
    """R on one thread, or nothing where R or mixsqp is missing."""
    answer = ask_r(ASK).split("\n")
    if len(answer) < 5:
        return None
    blas, seconds, major, minor, mixsqp = answer[:5]
    X, best = np.random.default_rng(1).random((ORDER, ORDER)), np.inf
    for _ in range(4):
        start = time.perf_counter()
        X.T @ X
        best = min(best, time.perf_counter() - start)
    operations = 1e-9 * ORDER**3
    speed = operations / max(float(seconds), 1e-3)
    return RFound(f"{major}.{minor}", mixsqp, blas, speed, operations / best)


def check_blas(found: RFound) -> None:
    """RuntimeError where R computes with a slow BLAS, which would flatter everyone else."""
    if found.speed < SHARE * found.numpy:
        raise RuntimeError(
            f"R's linear algebra ({found.blas}) does {found.speed:.1f} GFLOP/s, NumPy's "
            f"{found.numpy:.1f}: mixsqp's times would mean nothing. Install an optimised BLAS for "
            "R (Debian: libopenblas0), or put the folder of one first in R_LD_LIBRARY_PATH; where "
            "OpenBLAS takes the processor for an older one, set OPENBLAS_CORETYPE."
        )


def describe() -> str:
    """For another process: one line about R, checked; nothing where R or mixsqp is missing."""
    found = find_r()
    if found is None:
        return ""
    check_blas(found)
    return found.describe()
