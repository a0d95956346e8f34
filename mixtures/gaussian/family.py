"""Gaussian components: what the engine asks of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.discriminants import Array, Discriminants, Frame
from ..core.family import AbstractFamily, Sweep
from ..core.frames import CONSTANT, Totals
from ..core.statistics import SufficientStatistics
from ..core.unconstrained import Coordinates, Real, Simplex
from ..covariance import AbstractCovariance, Context, GaussianParams
from ..priors import Dirichlet

LEAST_RIDGE = 1e-12
"""Smallest ridge relative to a feature's variance: what a Cholesky factor needs to exist."""

MOSTLY_RIDGE = 2.0
"""Variance, in units of the ridge, below which half of it or more is the ridge."""


def ridge(reg_covar: float, totals: Totals, frame: Frame) -> Array:
    """What is added to the variances (d,), in the frame's coordinates.

    ``reg_covar`` in squared data units as in scikit-learn, but at most ``reg_covar`` times and at
    least ``LEAST_RIDGE`` times the feature's variance: an absolute number would drown data of
    small units and do nothing for those of large ones. Constant features have no variance to be
    relative to: theirs is the absolute one, or what covers the rounding of their size.
    """
    variance = totals.variances
    if reg_covar == 0.0:
        return np.zeros_like(variance)
    absolute = reg_covar * frame.scale**2
    bounded = np.minimum(reg_covar * variance, np.maximum(absolute, LEAST_RIDGE * variance))
    return np.where(variance > CONSTANT**2, bounded, np.maximum(absolute, LEAST_RIDGE))


@dataclass(frozen=True, eq=False)
class Gaussian(AbstractFamily[GaussianParams]):
    """``log w_k + log N(x | mean_k, S_k)`` with S_k restricted by a covariance structure."""

    structure: AbstractCovariance
    context: Context
    weight_prior: Dirichlet | None = None
    log_volume: float = 0.0  # change of units of the prior's density, nats
    blurred: bool = False  # whether the objective takes the ridge for noise; see `exact`

    @property
    def moments(self) -> int:  # type: ignore[override]
        return self.structure.moments_at_start(len(self.context.ridge))

    @property
    def unconstrained(self) -> dict[str, Coordinates]:  # type: ignore[override]
        return {
            "weights": Simplex(),
            "means": Real(),
            "covariances": self.structure.coordinates,
        }

    def coordinates(self, params: GaussianParams) -> list[tuple[Coordinates, tuple[int, ...]]]:
        weights, means, _ = super().coordinates(params)
        return [weights, means, *self.structure.parts(params.covariances.shape)]

    def discriminants(self, params: GaussianParams) -> Discriminants:
        return self.structure.discriminants(params)

    def sweep(self, params: GaussianParams) -> Sweep:
        sweep = self.structure.sweep(params, self.context)
        if not self.blurred:
            return sweep
        sharp = sweep.discriminants
        blurred = sharp._replace(bias=sharp.bias - self._blur(params))
        return sweep._replace(discriminants=blurred)

    def m_step(self, stats: SufficientStatistics, params: GaussianParams) -> GaussianParams:
        means, covariances = self.structure.m_step(stats, params, self.context)
        return GaussianParams(self._weights(stats.counts), means, covariances)

    def exact(self) -> Gaussian | None:
        if self.blurred or not self.context.ridge.any():
            return None
        return replace(self, blurred=True)

    def _blur(self, params: GaussianParams) -> Array:
        """``tr(R S_k^-1) / 2`` (k,), the ridge R being the variance of a blur of the rows.

        S_k + R maximises ``E log N(x + e | mean, S)`` over noise e of covariance R, which is
        ``log N(x | mean, S) - tr(R S^-1) / 2``. With that as density, EM climbs exactly.
        """
        return 0.5 * self.structure.traces(params, self.context.ridge)

    def _weights(self, counts: Array) -> Array:
        if self.weight_prior is None:
            return counts / counts.sum()
        return self.weight_prior.mode(counts)

    def guess(self, centres: Array) -> GaussianParams:
        k = len(centres)
        return GaussianParams(np.full(k, 1.0 / k), centres, self.structure.pooled(self.context, k))

    def start(self, stats: SufficientStatistics, centres: Array) -> GaussianParams:
        params = self.guess(centres)
        means, covariances = self.structure.start(stats, params, self.context)
        return GaussianParams(self._weights(stats.counts), means, covariances)

    @property
    def rivals(self) -> int:  # type: ignore[override]
        return self.structure.rivals

    def refine(self, params: GaussianParams, start: Any) -> GaussianParams:
        covariances = self.structure.refine(params, start)
        return params._replace(covariances=covariances)

    def reference(self, centres: Array) -> Array:
        return centres

    def log_prior(self, params: GaussianParams) -> float:
        total = 0.0
        if self.weight_prior is not None:
            total += self.weight_prior.log_density(params.weights)
        if not self.context.prior.flat:
            total += self.structure.log_prior(params, self.context.prior) + self.log_volume
            if self.blurred:  # pseudo-rows are blurred like the others
                rows = self.structure.pseudo_rows(params.means.shape, self.context.prior)
                total -= float(rows * self._blur(params).sum())
        return total

    def sample(
        self, params: GaussianParams, component: int, n: int, rng: np.random.RandomState
    ) -> Array:
        return self.structure.sample(params, component, n, rng)

    def n_parameters(self, params: GaussianParams) -> int:
        k, d = params.means.shape
        return self.structure.n_parameters(k, d) + k * d + k - 1

    def doubts(self, params: GaussianParams) -> str | None:
        if not self.context.ridge.all():  # no ridge was added: what is singular has failed
            return None
        held = self.structure.held(params, self.context.ridge, MOSTLY_RIDGE)
        if not held.size:
            return None
        return (
            f"Components {held.tolist()} have no variance of their own in some direction: constant "
            "or collinear features, or fewer distinct rows than features. There reg_covar alone "
            "keeps the covariance positive definite, and the likelihood depends on it. Drop such "
            "features, use fewer components, or give a prior=NormalInverseWishart()."
        )

    def distances(self, params: GaussianParams, others: GaussianParams) -> Array:
        return self.structure.distances(params, others)
