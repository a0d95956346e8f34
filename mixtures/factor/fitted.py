"""A fitted latent linear-Gaussian model as numbers to predict with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import MethodType
from typing import Any

import numpy as np

from ..core import low_rank
from ..core.discriminants import Array, Frame
from ..core.frames import power_of_two_scale
from ._patterns import LatentParams

FAR = 2.0**450
"""Distance from the mean, in standard deviations, whose square is nearly no number any more."""


@dataclass(frozen=True)
class Fitted:
    """The model in a frame that its own mean and standard deviations make."""

    frame: Frame
    loadings: Array  # (d, q), for factors z ~ N(0, I)
    noise: Array  # (d,)
    turn: Array | None = None  # (q, q): the factors reported are turn @ z; None for z themselves

    @classmethod
    def of(cls, mean: Array, loadings: Array, noise: Array, turn: Array | None = None) -> Fitted:
        """All in the units of the data, in float64 or not."""
        mean, loadings, noise = (np.asarray(a, dtype=np.float64) for a in (mean, loadings, noise))
        scale = power_of_two_scale(np.sqrt(np.square(loadings).sum(axis=1) + noise))
        return cls(Frame(mean, scale), loadings * scale[:, None], noise * scale**2, turn)

    @classmethod
    def correlated(cls, mean: Array, loadings: Array, noise: Array, factors: Array) -> Fitted:
        """With factors of covariance `factors` (q, q), combinations of independent ones."""
        if np.array_equal(factors, np.eye(len(factors))):
            return cls.of(mean, loadings, noise)
        half = np.linalg.cholesky(factors.astype(np.float64))
        return cls.of(mean, loadings @ half, noise, half)

    @cached_property
    def whitened(self) -> low_rank.Whitened:
        """The loadings in units of the noise."""
        if not (self.noise > 0).all():
            raise ValueError(
                "A covariance of principal components without noise is singular and has no "
                "inverse. Use noise='isotropic'."
            )
        return low_rank.whiten(self.loadings, self.noise)

    def reported(self, z: Array) -> Array:
        """Factors (n, q) as users see them, from those that are independent."""
        return z if self.turn is None else z @ self.turn.T

    def posterior_covariance(self) -> Array:
        """Of the factors that are reported, given a complete row (q, q)."""
        own = low_rank.posterior_covariance(self.whitened)
        return own if self.turn is None else self.turn @ own @ self.turn.T

    def log_densities(self, away: Array) -> Array:
        """Log-densities (n,) of complete rows (n, d) in the frame, without its Jacobian."""
        reach = np.abs(away).max(axis=1)
        if reach.max(initial=0.0) <= FAR:
            return low_rank.log_densities(self.whitened, away)
        near = reach <= FAR  # beyond, squares are infinite
        result = np.full(len(away), -np.inf)
        result[near] = low_rank.log_densities(self.whitened, away[near])
        return result

    def params(self) -> LatentParams:
        """The same for rows with gaps, in the frame, with one factor of no loadings for none."""
        d, q = self.loadings.shape
        return LatentParams(np.zeros(d), self.loadings if q else np.zeros((d, 1)), self.noise)


class needs_density:
    """A method that only models with a density have; for others AttributeError says why."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method, self.__doc__ = method, method.__doc__

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self._method
        obj._refuse_without_density(self._method.__name__)
        return MethodType(self._method, obj)
