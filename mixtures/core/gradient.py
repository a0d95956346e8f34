"""The gradient of an EM problem's objective, in unconstrained coordinates.

By Fisher's identity the gradient of log-likelihood plus log-prior is that of ``Q``, the expected
complete-data log-posterior, whose responsibilities are held: one pass over the rows gives the
statistics, and no row is read to differentiate (Dempster, Laird and Rubin 1977; Louis 1982).
m coordinates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from .discriminants import Array
from .em import EMProblem
from .expectation import expectation, moments_of

FEW = 60
"""Coordinates up to which each is looked at alone."""

PROBES, FIRST_STEP = 16, 1e-5


class AbstractGradient(ABC):
    """The gradient of a problem's objective at vectors (m,) of the family's coordinates, nats.

    Parameters
    ----------
    problem : EMProblem
    like : the family's parameters, for their shapes
    x : ndarray of shape (m,), finite
        Where `information`, the diagonal (m,) of the complete-data information, is taken; `units`
        (m,) are steps of a coordinate that change the expected log-density of a row by order one.
    """

    noise: float
    """Rounding error of an entry, relative to the sums whose difference it is."""
    edge: float
    """How near to the end of its range a parameter is still told from one at the end."""
    probe: float
    """Step of the differences for `information`, in units."""

    def __init__(self, problem: EMProblem[Any], like: Any, x: Array) -> None:
        self.problem, self.like = problem, like
        self.units, step = np.ones(len(x)), FIRST_STEP
        for _ in range(2):  # the first time only for the units
            self.information = np.abs(self._diagonal(x, step * self.units))
            weight = problem.source.total_weight
            self.units = np.sqrt(weight / np.maximum(self.information, weight))
            step = self.probe

    @abstractmethod
    def __call__(self, x: Array) -> Array: ...

    @abstractmethod
    def _diagonal(self, x: Array, steps: Array) -> Array: ...

    def _unpack(self, x: Array) -> Any:
        return self.problem.family.unpack(x, self.like)


class Formula(AbstractGradient):
    """By the family's own formula."""

    noise, edge, probe = 1e-14, 1e-12, 2e-5

    def __call__(self, x: Array) -> Array:
        return self._given(self._stats(x), x)

    def _stats(self, x: Array) -> Any:
        sweep = self.problem.family.sweep(self._unpack(x))
        return self.problem.source.accumulate(sweep.discriminants, sweep.moments)

    def _given(self, stats: Any, x: Array) -> Array:
        """The derivative of Q(x) under the responsibilities that led to the statistics."""
        gradient = self.problem.family.gradient(stats, self._unpack(x))
        assert gradient is not None  # the family has been asked
        return gradient

    def _diagonal(self, x: Array, steps: Array) -> Array:
        """One coordinate at a time, or, where they are many, on average over random signs.

        The latter is exact for what one parameter alone determines, as probabilities and rates
        (Bekas, Kokiopoulou and Saad 2007, Appl. Numer. Math. 57); elsewhere it only has to find
        comparable units.
        """
        stats, m = self._stats(x), len(x)
        signs = np.eye(m) if m <= FEW else np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, m))
        total = np.zeros(m)
        for sign in signs:
            change = self._given(stats, x - steps * sign) - self._given(stats, x + steps * sign)
            total += sign * change
        return total / (np.abs(signs).sum(axis=0) * 2 * steps)


class Differences(AbstractGradient):
    """By central differences of Q, for a family without a formula: no pass over the rows each.

    The stencil is of fourth order; with steps of 3e-3 it and rounding err by about 1e-12 each.
    """

    noise, edge, probe, step = 1e-11, 1e-8, 3e-4, 3e-3

    def __call__(self, x: Array) -> Array:
        q, steps = self._q(x), self.step * self.units
        gradient = np.empty(len(x))
        for i, h in enumerate(steps):
            a, b = (self._both(q, x, i, size) for size in (h, 2 * h))
            gradient[i] = (8 * (a[1] - a[0]) - (b[1] - b[0])) / (12 * h)
        return gradient

    def _diagonal(self, x: Array, steps: Array) -> Array:
        q = self._q(x)
        middle = 2 * q(x)
        both = np.array([self._both(q, x, i, h) for i, h in enumerate(steps)])
        return (middle - both.sum(axis=1)) / steps**2

    @staticmethod
    def _both(q: Callable[[Array], float], x: Array, i: int, h: float) -> tuple[float, float]:
        """q below and above x in coordinate i."""
        y = x.copy()
        y[i] = x[i] - h
        below = q(y)
        y[i] = x[i] + h
        return below, q(y)

    def _q(self, x: Array) -> Callable[[Array], float]:
        """Q under the responsibilities at x, as a function of the coordinates."""
        family, source = self.problem.family, self.problem.source
        sweep = family.sweep(self._unpack(x))
        # The moments of all that the density needs: a sweep may leave out what here counts.
        moments = moments_of(family.discriminants(self._unpack(x)))
        stats = source.accumulate(sweep.discriminants, moments)

        def q(y: Array) -> float:
            params = self._unpack(y)
            at = family.sweep(params)
            expected = expectation(at.discriminants, stats, sweep.discriminants.reference)
            return expected + at.omitted + family.log_prior(params)

        return q


def gradient_of(problem: EMProblem[Any], like: Any, x: Array) -> AbstractGradient:
    """The family's formula for the gradient, or differences where it has none."""
    params = problem.family.unpack(x, like)
    sweep = problem.family.sweep(params)
    stats = problem.source.accumulate(sweep.discriminants, sweep.moments)
    known = problem.family.gradient(stats, params) is not None
    return (Formula if known else Differences)(problem, like, x)
