"""What a fit of k-means tells the world: centres, and the inertia to those who ask for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..core.discriminants import Array
from ..core.lloyd import Monitor
from ..core.points import Labels
from ..core.progress import Progress


class Iterate(NamedTuple):
    """Where a fit is after an iteration."""

    objective: float  # inertia in the data's units, or NaN where nobody prints it
    centres: Array  # (k, d), in the frame
    n_iter: int


class KMeansProgress(Progress):
    """Reports a fit of k-means: `verbose` prints the inertia of every iteration."""

    objective = "inertia"

    def _most_iterations(self) -> int | None:
        return None if self.estimator.local_search else self.estimator.max_iter

    def _print_iteration(self, n_iter: int, point: Any, last: list[float]) -> None:
        last[0] = point.objective
        if self.estimator.verbose:
            now = time.perf_counter()
            more = f"\t time lapse {now - last[1]:.5f}s" * (self.estimator.verbose > 1)
            print(f"  Iteration {n_iter}\t inertia {point.objective:.6g}{more}")
            last[1] = now


def lloyd_monitor(monitor: Any, inertia: Callable[[Array, Labels], float]) -> Monitor | None:
    """The monitor of Lloyd's iterations that tells one of `Progress`; None where none listens."""
    if monitor is None:
        return None

    def tell(n_iter: int, centres: Array, labels: Labels) -> bool:
        return monitor(n_iter, Iterate(inertia(centres, labels), centres, n_iter))

    return tell
