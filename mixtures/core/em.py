"""The EM loop, once, for every family, prior, source and accelerator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from .acceleration import AbstractAccelerator, NoAcceleration
from .family import AbstractFamily, DegenerateComponentError
from .source import AbstractSource
from .statistics import SufficientStatistics

P = TypeVar("P")

ROUNDING = 1e-12
"""Changes of the objective per row, relative to one nat and to itself, that are rounding: sums of
1e6 to 1e9 terms, pairwise in lanes and blocks, carry about 1e-14; conditioning adds two digits."""


SMALL_FALL = 1e-6
"""Nats per row by which the objective may be about to fall where a run simply ends, if `tol` is
not larger: a ridge added to the covariances perturbs the M-step by about as much."""


class StopReason(Enum):
    """Why a run of EM ended, as a sentence."""

    CONVERGED = "The objective changed by less than tol in one iteration."
    STATIONARY = "The objective stopped rising: no step from here gains more than rounding."
    MAX_ITER = "max_iter iterations were done before the objective settled to within tol."
    CALLBACK = "A callback asked to stop."
    INITIALISED = "max_iter is 0: the parameters are those of the initialisation."
    DEGENERATE = "A component collapsed: its parameters admit no density any more."


AT_REST = frozenset({StopReason.CONVERGED, StopReason.STATIONARY})


class Point(NamedTuple):
    """A place on EM's path: parameters, what the E-step found there, where the M-step leads."""

    params: Any
    objective: float  # mean log-likelihood + log-prior / total weight, nats per row
    stats: SufficientStatistics
    image: Any  # params after one EM step


class EMResult(NamedTuple):
    """Where a run of EM ended and how it got there."""

    params: Any
    objective: float  # at params
    trace: list[float]  # the objective at the start and after each iteration
    n_iter: int
    reason: StopReason


@dataclass(frozen=True)
class EMProblem(Generic[P]):
    """Rows and a family: the map ``params -> params`` that EM iterates."""

    source: AbstractSource
    family: AbstractFamily[P]
    log_base: float  # sum over rows of what no parameter changes, nats

    @classmethod
    def of(cls, source: AbstractSource, family: AbstractFamily[P]) -> EMProblem[P]:
        """The problem of fitting a family to rows, its base measure summed over them."""
        return cls(source, family, family.base(source))

    def evaluate(self, params: P) -> Point:
        """One E-step and one M-step at params."""
        sweep = self.family.sweep(params)
        stats = self.source.accumulate(sweep.discriminants, sweep.moments)
        log_prior = self.family.log_prior(params)
        total = stats.log_likelihood + sweep.omitted + self.log_base + log_prior
        value = total / self.source.total_weight
        if not math.isfinite(value):
            part = "log-likelihood" if math.isfinite(log_prior) else "log-prior"
            raise DegenerateComponentError(
                int(np.argmin(stats.counts)), f"the {part}, and so the objective, became {value}"
            )
        return Point(params, value, stats, self.family.m_step(stats, params))


def rounding(value: float) -> float:
    """Changes of an objective of this size that are rounding."""
    return ROUNDING * max(1.0, abs(value))


Monitor = Callable[[int, Point], bool]


@dataclass
class _Run:
    """A run of EM under way: where it is, and how it got there."""

    problem: EMProblem[Any]
    tol: float
    accelerator: AbstractAccelerator
    point: Point
    trace: list[float]
    settled: bool = False  # the last change was below tol
    change: float = np.inf  # the last change
    fall: float = 0.0  # by how much the step that was not taken would have fallen

    def advance(self, n_iter: int, *, accelerate: bool) -> bool:
        """One iteration, that is one map; False if the step from here does not climb."""
        proposal = None
        if accelerate:
            with np.errstate(over="ignore"):
                proposal = self.accelerator.propose(self.problem.family, self.point, n_iter)
        if proposal is not None:
            new = self._attempt(proposal)
            if new is None:  # it has cost one map
                self.accelerator.rejected()
                self.trace.append(self.point.objective)
            else:
                self._accept(new)
            return True
        new = self.problem.evaluate(self.point.image)
        self.fall = self.point.objective - new.objective
        if self.fall > rounding(self.point.objective):
            return False
        self._accept(new)
        return True

    def result(self, n_iter: int, reason: StopReason) -> EMResult:
        return EMResult(self.point.params, self.point.objective, self.trace, n_iter, reason)

    def _accept(self, new: Point) -> None:
        self.change = abs(new.objective - self.point.objective)
        self.point = new
        self.trace.append(new.objective)
        self.settled = self.accelerator.settled(self.change, self.tol)

    def _attempt(self, params: Any) -> Point | None:
        """The point at `params`, or None where it is no better or does not exist."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # far out there may be no density
                new = self.problem.evaluate(params)
        except (DegenerateComponentError, np.linalg.LinAlgError):
            return None
        return new if new.objective >= self.point.objective else None


def run_em(
    problem: EMProblem[P],
    params: P,
    *,
    tol: float,
    max_iter: int,
    accelerate: Callable[[], AbstractAccelerator] = NoAcceleration,
    monitor: Monitor | None = None,
) -> EMResult:
    """Iterate EM from `params` until the objective changes by less than `tol` per row.

    Parameters
    ----------
    problem : EMProblem
    params : the family's parameters to start from
    tol : float
        Nats per row. The change tested is that of the last E-step, one M-step behind the
        parameters returned, as in scikit-learn; the objective reported is theirs.
    max_iter : int
        Number of EM maps (passes over the rows with an M-step), those of a path that was left for
        the family's `exact` one included; the result counts the latter's own.
    accelerate : callable () -> AbstractAccelerator, default=NoAcceleration
        Makes what proposes points beyond the EM step. A proposal that would lower the objective
        is replaced by the EM step itself, so the trace never falls.
    monitor : callable (iteration, point) -> bool, optional
        Called after each iteration; True stops the run.

    Returns
    -------
    EMResult
    """
    start = problem.evaluate(params)
    run = _Run(problem, tol, accelerate(), start, [start.objective])
    for n_iter in range(1, max_iter + 1):
        was_settled = run.settled
        last = was_settled or n_iter == max_iter
        climbed = run.advance(n_iter, accelerate=not last)
        if not climbed:
            exact = problem.family.exact()
            if exact is not None and run.fall > max(tol, SMALL_FALL):
                again, left = replace(problem, family=exact), max_iter - n_iter + 1
                return run_em(
                    again, params, tol=tol, max_iter=left, accelerate=accelerate, monitor=monitor
                )
            run.trace.append(run.point.objective)  # the iteration that led nowhere counts
        if monitor is not None and monitor(n_iter, run.point):
            return run.result(n_iter, StopReason.CALLBACK)
        if not climbed:
            return run.result(n_iter, StopReason.STATIONARY)
        if was_settled and run.accelerator.confirms(run.change, tol):
            return run.result(n_iter, StopReason.CONVERGED)
    reason = StopReason.MAX_ITER if max_iter > 0 else StopReason.INITIALISED
    return run.result(max_iter, reason)
