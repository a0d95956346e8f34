"""Bandwidth of plain EM's sweeps over F, beside that of merely reading F.

    python -m benchmarks.proportions_bandwidth --rounds 3 [--quick] [--order C]

A sweep's time is that of a fit of `long` less one of `short` iterations with tol=0; it reads F
once from memory, so its bandwidth is F's bytes over that time. Reading adds up F in eight streams,
each contiguous, which is as fast as one core gets.
"""

from __future__ import annotations

import statistics
import time
import warnings
from functools import cache
from typing import Any

import numpy as np

from . import fresh
from .fit import arguments, interleave
from .machine import Busy
from .proportions_workloads import load
from .workloads import Array

SHAPES = ["20 × 100000", "8 × 1000000", "20 × 1000000", "100 × 100000", "100 × 1000000"]
SHAPES += ["400 × 100000", "1000 × 100000"]
"""Components × rows."""

TARGET = 0.7
"""Of the speed of reading, from memory."""

CACHE = 64.0
"""MB of F below which it is read from a cache, whose speed is no measure of a sweep."""


@cache
def reader() -> Any:
    """A compiled function that adds up eight contiguous eighths of an array side by side."""
    from numba import njit

    @njit(fastmath=True)
    def read(a):  # type: ignore[no-untyped-def]
        n = a.size // 8
        s = 0.0
        for i in range(n):
            s += ((a[i] + a[n + i]) + (a[2 * n + i] + a[3 * n + i])) + (
                (a[4 * n + i] + a[5 * n + i]) + (a[6 * n + i] + a[7 * n + i])
            )
        return s

    read(np.zeros(64))
    return read


def processor_seconds(function: Any, budget: float) -> list[float]:
    """Of enough calls to fill `budget`, the first one apart."""
    function()
    times: list[float] = []
    while not times or (sum(times) < budget and len(times) < 100):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return times


def read_once(name: str, cache: str, quick: bool, budget: float) -> dict[str, Any]:
    """Processor seconds to read the item's F once, in this process."""
    begin, flat = time.perf_counter(), load(name, cache, quick).ravel()
    read = reader()
    seconds = statistics.median(processor_seconds(lambda: read(flat), budget))
    return {"cpu": seconds, "took": time.perf_counter() - begin}


def densities(k: int, n: int) -> Array:
    """Components in overlap, so that EM has much to do and nothing vanishes."""
    rng = np.random.default_rng(k)
    F = rng.random((k, n))
    F += 0.1
    return F


def sweep(shape: str, what: str, order: str, budget: float) -> dict[str, Any]:
    """Processor seconds to read F once, or of a sweep of EM, in this process."""
    begin, (k, n) = time.perf_counter(), map(int, shape.split(" × "))
    lines = densities(k, n)
    if what == "read":
        read, flat = reader(), lines.ravel()
        times = processor_seconds(lambda: read(flat), budget)
        return {"seconds": statistics.median(times), "took": time.perf_counter() - begin}
    F = np.ascontiguousarray(lines.T) if order == "C" else lines.T
    if what == "numpy":
        p = np.full(k, 1 / k)
        times = processor_seconds(lambda: p * ((1.0 / (F @ p)) @ F) / n, budget)
        return {"seconds": statistics.median(times), "took": time.perf_counter() - begin}
    short, long = 2, 2 + max(4, min(40, int(2e8 / F.size)))
    em(F, short)  # compiled code, fresh memory
    each: list[float] = []
    while not each or (time.perf_counter() - begin < 4.0 * budget and len(each) < 100):
        start = time.process_time()
        em(F, short)
        middle = time.process_time()
        em(F, long)
        each.append((time.process_time() - middle - (middle - start)) / (long - short))
    return {"seconds": statistics.median(each), "took": time.perf_counter() - begin}


def em(F: Array, n_iter: int) -> None:
    from mixtures import DynamicResponsibility

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        model = DynamicResponsibility(
            solver="em", tol=0.0, max_iter=n_iter, information=False, n_threads=1
        )
        model.fit(F)
    if model.n_iter_ != n_iter:
        raise RuntimeError(f"EM stopped after {model.n_iter_} of {n_iter} iterations.")


def run(shapes: list[str], order: str, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Measure and print; one row a shape."""
    table = []
    for shape in shapes:
        k, n = map(int, shape.split(" × "))
        n = n // 10 if quick else n
        how = {"shape": f"{k} × {n}", "order": order, "budget": 0.2 if quick else 0.6}

        def one(what: str, _: int, how: dict[str, Any] = how) -> dict[str, Any]:
            return fresh.call("proportions_bandwidth:sweep", what=what, **how)

        with Busy() as busy:
            results = interleave(["read", "EM", "numpy"], rounds, one)
        seconds = {
            what: statistics.median(one["seconds"] for one in runs)
            for what, runs in results.items()
        }
        speed = {what: 8e-9 * k * n / s for what, s in seconds.items()}
        row = {"k": k, "n": n, "mb": 8e-6 * k * n, "ms": 1e3 * seconds["EM"], **speed}
        row |= {"share": speed["EM"] / speed["read"], "others": busy.others}
        table.append(row)
        print(show(row), flush=True)
    return table


def show(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    return (
        f"K {row['k']:5} n {row['n']:8} {row['mb']:7.0f} MB  sweep {row['ms']:8.2f} ms  "
        f"EM {row['EM']:6.1f} GB/s  reading {row['read']:6.1f} GB/s  share {row['share']:.2f}  "
        f"NumPy's EM {row['numpy']:5.1f} GB/s  others {row['others']:.2f} cores"
    )


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--order", choices=["F", "C"], default="F", help="memory order of F")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    given = parser.parse_args()
    run(given.shapes.split(","), given.order, given.rounds, given.quick)


if __name__ == "__main__":
    main()
