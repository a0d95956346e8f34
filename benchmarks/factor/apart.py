"""Calls in processes of their own, with a number of threads, and clocks in these."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .. import fresh
from ..fit import interleave

T = TypeVar("T")
Runs = dict[str, list[dict[str, Any]]]


def call(function: str, threads: int | None, /, **arguments: Any) -> Any:
    """Result of ``module:function`` of this package; `threads` None is every library's default."""
    environment = fresh.environment()
    for name in fresh.SINGLE_THREADED:
        if threads is None:
            environment.pop(name)
        else:
            environment[name] = str(threads)
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "benchmarks.fresh"),
            *(f"factor.{function}", json.dumps(arguments)),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{function}({arguments}) failed with status {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def at_once(
    function: str, several: Sequence[dict[str, Any]], jobs: int, fixed: dict[str, Any]
) -> list[Any]:
    """Results of calls that need not have the machine to themselves, one thread each."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda own: call(function, 1, **own, **fixed), several))


def clocked(function: Callable[[], T]) -> tuple[T, float, float]:
    """Result, seconds of the clock, and of all of this process's threads."""
    wall, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer that stops before it converged is meant to
        result = function()
    return result, time.perf_counter() - wall, time.process_time() - processor


def take_turns(
    entrants: dict[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, Any], dict[str, list[dict[str, float]]]]:
    """Last results, and seconds of each round, in which all entrants work once."""
    last: dict[str, Any] = {}

    def once(name: str, _: int) -> dict[str, float]:
        last[name], wall, processor = clocked(entrants[name])
        return {"wall": wall, "processor": processor, "took": wall}

    times = interleave(list(entrants), rounds, once)
    return last, times


def clock_of(threads: int | None) -> str:
    """On one thread its own time counts, which no other process lengthens."""
    return "processor" if threads == 1 else "wall"


def least(runs: list[dict[str, float]], field: str) -> float:
    return min(run[field] for run in runs)


def median(runs: list[dict[str, float]], field: str) -> float:
    return statistics.median(run[field] for run in runs)


def threads_text(threads: int | None) -> str:
    """For tables."""
    return "default" if threads is None else str(threads)
