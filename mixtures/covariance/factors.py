"""Covariances as loadings and noise: what can be said of them without a matrix of d by d numbers.

Shapes: k components, d features, q factors. Covariances are (k, d, 1 + q): the loadings of each
component and, in the last column, the noise variances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core import low_rank
from ..core.discriminants import Array
from ..core.family import DegenerateComponentError
from ..core.low_rank import Whitened
from ..priors import ResolvedNIW
from .base import AbstractCovariance, GaussianParams

CANONICAL = 1e-13  # products of different columns of loadings, relative, that are rounding


class Factors(AbstractCovariance):
    """What is the same for every restriction of the noise."""

    requirement = "loadings and, in the last column, positive noise variances"
    isotropic: bool

    def whitened(self, params: GaussianParams) -> list[Whitened]:
        """The components' loadings in units of their noise, decomposed.

        Raises DegenerateComponentError for noise that is not positive.
        """
        found = []
        for c, covariance in enumerate(params.covariances):
            loadings, noise = covariance[:, :-1], covariance[:, -1]
            if not (noise > 0).all() or not np.isfinite(covariance).all():
                least = f"noise variance {noise.min():g}, which must be positive"
                raise DegenerateComponentError(c, least)
            found.append(low_rank.whiten(loadings, noise))
        return found

    # ---- geometry ----------------------------------------------------------------------------

    def dense(self, params: GaussianParams) -> Array:
        return np.array([low_rank.covariance(c[:, :-1], c[:, -1]) for c in params.covariances])

    def variances(self, params: GaussianParams) -> Array:
        loadings, noise = params.covariances[..., :-1], params.covariances[..., -1]
        return (loadings**2).sum(axis=2) + noise

    def traces(self, params: GaussianParams, ridge: Array) -> Array:
        return np.array([ridge @ low_rank.precision_diagonal(w) for w in self.whitened(params)])

    def held(self, params: GaussianParams, ridge: Array, times: float) -> np.ndarray:
        # Where more features than there are factors have so little noise, some combination of
        # them has no more. Fewer are Heywood cases: exact functions of the factors.
        few = (params.covariances[..., -1] < times * ridge).sum(axis=1)
        return np.flatnonzero(few >= params.covariances.shape[2])

    def distances(self, params: GaussianParams, others: GaussianParams) -> Array:
        """Squared distances of means (k, k), in units of the features' pooled variances."""
        unit = 0.5 * (self.variances(params).mean(axis=0) + self.variances(others).mean(axis=0))
        away = (params.means[:, None] - others.means[None]) ** 2 / unit
        return away.sum(axis=2)

    def sample(
        self, params: GaussianParams, component: int, n: int, rng: np.random.RandomState
    ) -> Array:
        loadings, noise = (
            params.covariances[component, :, :-1],
            params.covariances[component, :, -1],
        )
        z = rng.standard_normal((n, loadings.shape[1]))
        e = rng.standard_normal((n, len(noise))) * np.sqrt(noise)
        return params.means[component] + z @ loadings.T + e

    # ---- other coordinates -------------------------------------------------------------------

    def rescale(self, covariances: Array, scale: Array) -> Array:
        noise = covariances[..., -1:] * scale[:, None] ** 2
        return np.concatenate([covariances[..., :-1] * scale[:, None], noise], axis=-1)

    def permute(self, covariances: Array, order: Array) -> Array:
        return covariances[order]

    def admits(self, matrices: Array) -> bool:
        return bool((matrices[..., -1] > 0).all())

    def canonical(self, covariances: Array) -> Array:
        """Loadings with ``L' P^-1 L`` diagonal and decreasing; the largest of a column positive."""
        found = covariances.copy()
        for one in found:
            if _is_canonical(one):  # to turn it once more would change last bits
                continue
            w = low_rank.whiten(one[:, :-1], one[:, -1])
            loadings = w.directions * w.strengths / w.scale[:, None]
            one[:, :-1] = loadings * low_rank.signs(loadings)
        return found

    def derived(self, covariances: Array) -> dict[str, Array]:
        noise = covariances[:, 0, -1] if self.isotropic else covariances[..., -1]
        return {"loadings": covariances[..., :-1], "noise_variances": noise}

    def rounded(self, read: Callable[[str], Array]) -> Array:
        return read("covariances")  # positive noise stays positive

    def precisions_cholesky(self, covariances: Array) -> Array:
        raise ValueError(
            "Low-rank covariances have loadings and noise variances, no Cholesky factors of "
            "precisions. Use get_covariance() or loadings_ and noise_variances_."
        )

    def precisions(self, factors: Array) -> Array:
        return self.precisions_cholesky(factors)

    def from_factors(self, factors: Array) -> Array:
        return self.precisions_cholesky(factors)

    def invert(self, matrices: Array) -> Array:
        raise ValueError(
            "Low-rank covariances expect precisions_init=None, but got an array of shape "
            f"{np.shape(matrices)}. Start from means_init and weights_init, or use warm_start."
        )

    # ---- priors ------------------------------------------------------------------------------

    def pseudo_rows(self, shape: tuple[int, ...], prior: ResolvedNIW) -> float:
        return prior.pseudo_rows(shape[1] + 1, 1)

    def log_prior(self, params: GaussianParams, prior: ResolvedNIW) -> float:
        """That of full covariances at ``L L' + P``."""
        total, (k, d) = 0.0, params.means.shape
        c, nu = prior.mean_precision, prior.degrees_of_freedom
        for w, mean in zip(self.whitened(params), params.means, strict=True):
            trace = low_rank.trace(w, prior.scale)
            total -= 0.5 * ((nu + d + 1) * w.log_det + trace)
            if c > 0:
                away = low_rank.squared_distances(w, (mean - prior.mean)[None])[0]
                total -= 0.5 * (c * away + w.log_det + d * (low_rank.LOG_2_PI - np.log(c)))
        return float(total + k * prior.log_normaliser())

    def log_volume(self, n_components: int, log_scale: Array, prior: ResolvedNIW) -> float:
        powers = len(log_scale) + 1.0 + (prior.mean_precision > 0)
        return n_components * powers * float(log_scale.sum())


def _is_canonical(covariance: Array) -> bool:
    """Whether loadings (d, q) are as `Factors.canonical` writes them, but for rounding."""
    loadings, noise = covariance[:, :-1], covariance[:, -1]
    gram = (loadings.T / noise) @ loadings
    strengths = np.diagonal(gram)
    beside = np.abs(gram - np.diag(strengths)).max(initial=0.0)
    ordered = bool((np.diff(strengths) <= 0).all() and (low_rank.signs(loadings) > 0).all())
    return ordered and bool(beside <= CANONICAL * strengths.max(initial=0.0))
