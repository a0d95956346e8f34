"""Maximum likelihood of ``x = mean + L z + e`` on rows with gaps: EM on the numbers observed.

Only z is latent to EM, the gaps are not, so that these cost no rate. Given posteriors of z, each
feature is a regression on (1, z) over the rows that have it, and its noise the mean squared
residual (Rubin and Thayer 1982, Psychometrika 47; gaps are missing at random). The M-step frees the
mean and the covariance of z as well, and folds them back into mean and loadings: the likelihood is
the same, with more coordinates to climb along (PX-EM: Liu, Rubin and Wu 1998, Biometrika 85).

Noise variances have floors (`_start.FLOOR`). Within them the M-step is exact, so the objective
never falls; where it would rise for ever as a noise vanishes (a Heywood case, more factors than the
rows can tell apart), the floor is the result. An iteration costs O(n d q^2), as matrix products on
blocks of rows.

n rows, d features, q factors, t = q (q + 1) / 2 pairs of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..core.acceleration import accelerator_of
from ..core.blas import one_blas_thread
from ..core.discriminants import Array
from ..core.em import EMProblem, EMResult, Monitor, run_em
from ..core.family import AbstractFamily, Sweep
from ..core.low_rank import signs, whiten
from ..core.unconstrained import Coordinates, Positive, Real
from ._patterns import LatentParams, Prepared, prepare, symmetric
from ._start import floors, spread_of, start_observed, units, used
from ._sums import LatentStatistics, ObservedSource
from .goodness import n_loadings

__all__ = ["LatentParams", "fit_observed", "start_observed"]

UNDETERMINED = 1e-14
"""Eigenvalue of a regression's products, scaled to a unit diagonal, that is rounding."""


class InUnits(Real):
    """Real numbers in units of their features (d,), which are the first axis."""

    def __init__(self, unit: Array) -> None:
        self._unit = unit

    def pack(self, array: Array) -> Array:
        return (array.T / self._unit).T.ravel()

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        return np.ascontiguousarray((vector.reshape(shape).T * self._unit).T)


class Floored(Positive):
    """Variances (d,) not below floors: their logarithms in squared units, held at the floor."""

    def __init__(self, unit: Array, floor: Array) -> None:
        self._square, self._floor = unit**2, floor

    def pack(self, array: Array) -> Array:
        return super().pack(array / self._square)

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        return np.maximum(super().unpack(vector, shape) * self._square, self._floor)

    def lost(self, vector: Array) -> np.ndarray:
        return ~(vector > super().pack(self._floor / self._square) + 1e-9)


@dataclass(frozen=True, eq=False)
class LatentGaussian(AbstractFamily[LatentParams]):
    """``x ~ N(mean, L L' + P)``, seen through the features that a row has."""

    unit: Array  # (d,), the features' standard deviations
    floor: Array  # (d,), least noise
    isotropic: bool  # one noise for all features
    expanded: bool = True  # PX-EM; False: plain EM, which laws and experiments compare with

    @property
    def unconstrained(self) -> dict[str, Coordinates]:  # type: ignore[override]
        units = InUnits(self.unit)
        return {"mean": units, "loadings": units, "noise": Floored(self.unit, self.floor)}

    def discriminants(self, params: LatentParams) -> Prepared:  # type: ignore[override]
        return prepare(params)

    def sweep(self, params: LatentParams) -> Sweep:
        return Sweep(prepare(params), None)

    def m_step(self, stats: LatentStatistics, params: LatentParams) -> LatentParams:  # type: ignore[override]
        q = params.loadings.shape[1]
        slope, square = self._residuals(stats, params)
        products = stats.moments.copy()
        products[:, 1 + q :] += stats.spread
        change = _regressed(_with_ones(products, q), slope)
        left, n = square - (change * slope).sum(axis=1), stats.moments[:, 0]
        noise = np.full(len(n), left.sum() / n.sum()) if self.isotropic else left / n
        mean, loadings = params.mean + change[:, 0], params.loadings + change[:, 1:]
        if self.expanded:
            second = _with_ones(stats.latent, q) / stats.counts[0]
            centre = second[0, 1:]
            values, axes = np.linalg.eigh(second[1:, 1:] - np.outer(centre, centre))
            values = np.maximum(values, np.finfo(float).eps * np.trace(second))  # it is rounded
            mean = mean + loadings @ centre
            # The symmetric root turns with z: the path does not depend on how the start was turned.
            loadings = loadings @ (axes * np.sqrt(values)) @ axes.T
        return LatentParams(mean, loadings, np.maximum(noise, self.floor))

    def gradient(self, stats: LatentStatistics, params: LatentParams) -> Array:  # type: ignore[override]
        slope, square = self._residuals(stats, params)
        slope = slope * (self.unit / params.noise)[:, None]
        noise = 0.5 * (square / params.noise - stats.moments[:, 0])
        if self.isotropic:  # the d coordinates stand for one number: each has its mean
            noise = np.full(len(noise), noise.mean())
        return np.concatenate([slope[:, 0], slope[:, 1:].ravel(), noise])

    def guess(self, centres: Array) -> LatentParams:
        raise TypeError("Latent factors have no clusters to start from: use start_observed.")

    def sample(self, params: LatentParams, component: int, n: int, rng: Any) -> Array:
        z = rng.standard_normal((n, params.loadings.shape[1]))
        noise = rng.standard_normal((n, len(params.mean))) * np.sqrt(params.noise)
        return params.mean + z @ params.loadings.T + noise

    def n_parameters(self, params: LatentParams) -> int:
        d, q = params.loadings.shape
        return d + n_loadings(d, q) + (1 if self.isotropic else d)

    def base(self, source: Any) -> float:
        return 0.0

    def _residuals(self, stats: LatentStatistics, params: LatentParams) -> tuple[Array, Array]:
        """``sum_i w_i E[r (1, z)]`` (d, 1 + q), ``sum_i w_i E[r^2]`` (d,); r = x - mean - L z."""
        loadings, q = params.loadings, params.loadings.shape[1]
        pull = np.einsum("jkl,jl->jk", symmetric(stats.spread, q), loadings)
        slope = stats.cross.copy()
        slope[:, 1:] -= pull
        own = np.einsum("jk,jk->j", pull, loadings)
        sharp = prepare(params).sharp
        own[sharp] = stats.leverage * params.noise[sharp]
        return slope, stats.squares + own


def _with_ones(products: Array, q: int) -> Array:
    """Sums (..., 1 + q + t) of 1, z, z z' as matrices (..., 1 + q, 1 + q) of (1, z)(1, z)'."""
    matrix = np.empty((*products.shape[:-1], 1 + q, 1 + q))
    matrix[..., 0, :] = matrix[..., :, 0] = products[..., : 1 + q]
    matrix[..., 1:, 1:] = symmetric(products[..., 1 + q :], q)
    return matrix


def _regressed(products: Array, slope: Array) -> Array:
    """Coefficients (d, m) of d regressions with products (d, m, m) and right sides (d, m).

    What few rows do not determine stays as it is: a change of zero never lowers the objective.
    """
    scale = 1.0 / np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    unit, right = products * scale[:, :, None] * scale[:, None, :], slope * scale
    values, axes = np.linalg.eigh(unit)
    coordinates = np.einsum("jkl,jk->jl", axes, right)
    good = values > UNDETERMINED
    coordinates = np.divide(coordinates, values, out=np.zeros_like(values), where=good)
    return np.einsum("jkl,jl->jk", axes, coordinates) * scale


def fit_observed(
    X: Array,
    w: Array | None,
    start: LatentParams,
    *,
    isotropic: bool,
    tol: float,
    max_iter: int,
    acceleration: str | None = "auto",
    n_threads: int | None = 1,
    monitor: Monitor | None = None,
) -> EMResult:
    """Climb from `start` to a maximum of the likelihood of the numbers observed.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows with NaN in the gaps, in a frame: centred, and of spread one or zero.
    w : ndarray of shape (n,), or None
        Weights of the rows.
    start : LatentParams
    isotropic : bool
        Whether all features have one noise variance.
    tol : float
        Nats per row by which the objective changes in an iteration, at the end.
    max_iter : int
    acceleration : {'auto', 'squarem', 'anderson', None}, default='auto'
    n_threads : int, or None for what the process may use, default=1
        Changes no bit of the result.
    monitor : callable (iteration, point) -> bool, optional
        Called after each iteration; True stops the run.

    Returns
    -------
    EMResult
        Its `params` are turned so that L' P^-1 L is diagonal and decreasing, and in each column of
        L the largest entry, in standard deviations of the features, is positive. Its objective is
        the mean log-density of the observed numbers, in nats per row that has any.

    Raises
    ------
    ValueError
        If a feature has no number in any row of positive weight.
    """
    X, w = used(X, w)
    _, variance, _ = spread_of(X, w)
    unit, floor = units(variance, isotropic), floors(variance, isotropic)
    family = LatentGaussian(unit, floor, isotropic)
    start = start._replace(noise=np.maximum(start.noise, floor))
    accelerate = accelerator_of(acceleration, tol)
    # Products by several threads would have other last bits.
    with (
        one_blas_thread,
        ObservedSource(X, w, start.loadings.shape[1], n_threads) as source,
    ):
        problem = EMProblem.of(cast(Any, source), family)
        result = run_em(
            problem, start, tol=tol, max_iter=max_iter, accelerate=accelerate, monitor=monitor
        )
    return result._replace(params=turned(result.params, unit))


def turned(params: LatentParams, unit: Array) -> LatentParams:
    """The same model with L' P^-1 L diagonal and decreasing; signs as in `fit_observed`."""
    # To turn rows keeps the digits of each; to put them together from singular vectors would not.
    loadings = params.loadings @ whiten(params.loadings, params.noise).rotation.T
    return params._replace(loadings=loadings * signs(loadings / unit[:, None]))
