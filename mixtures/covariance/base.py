"""What a covariance structure answers: statistics in, covariances and discriminants out.

Shapes: k components, d features; `counts` (k,), `means` (k, d); covariances as scikit-learn's:
(k, d, d) full, (d, d) tied, (k, d) diagonal, (k,) spherical. All computations are in the
coordinates of a frame, where the data have about unit scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

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

    moments: int  # the second moments that `m_step` reads, unless `sweep` says others
    rivals = 0  # see `AbstractFamily.rivals`
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

    def start(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        """Means and covariances of clusters, given their statistics about `params.means`."""
        return self.m_step(stats, params, context)

    def refine(self, params: GaussianParams, start: Any) -> Array:
        """Better covariances to start from, by a look at some rows; see `initialise.Start`."""
        return params.covariances

    def moments_at_start(self, n_features: int) -> int:
        """The second moments of d features that `start` reads."""
        return self.moments

    def bind(self, n_features: int) -> AbstractCovariance:
        """The structure for d features, with ValueError where there is none."""
        return self

    def measures_pairs(self, n_features: int) -> bool:
        """Whether it wants to know of the whole data's d (d + 1) / 2 second moments, or of d."""
        return True

    @abstractmethod
    def dense(self, params: GaussianParams) -> Array:
        """The covariances of all components as matrices (k, d, d)."""

    def variances(self, params: GaussianParams) -> Array:
        """The variances of all components' features (k, d)."""
        return np.diagonal(self.dense(params), axis1=1, axis2=2)

    def traces(self, params: GaussianParams, ridge: Array) -> Array:
        """``tr(R S_k^-1)`` (k,) of a diagonal R (d,)."""
        lower, roots = np.linalg.cholesky(self.dense(params)), np.sqrt(ridge)
        halves = np.linalg.solve(lower, np.eye(len(roots))) * roots
        return (halves**2).sum(axis=(1, 2))

    def held(self, params: GaussianParams, ridge: Array, times: float) -> np.ndarray:
        """Components (some of k) with a direction no wider than so many times a ridge (d,)."""
        roots = np.sqrt(ridge)
        relative = self.dense(params) / roots / roots[:, None]
        return np.flatnonzero(np.linalg.eigvalsh(relative)[:, 0] < times)

    def distances(self, params: GaussianParams, others: GaussianParams) -> Array:
        """Bhattacharyya distances (k, k) of components, invariant under linear maps of the data."""
        mine, theirs = self.dense(params), self.dense(others)
        middle = 0.5 * (mine[:, None] + theirs[None])
        away = (params.means[:, None] - others.means[None])[..., None]
        distance = (away * np.linalg.solve(middle, away)).sum(axis=(2, 3)) / 8.0
        own = 0.5 * (np.linalg.slogdet(mine)[1][:, None] + np.linalg.slogdet(theirs)[1][None])
        return distance + 0.5 * (np.linalg.slogdet(middle)[1] - own)

    def sample(
        self, params: GaussianParams, component: int, n: int, rng: np.random.RandomState
    ) -> Array:
        """n rows (n, d) drawn from one component."""
        lower = np.linalg.cholesky(self.dense(params)[component])
        return params.means[component] + rng.standard_normal((n, len(lower))) @ lower.T

    @abstractmethod
    def from_dense(self, covariance: Array, n_components: int) -> Array:
        """Covariances of this structure near one matrix (d, d), the same for all components."""

    def pooled(self, context: Context, n_components: int) -> Array:
        """Covariances like that of all rows, the same for all components."""
        whole = context.totals.covariance + np.diag(context.ridge)
        return self.from_dense(whole, n_components)

    @abstractmethod
    def rescale(self, covariances: Array, scale: Array) -> Array:
        """Covariances of ``z * scale``, given those of z; scale (d,)."""

    def canonical(self, covariances: Array) -> Array:
        """Of several ways to write the same covariances, the one that fitted attributes have."""
        return covariances

    def derived(self, covariances: Array) -> dict[str, Array]:
        """What fitted attributes tell besides the covariances, by name without the underscore."""
        factors = self.precisions_cholesky(covariances)
        return {"precisions_cholesky": factors, "precisions": self.precisions(factors)}

    def rounded(self, read: Callable[[str], Array]) -> Array:
        """Covariances from fitted attributes that were rounded; ``read(name)`` is one of them."""
        # Rounded factors still are factors of something; covariances that were rounded need not
        # be positive definite any more.
        return self.from_factors(read("precisions_cholesky"))

    def parts(self, shape: tuple[int, ...]) -> list[tuple[Coordinates, tuple[int, ...]]]:
        """The arrays that covariances of a shape consist of: their coordinates and shapes."""
        return [(self.coordinates, shape)]

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
