"""Where EM under gaps starts: what can be said of the rows before any posterior is known.

n rows, d features, q factors.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.extmath import randomized_svd

from ..core.discriminants import Array
from ..core.frames import CONSTANT
from ..core.low_rank import signs
from ._patterns import LatentParams

FLOOR = 1e-12
"""Least noise variance relative to the feature's own; of constant features, the absolute one."""

COMMON = 0.05
"""Least noise to start from, relative to the variance: EM leaves small noise slowly."""
LARGE = 1000  # rows and features from which axes to start from are good enough as approximations


def used(X: Array, w: Array | None) -> tuple[Array, Array]:
    """The rows that say anything, with their weights: of positive weight, with a number.

    Raises
    ------
    ValueError
        If a feature has no number in any of them.
    """
    observed = ~np.isnan(X)
    some = observed.any(axis=1)
    if w is not None:
        some &= w > 0
    if not some.all():
        X, observed, w = X[some], observed[some], None if w is None else w[some]
    empty = np.flatnonzero(~observed.any(axis=0))
    if empty.size:
        raise ValueError(
            f"Expected at least one number in each of the {X.shape[1]} features, but feature "
            f"{int(empty[0])} is NaN in all {len(X)} rows that have a number and a positive "
            "weight. Drop the feature: no row says anything about it."
        )
    return X, np.ones(len(X)) if w is None else w


def spread_of(X: Array, w: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and weight (d,) of each feature over the rows that have it."""
    observed = ~np.isnan(X)
    weight = w @ observed
    mean = (w @ np.where(observed, X, 0.0)) / weight
    away = np.where(observed, X - mean, 0.0)
    correction = (w @ away) / weight
    return mean + correction, (w @ away**2) / weight - correction**2, weight


def units(variance: Array, isotropic: bool) -> Array:
    """Standard deviations (d,) from variances (d,), one for all if there is one noise."""
    if isotropic:
        variance = np.full(len(variance), variance.mean())
    return np.where(variance > CONSTANT**2, np.sqrt(variance), 1.0)


def floors(variance: Array, isotropic: bool) -> Array:
    """Least noise (d,): `FLOOR` of the variances (d,), of their mean if there is one noise."""
    if isotropic:
        variance = np.full(len(variance), variance.mean())
    return np.where(variance > CONSTANT**2, FLOOR * variance, FLOOR)


def start_observed(X: Array, w: Array | None, n_factors: int, isotropic: bool) -> LatentParams:
    """Parameters to start EM from; deterministic.

    Means and variances are those of the numbers observed. Loadings are principal axes of the rows
    with gaps filled by the means, each feature scaled back to its variance; of correlations, unless
    the noise is isotropic. Noise is what they leave, at least `COMMON` of the variance.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows with NaN in the gaps, in a frame: centred, and of spread one or zero.
    w : ndarray of shape (n,), or None
    n_factors : int
        q, at most d.
    isotropic : bool
        Whether all features have one noise variance.

    Returns
    -------
    LatentParams

    Raises
    ------
    ValueError
        If a feature has no number in any row of positive weight.
    """
    X, w = used(X, w)
    mean, variance, weight = spread_of(X, w)
    varies = variance > CONSTANT**2
    unit = units(variance, isotropic)
    # A gap is a zero: features are scaled up so that their variance is the observed one.
    scale = np.sqrt(1.0 / weight) / unit * varies
    rows = np.where(np.isnan(X), 0.0, X - mean) * scale * np.sqrt(w)[:, None]
    return _from_axes(rows, mean, unit, np.where(varies, variance, 0.0), n_factors, isotropic)


def _principal(rows: Array, q: int) -> tuple[Array, Array]:
    """The q largest eigenvalues of ``rows' rows``, and their axes (d, q)."""
    if min(rows.shape) > LARGE:
        _, lengths, axes = randomized_svd(rows, q, random_state=0)
        return lengths**2, axes.T
    few = rows.shape[0] < rows.shape[1]
    gram = rows @ rows.T if few else rows.T @ rows
    values, axes = eigh(gram, subset_by_index=(len(gram) - q, len(gram) - 1))
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
    if few:
        lengths = np.sqrt(values)
        axes = rows.T @ np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > 0)
    return values, axes


def _from_axes(
    rows: Array, mean: Array, unit: Array, variance: Array, q: int, isotropic: bool
) -> LatentParams:
    """The start from rows (n, d) whose Gram matrix is the covariance in units (d,)."""
    d = rows.shape[1]
    kept = min(q, *rows.shape)
    values, axes = _principal(rows, kept)
    total = (variance / unit**2).sum()
    rest = max(total - values.sum(), 0.0) / max(d - q, 1)
    loadings = np.zeros((d, q))
    loadings[:, :kept] = axes * np.sqrt(np.maximum(values - rest, 0.0))
    loadings = unit[:, None] * loadings * signs(loadings)
    if isotropic:
        noise = np.maximum(rest * unit**2, COMMON * variance.mean())
    else:
        noise = np.maximum(variance - (loadings**2).sum(axis=1), COMMON * variance)
    return LatentParams(mean, loadings, np.maximum(noise, floors(variance, isotropic)))
