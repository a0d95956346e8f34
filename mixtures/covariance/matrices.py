"""Covariance matrices: one for each component, or one for all."""

from __future__ import annotations

import numpy as np

from ..core import discriminants as kinds
from ..core import statistics as sums
from ..core.discriminants import Array, Discriminants
from ..core.family import DegenerateComponentError, Sweep
from ..core.kernels import load
from ..core.statistics import SufficientStatistics
from ..core.unconstrained import PositiveDefinite
from ..priors import ResolvedNIW
from . import prior_density
from .base import (
    EMPTY,
    AbstractCovariance,
    Context,
    GaussianParams,
    cholesky,
    log_weights,
    steps,
)

WELL_CONDITIONED = 1e4
"""Largest squared Mahalanobis distance of a mean from the frame's centre at which second moments
about that centre are used: they lose about 2e-16 times it, relative to the covariance."""


def triangular(params: GaussianParams, matrices: Array) -> Discriminants:
    """Discriminants of covariances (k, d, d), or of one shared by all components, (1, d, d)."""
    k, d = params.means.shape
    slopes, offsets, bias = (
        np.empty((d * (d + 1) // 2, k)),
        np.empty((d, k)),
        np.empty(k),
    )
    failed = load().triangular_discriminants(
        params.weights, params.means, matrices, slopes, offsets, bias
    )
    if failed:
        raise DegenerateComponentError(failed - 1, "covariance not positive definite")
    return Discriminants(kinds.TRIANGULAR, slopes, offsets, bias, params.means)


class Matrices(AbstractCovariance):
    """What is the same for covariance matrices, however many."""

    coordinates = PositiveDefinite()
    requirement = "symmetric, positive-definite"

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * scale * scale[:, None]

    def admits(self, matrices: Array) -> bool:
        return _positive_definite(matrices)


class Full(Matrices):
    """Each component has its own covariance matrix: covariances (k, d, d).

    ``S_k = (scatter_k + Psi) / (N_k + nu + d + 2) + ridge``, the flat prior having zeros for Psi
    and for ``nu + d + 2``.
    """

    moments = sums.FULL

    def discriminants(self, params: GaussianParams) -> Discriminants:
        return triangular(params, params.covariances)

    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        means, covariances = params.means.copy(), params.covariances.copy()
        prior = context.prior
        load().full_m_step(
            stats.counts, stats.first, stats.second, params.means, prior.mean_precision,
            prior.mean, prior.scale, self.pseudo_rows(means.shape, prior), context.ridge,
            means, covariances,
        )  # fmt: skip
        return means, covariances

    def dense(self, params: GaussianParams) -> Array:
        return params.covariances

    def from_dense(self, covariance: Array, n_components: int) -> Array:
        return np.repeat(covariance[None], n_components, axis=0)

    def precisions_cholesky(self, covariances: Array) -> Array:
        return _upper_of_precision(cholesky(covariances))

    def precisions(self, factors: Array) -> Array:
        return factors @ np.swapaxes(factors, -1, -2)

    def from_factors(self, factors: Array) -> Array:
        return _covariance_of(factors)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def permute(self, covariances: Array, order: Array) -> Array:
        return covariances[order]

    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        return prior.pseudo_rows(shape[1] + 1, 1)

    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        dense = params.covariances
        return prior_density.inverse_wishart(dense, prior) + prior_density.means(
            dense, params.means, prior
        )

    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        powers = len(log_scale) + 1.0 + (prior.mean_precision > 0)
        return n_components * powers * float(log_scale.sum())


class Tied(Matrices):
    """All components share one covariance matrix: covariances (d, d).

    ``S = (sum_k scatter_k + Psi) / (N + nu + d + 1 + k) + ridge``, without the prior's terms when
    it is flat.

    The quadratic term of the discriminants is then the same for all components and cancels in the
    responsibilities: a pass over the rows needs only linear discriminants, and the pooled scatter
    is the total one, known before the fit, minus that of the means.
    """

    moments = sums.NONE

    def discriminants(self, params: GaussianParams) -> Discriminants:
        return triangular(params, params.covariances[None])

    def sweep(self, params: GaussianParams, context: Context) -> Sweep:
        whitener, log_norm = _whitener(params.covariances)
        white = whitener @ params.means.T
        distance = (white**2).sum(axis=0)
        if not distance.max() < WELL_CONDITIONED:  # subtract before you square
            return Sweep(self.discriminants(params), sums.FULL)
        slopes = np.ascontiguousarray(whitener.T @ white)
        bias = log_weights(params.weights) - 0.5 * distance + log_norm
        totals = context.totals
        about_origin = totals.scatter + totals.weight * np.outer(totals.mean, totals.mean)
        trace = ((whitener @ about_origin) * whitener).sum()
        linear = Discriminants(kinds.LINEAR, slopes, np.empty((0, len(bias))), bias, params.means)
        return Sweep(linear, self.moments, omitted=-0.5 * float(trace))

    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        shift, mass = steps(stats, params, context)
        prior, counts, totals = context.prior, stats.counts, context.totals
        if stats.second.size:  # ill-conditioned: scatter about the means, component by component
            scatter = stats.second.sum(axis=0) - (mass * shift).T @ shift
            spread = counts.sum()
        else:
            rows = counts[:, None]
            own = np.divide(stats.first, rows, out=np.zeros_like(shift), where=rows > EMPTY)
            away = own + params.means - totals.mean
            scatter = totals.scatter - (rows * away).T @ away
            spread = totals.weight
        spread = spread + len(counts) * self.pseudo_rows(shift.shape, prior)
        scatter = scatter + prior.scale + self._pull(stats, params, prior)
        scatter = 0.5 * (scatter + scatter.T)
        return params.means + shift, scatter / spread + np.diag(context.ridge)

    @staticmethod
    def _pull(stats: SufficientStatistics, params: GaussianParams, prior: ResolvedNIW) -> Array:
        """What the pseudo-rows at m0 add to the pooled scatter.

        Second moments about the reference lack ``c (m0 - ref)(m0 - ref)'`` of each component; the
        scatter about the rows' own means lacks ``c N / (c + N) (xbar - m0)(xbar - m0)'``.
        """
        c, away = prior.mean_precision, prior.mean - params.means
        if stats.second.size:
            return c * away.T @ away
        counts = stats.counts[:, None]
        own = np.divide(stats.first, counts, out=np.zeros_like(away), where=counts > EMPTY)
        both = counts + c
        factor = np.divide(c * counts, both, out=np.zeros_like(both), where=both > 0)
        return (factor * (own - away)).T @ (own - away)

    def dense(self, params: GaussianParams) -> Array:
        return np.repeat(params.covariances[None], len(params.weights), axis=0)

    def from_dense(self, covariance: Array, n_components: int) -> Array:
        return covariance.copy()

    def precisions_cholesky(self, covariances: Array) -> Array:
        return _upper_of_precision(cholesky(covariances[None]))[0]

    def precisions(self, factors: Array) -> Array:
        return factors @ factors.T

    def from_factors(self, factors: Array) -> Array:
        return _covariance_of(factors[None])[0]

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    def permute(self, covariances: Array, order: Array) -> Array:
        return covariances

    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        k, d = shape
        return prior.pseudo_rows(d + 1, k) / k

    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        dense = self.dense(params)
        return prior_density.inverse_wishart(dense[:1], prior) + prior_density.means(
            dense, params.means, prior
        )

    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        powers = len(log_scale) + 1.0 + n_components * (prior.mean_precision > 0)
        return powers * float(log_scale.sum())


def _whitener(covariance: Array) -> tuple[Array, float]:
    """Lower triangular U (d, d) with ``U S U' = I``, and ``log N(mean | mean, S)``.

    By our own kernel: multi-threaded LAPACK took 2 ms for such small matrices on a busy machine.
    """
    d = len(covariance)
    one = triangular(GaussianParams(np.ones(1), np.zeros((1, d)), covariance), covariance[None])
    whitener = np.zeros((d, d))
    whitener[np.tril_indices(d)] = np.sqrt(2.0) * one.slopes[:, 0]
    return whitener, float(one.bias[0])


def _upper_of_precision(lower: Array) -> Array:
    """U with ``U U' = (L L')^-1``, for L (k, d, d)."""
    return np.swapaxes(np.linalg.solve(lower, np.eye(lower.shape[-1])), -1, -2)


def _covariance_of(upper: Array) -> Array:
    """S with ``S^-1 = U U'``, for U (k, d, d)."""
    half = np.linalg.solve(upper, np.eye(upper.shape[-1]))
    return np.swapaxes(half, -1, -2) @ half


def _positive_definite(matrices: Array) -> bool:
    """Whether all matrices (..., d, d) are symmetric and positive definite."""
    transposed = np.swapaxes(matrices, -1, -2)
    if not (np.abs(matrices - transposed) <= 1e-8 + 1e-5 * np.abs(transposed)).all():
        return False
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        return False
    return True
