"""What a covariance structure answers: statistics in, covariances and discriminants out.

Shapes: k components, d features; `counts` (k,), `means` (k, d); covariances as scikit-learn's:
(k, d, d) full, (d, d) tied, (k, d) diagonal, (k,) spherical. All computations are in the
coordinates of a frame, where the data have about unit scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from ..core.discriminants import Array, Discriminants
from ..core.family import DegenerateComponentError, Sweep
from ..core.frames import Totals
from ..core.statistics import SufficientStatistics
from ..core.unconstrained import Coordinates
from ..priors import ResolvedNIW

EMPTY = 10 * np.finfo(float).eps
"""Rows below which a component counts as empty and keeps its mean and covariance."""


class GaussianParams(NamedTuple):
    """Parameters of a Gaussian mixture, in the coordinates of a frame."""

    weights: Array  # (k,), on the simplex
    means: Array  # (k, d)
    covariances: Array  # the structure's shape


class Context(NamedTuple):
    """What an M-step knows besides the statistics; constant during a fit, in the frame."""

    ridge: Array  # (d,), added to variances
    prior: ResolvedNIW
    totals: Totals  # of all rows


class AbstractCovariance(ABC):
    """How the covariances of the components are restricted.

    To add a structure, write a class with these methods; an instance can be passed as
    ``covariance_type``, and a row in `STRUCTURES` gives it a name.
    """

    moments: int
    common_scale = False  # whether one unit of length for all features is part of the model
    coordinates: Coordinates
    requirement: str  # what `admits` asks for, in words

    @abstractmethod
    def discriminants(self, params: GaussianParams) -> Discriminants:
        """log weight + log density as a function of the row, for the kernels."""

    def sweep(self, params: GaussianParams, context: Context) -> Sweep:
        """What a pass over the rows of a fit needs."""
        return Sweep(self.discriminants(params), self.moments)

    @abstractmethod
    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        """New means and covariances; those of an empty component are kept."""

    @abstractmethod
    def dense(self, params: GaussianParams) -> Array:
        """The covariances of all components as matrices (k, d, d)."""

    @abstractmethod
    def from_dense(self, covariance: Array, n_components: int) -> Array:
        """Covariances of this structure near one matrix (d, d), the same for all components."""

    @abstractmethod
    def rescale(self, covariances: Array, scale: Array) -> Array:
        """Covariances of ``z * scale``, given those of z; scale (d,)."""

    @abstractmethod
    def precisions_cholesky(self, covariances: Array) -> Array:
        """scikit-learn's upper factors U of the precisions, ``P = U U'``; roots if not matrices."""

    @abstractmethod
    def precisions(self, factors: Array) -> Array:
        """Precisions from what `precisions_cholesky` returned."""

    @abstractmethod
    def from_factors(self, factors: Array) -> Array:
        """Covariances from what `precisions_cholesky` returned; positive definite surely."""

    def invert(self, matrices: Array) -> Array:
        """Precisions of covariances, and covariances of precisions."""
        return self.precisions(self.precisions_cholesky(matrices))

    @abstractmethod
    def admits(self, matrices: Array) -> bool:
        """Whether covariances or precisions given by a user are valid ones."""

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters in the covariances."""

    @abstractmethod
    def permute(self, covariances: Array, order: Array) -> Array:
        """The covariances with the components in another order (k,)."""

    @abstractmethod
    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        """Rows that the prior adds to each component's divisor; shape is that of means, (k, d)."""

    @abstractmethod
    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        """Log-density of the prior at params, in nats, in the coordinates that both are in."""

    @abstractmethod
    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        """log |d(parameters in the frame) / d(parameters in data units)|; log_scale (d,).

        What a prior density in the frame's coordinates is multiplied by to be one in data units.
        """


def cholesky(covariances: Array) -> Array:
    """Lower factors of (k, d, d).

    Raises DegenerateComponentError, naming the first component that has none.
    """
    try:
        lower: Array = np.linalg.cholesky(covariances)  # type: ignore[assignment]
        return lower
    except np.linalg.LinAlgError:
        for k, covariance in enumerate(covariances):
            try:
                np.linalg.cholesky(covariance)
            except np.linalg.LinAlgError:
                raise DegenerateComponentError(k, "covariance not positive definite") from None
        raise


def log_weights(weights: Array) -> Array:
    """log w, -inf for a component of weight zero."""
    with np.errstate(divide="ignore"):
        return np.log(weights)


def steps(
    stats: SufficientStatistics, params: GaussianParams, context: Context
) -> tuple[Array, Array]:
    """How far each mean moves, and how many rows (pseudo-rows included) move it: (k, d), (k, 1).

    ``shift = (first + c (m0 - ref)) / (N + c)``; zero where no row is assigned.
    """
    c = context.prior.mean_precision
    first = stats.first + c * (context.prior.mean - params.means)
    mass = stats.counts[:, None] + c
    return np.divide(first, mass, out=np.zeros_like(first), where=mass > EMPTY), mass
