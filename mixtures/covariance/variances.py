"""Variances without correlations: one for each feature, or one for all features."""

from __future__ import annotations

import numpy as np

from ..core import discriminants as kinds
from ..core import statistics as sums
from ..core.discriminants import Array, Discriminants
from ..core.family import DegenerateComponentError
from ..core.statistics import SufficientStatistics
from ..core.unconstrained import Positive
from ..priors import ResolvedNIW
from . import prior_density
from .base import EMPTY, AbstractCovariance, Context, GaussianParams, log_weights, steps


def uncorrelated(params: GaussianParams, variances: Array) -> Discriminants:
    """DIAGONAL discriminants of variances (k, d)."""
    lowest = variances.min()
    if not lowest > 0.0 or not np.isfinite(variances).all():
        k = int(np.argmin(np.where(np.isfinite(variances), variances, -np.inf).min(axis=1)))
        raise DegenerateComponentError(k, f"variance {lowest:g}, which must be positive")
    roots = np.sqrt(0.5 / variances)
    half_log_det = 0.5 * np.log(variances).sum(axis=1)
    log_norm = half_log_det + 0.5 * variances.shape[1] * prior_density.LOG_2_PI
    return Discriminants(
        kinds.DIAGONAL,
        np.ascontiguousarray(roots.T),
        np.ascontiguousarray((-params.means * roots).T),
        log_weights(params.weights) - log_norm,
        params.means,
    )


def _scatter(
    stats: SufficientStatistics, params: GaussianParams, context: Context
) -> tuple[Array, Array]:
    """Mean steps (k, d) and squares about the new means (k, d), pseudo-rows at m0 included."""
    shift, mass = steps(stats, params, context)
    away = context.prior.mean - params.means
    return (
        shift,
        stats.second - mass * shift**2 + context.prior.mean_precision * away**2,
    )


class Variances(AbstractCovariance):
    """What is the same for arrays of variances, component axis first."""

    coordinates = Positive()
    requirement = "positive"

    def precisions_cholesky(self, covariances: Array) -> Array:
        return 1.0 / np.sqrt(covariances)

    def precisions(self, factors: Array) -> Array:
        return factors**2

    def from_factors(self, factors: Array) -> Array:
        return 1.0 / factors**2

    def admits(self, matrices: Array) -> bool:
        return bool((matrices > 0).all())

    def permute(self, covariances: Array, order: Array) -> Array:
        return covariances[order]


class Diagonal(Variances):
    """Each component has a variance for each feature: covariances (k, d).

    ``v_kj = (scatter_kj + Psi_jj) / (N_k + nu + 3) + ridge_j``: with one feature at a time, the
    normal-inverse-Wishart prior is a normal-inverse-gamma one with the same nu.
    """

    moments = sums.DIAGONAL

    def discriminants(self, params: GaussianParams) -> Discriminants:
        return uncorrelated(params, params.covariances)

    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        shift, scatter = _scatter(stats, params, context)
        prior = context.prior
        scatter += np.diagonal(prior.scale)
        rows = stats.counts[:, None] + self.pseudo_rows(shift.shape, prior)
        keep = params.covariances - context.ridge
        variances = np.divide(scatter, rows, out=keep, where=rows > EMPTY) + context.ridge
        return params.means + shift, variances

    def dense(self, params: GaussianParams) -> Array:
        return params.covariances[:, :, None] * np.eye(params.means.shape[1])

    def from_dense(self, covariance: Array, n_components: int) -> Array:
        return np.repeat(np.diag(covariance)[None], n_components, axis=0)

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * scale * scale

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        return prior.pseudo_rows(2, 1)

    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        variances = params.covariances
        dense = self.dense(params)
        return prior_density.inverse_gamma(
            variances, prior.degrees_of_freedom, np.diag(prior.scale), prior.log_scale
        ) + prior_density.means(dense, params.means, prior)

    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        return n_components * (2.0 + (prior.mean_precision > 0)) * float(log_scale.sum())


class Spherical(Variances):
    """Each component has one variance: covariances (k,).

    ``v_k = (sum_j scatter_kj + s) / (d N_k + nu + d + 2) + mean ridge`` with s the mean of Psi's
    diagonal.
    """

    moments = sums.NORM
    common_scale = True

    def discriminants(self, params: GaussianParams) -> Discriminants:
        k, d = params.means.shape
        return uncorrelated(params, np.broadcast_to(params.covariances[:, None], (k, d)))

    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        shift, mass = steps(stats, params, context)
        prior, d = context.prior, shift.shape[1]
        away = prior.mean - params.means
        squares = prior.mean_precision * away**2 - mass * shift**2
        scatter = stats.second[:, 0] + squares.sum(axis=1) + np.diagonal(prior.scale).mean()
        spread = d * (stats.counts + self.pseudo_rows(shift.shape, prior))
        ridge = context.ridge.mean()
        keep = params.covariances - ridge
        variances = np.divide(scatter, spread, out=keep, where=spread > EMPTY) + ridge
        return params.means + shift, variances

    def dense(self, params: GaussianParams) -> Array:
        return params.covariances[:, None, None] * np.eye(params.means.shape[1])

    def from_dense(self, covariance: Array, n_components: int) -> Array:
        return np.full(n_components, np.diag(covariance).mean())

    def rescale(self, covariances: Array, scale: Array) -> Array:
        return covariances * scale[0] ** 2

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        return prior.pseudo_rows(2, shape[1]) / shape[1]

    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        dense = self.dense(params)
        return prior_density.inverse_gamma(
            params.covariances,
            prior.degrees_of_freedom,
            np.diag(prior.scale).mean(),
            float(np.mean(prior.log_scale)),
        ) + prior_density.means(dense, params.means, prior)

    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        d = len(log_scale)
        return n_components * (2.0 / d + (prior.mean_precision > 0)) * float(log_scale.sum())
