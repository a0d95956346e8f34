"""The starts of one fit, each from its own centres; the one of least inertia is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from ..core.discriminants import Array
from ..core.exact import optimal_partition
from ..core.exchange import improve
from ..core.lloyd import AT_REST, ROUNDING, Clustering, LloydStop, run_lloyd
from ..core.point_frame import Framed
from ..core.points import AbstractPoints, Labels
from .progress import Iterate, KMeansProgress, lloyd_monitor
from .seeds import starting_centres
from .training import TrainingRows

Attributes = Callable[["Outcome"], dict[str, Any]]

OPTIMAL = "The best of all partitions was computed."


class Restart(NamedTuple):
    """How one start of a fit went."""

    inertia: float  # at its end, in squared units of the data
    n_iter: int
    reason: str  # why it stopped, a sentence
    seconds: float


class Outcome(NamedTuple):
    """Where a start led."""

    centres: Array  # (k, d), in the frame
    trace: list[float]  # inertia at the start and after each iteration, in the frame's units
    n_iter: int
    reason: str
    converged: bool
    stopped: bool = False  # by a callback: no further start is wanted

    @classmethod
    def of(cls, run: Clustering) -> Outcome:
        stopped = run.reason is LloydStop.CALLBACK
        reason, at_rest = run.reason.value, run.reason in AT_REST
        return cls(run.centres, run.trace, run.n_iter, reason, at_rest, stopped)


class Starts:
    """What all starts of one fit share.

    Parameters
    ----------
    options : KMeans
        Its constructor's arguments.
    init : str, callable, or ndarray of shape (k, d) in the units of the data
    points : AbstractPoints
        The training rows in their frame.
    """

    def __init__(
        self,
        options: Any,
        init: Any,
        training: TrainingRows,
        framed: Framed,
        points: AbstractPoints,
    ) -> None:
        self.options, self.init, self.training = options, init, training
        self.framed, self.points = framed, points

    def best_of(
        self,
        n_starts: int,
        rng: np.random.RandomState,
        progress: KMeansProgress,
        fitted: Attributes,
    ) -> tuple[Outcome, list[Restart]]:
        """Run all starts; the best one, and a row for each.

        A later start must be better by more than rounding: those that end in the same partition
        may number it differently.
        """
        best: Outcome | None = None
        table: list[Restart] = []
        for number in range(n_starts):
            clock = time.perf_counter()
            with progress.start(number, partial(self._at, fitted)) as monitor:
                outcome = self._run(rng, monitor)
            end = outcome.trace[-1]
            seconds = time.perf_counter() - clock
            table.append(Restart(self.in_data_units(end), outcome.n_iter, outcome.reason, seconds))
            if best is None or end < best.trace[-1] * (1.0 - ROUNDING):
                best = outcome
            if outcome.stopped:
                break
        assert best is not None
        return best, table

    def in_data_units(self, inertia: float) -> float:
        """An inertia in the frame's units, in those of data and weights."""
        scale = float(self.framed.frame.scale[0])
        return float(inertia) / scale / scale * self.training.unit

    def _run(self, rng: np.random.RandomState, monitor: Any) -> Outcome:
        options = self.options
        if options.algorithm == "exact":
            return self._optimum(monitor)
        k = options.n_clusters
        centres = starting_centres(self.init, self.training.rows, self.points, k, rng)
        tell = lloyd_monitor(monitor, self._inertia)
        run = run_lloyd(
            self.points,
            centres,
            tol=options.tol * self.framed.variance,
            max_iter=options.max_iter,
            bounded=True if options.algorithm == "elkan" else None,
            monitor=tell,
        )
        if options.local_search and run.reason is not LloydStop.CALLBACK:
            run = improve(self.points, run, rng, monitor=tell)
        return Outcome.of(run)

    def _optimum(self, monitor: Any) -> Outcome:
        """The best of all partitions of rows of one feature."""
        values = self.training.rows[:, 0].astype(np.float64)  # no digit lost to the frame's centre
        best = optimal_partition(values, self.training.weight, self.options.n_clusters)
        centres = self.framed.frame.to_frame(best[:, None])
        labels = np.full(len(values), -1, np.int32)
        self.points.assign(centres, labels)
        inertia, _ = self.points.summarise(centres, labels)
        if monitor is not None:
            monitor(1, Iterate(self.in_data_units(inertia), centres, 1))
        return Outcome(centres, [inertia, inertia], 1, OPTIMAL, converged=True)

    def _inertia(self, centres: Array, labels: Labels) -> float:
        """For `verbose` alone: it costs a pass over the rows."""
        if not self.options.verbose:
            return float("nan")
        return self.in_data_units(self.points.summarise(centres, labels)[0])

    @staticmethod
    def _at(fitted: Attributes, point: Iterate) -> dict[str, Any]:
        """Fitted attributes in the middle of a fit, for callbacks that ask for a fitted copy."""
        reason = LloydStop.CALLBACK.value
        return fitted(Outcome(point.centres, [0.0], point.n_iter, reason, converged=False))


def refuse_inexact(X: Any) -> None:
    """ValueError for rows of which the best partition cannot be computed."""
    if issparse(X) or X.shape[1] != 1:
        kind = "sparse" if issparse(X) else "dense"
        raise ValueError(
            f"algorithm='exact' expects dense rows of one feature, but X is {kind} and has "
            f"{X.shape[1]} features. Use algorithm='lloyd', with local_search=True or a larger "
            "n_init for a better partition."
        )
