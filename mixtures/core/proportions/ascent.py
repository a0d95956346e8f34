"""What every solver returns, and the solvers that iterate the responsibility map."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from ..acceleration import AbstractAccelerator
from ..discriminants import Array
from ..em import EMProblem, Point, StopReason, run_em
from .family import KnownDensities, Weights
from .source import DensitySource


class Reason(Enum):
    """Why a solver stopped, as a sentence."""

    CERTIFIED = "No weights gain more than tol over these: the certificate says so."
    MAX_ITER = "max_iter iterations were done before the certificate was below tol."
    STATIONARY = "The objective stopped rising: no step from here gains more than rounding."


class Ascent(NamedTuple):
    """Where a solver ended, on which way, and the proof of how good that is."""

    weights: Array  # (K,), on the simplex
    value: float  # mean log-likelihood, prior included, nats per row, offsets left out
    gradient: Array  # (K,), g_k at the weights
    path: list[float]  # values on all rows, from the first to the last
    orbit: list[Array]  # the weights there, if asked for
    n_iter: int
    reason: Reason

    @property
    def live(self) -> np.ndarray:
        """Components (K,) of positive weight; at the maximum, of more weight than slack: one of
        ``p_k`` and ``1 - g_k`` is zero there, and EM is only slow to find out which."""
        some = self.weights > 0
        sure = some & (self.weights > 1.0 - self.gradient)
        return sure if self.reason is Reason.CERTIFIED and sure.any() else some

    @property
    def gap(self) -> float:
        """``log max_k g_k``: no weights gain more, in nats per row (Jensen's inequality)."""
        return gap_of(self.gradient)


def gap_of(gradient: Array) -> float:
    """The certificate of a gradient; its mean under the weights is 1, so it is never below 0.

    Infinite where some entry is none: nothing is certified then.
    """
    largest = float(gradient.max())
    return max(0.0, math.log(largest)) if largest < math.inf else math.inf


def iterate(
    source: DensitySource,
    start: Array,
    tol: float,
    max_iter: int,
    accelerate: Callable[[], AbstractAccelerator],
    store_orbit: bool = False,
) -> Ascent:
    """EM, plain or accelerated, from `start` until the gap is at most `tol`.

    Raises
    ------
    ValueError
        If `start` has zeros, which EM keeps, and they exclude a row or meet a prior.
    """
    _refuse_exclusion(source, start)
    orbit = [start] if store_orbit else []
    every = np.arange(source.n_components)

    def certified(n_iter: int, point: Point) -> bool:
        p = point.params.weights
        if store_orbit:
            orbit.append(p)
        if tol == 0:  # a number of iterations is asked for
            return False
        some = p > 0
        if gap_of(point.image.weights[some] / p[some]) > tol:
            return False
        return bool(some.all()) or gap_of(source.evaluate(every, p, every).gradient) <= tol

    problem: EMProblem[Any] = EMProblem.of(source, KnownDensities())
    result = run_em(
        problem, Weights(start), tol=0.0, max_iter=max_iter, accelerate=accelerate,
        monitor=certified,
    )  # fmt: skip
    p = result.params.weights
    at = source.evaluate(every, p, every)
    offset = source.total_offset / source.total_weight
    path = [value - offset for value in result.trace]
    reason = Reason.MAX_ITER
    if gap_of(at.gradient) <= tol:
        reason = Reason.CERTIFIED
    elif result.reason is StopReason.STATIONARY:
        reason = Reason.STATIONARY
    return Ascent(p, at.value, at.gradient, path, orbit, result.n_iter, reason)


def _refuse_exclusion(source: DensitySource, start: Array) -> None:
    """ValueError where weights of zero make the log-likelihood or the log-prior -inf."""
    if start.min() > 0:
        return
    if source.pseudo_counts is not None:
        for k in np.flatnonzero((start == 0) & (source.pseudo_counts > 0)):
            raise ValueError(
                f"The parameter 'start' is zero for component {k}, where a prior of concentration "
                "above 1 has density zero. Start from a positive weight."
            )
    some = np.flatnonzero(start)
    if source.evaluate(some, start[some], some[:1]).value == -np.inf:
        row = int((source.lines.densities[some] == 0).all(axis=0).argmax())
        raise ValueError(
            f"The parameter 'start' excludes a row: of those with a weight, row {row} has density "
            "zero, or e^-600 of its largest, under every component that starts with one. Give "
            "another component some."
        )
