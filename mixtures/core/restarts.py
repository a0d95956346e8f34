"""Several starts, each guarded: the best run is kept, and a failure ends only its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .em import EMResult, StopReason
from .family import DegenerateComponentError


class Restart(NamedTuple):
    """How one start of a fit went."""

    objective: float  # nats per row at its end, NaN if it failed
    n_iter: int
    reason: str  # why it stopped, a sentence
    seconds: float


class AllRestartsFailed(ValueError):
    """No start led to a model; the message says what to do."""


def best_of(
    runs: list[Callable[[], EMResult]],
) -> tuple[EMResult, list[Restart]]:
    """Carry out every run; return the result of largest objective and a row for each.

    Raises AllRestartsFailed if none ended with a finite objective.
    """
    best: EMResult | None = None
    table: list[Restart] = []
    for run in runs:
        start = time.perf_counter()
        try:
            result = run()
        except (DegenerateComponentError, np.linalg.LinAlgError) as error:
            reason = f"{StopReason.DEGENERATE.value} ({error})"
            table.append(Restart(float("nan"), 0, reason, time.perf_counter() - start))
            continue
        seconds = time.perf_counter() - start
        table.append(Restart(result.objective, result.n_iter, result.reason.value, seconds))
        if best is None or result.objective > best.objective:
            best = result
        if result.reason is StopReason.CALLBACK:
            break
    if best is None:
        tried = "the start" if len(table) == 1 else f"all {len(table)} starts"
        raise AllRestartsFailed(f"{tried} failed: {table[-1].reason}")
    return best, table
