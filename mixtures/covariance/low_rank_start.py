"""Where the factors of low-rank covariances start: the leading directions of each cluster.

Shapes: k components, d features, q factors; a covariance is a matrix (d, 1 + q), loadings and, in
the last column, noise variances.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from ..core.discriminants import Array

TINY = 1e-12
"""Least noise of a feature, relative to its variance: what the difference of two variances is
known to with some digits left."""

NOISE = 0.05
"""Least share of a feature's variance that starts as noise: EM leaves small noise slowly."""


def whole(scatter: Array, rank: int, *, isotropic: bool) -> Array:
    """Loadings and noise (d, 1 + q) near a covariance (d, d).

    Isotropic noise: the maximum of the likelihood, in closed form (Tipping and Bishop 1999).
    Diagonal: principal factors of the correlations, with multiple correlations for a first guess
    where the matrix allows it.
    """
    d = len(scatter)
    variances = np.diagonal(scatter)
    spread = np.full(d, np.sqrt(variances.mean())) if isotropic else np.sqrt(variances)
    spread = np.where(spread > 0, spread, 1.0)
    correlations = scatter / spread / spread[:, None]
    if not isotropic:
        noise = _unique(correlations, rank)
        correlations = correlations - np.diag(noise)
    values, vectors = np.linalg.eigh(correlations)
    kept, directions = values[::-1][:rank], vectors[:, ::-1][:, :rank]
    if isotropic:
        common = max(float(values[: d - rank].mean()), TINY * float(values[-1]), 0.0)
        loadings = directions * np.sqrt(np.maximum(kept - common, 0.0))
        noise = np.full(d, common)
    else:
        loadings = directions * np.sqrt(np.maximum(kept, 0.0))
        own = np.where(variances > 0, 1.0, 0.0)
        noise = np.maximum(own - (loadings**2).sum(axis=1), NOISE * own)
    return np.column_stack([loadings * spread[:, None], noise * spread**2])


def _unique(correlations: Array, rank: int) -> Array:
    """First guess of the noise (d,) on the scale of correlations (Joreskog 1967, section 4)."""
    d = len(correlations)
    values = np.linalg.eigvalsh(correlations)
    if not values[0] > 1e-6 * values[-1]:
        return np.full(d, 0.5)
    inverse = np.linalg.solve(correlations, np.eye(d))
    return (1.0 - 0.5 * rank / d) / np.diagonal(inverse)


def local(rows: Array, variances: Array, rank: int, *, isotropic: bool) -> Array:
    """Loadings and noise (d, 1 + q) from some centred rows (m, d) and known variances (d,).

    The leading directions are those of the rows. Few rows show less noise than there is, so what is
    left of the variances is noise.
    """
    m, d = rows.shape
    spread = np.full(d, np.sqrt(variances.mean())) if isotropic else np.sqrt(variances)
    spread = np.where(spread > 0, spread, 1.0)
    y = rows / spread / np.sqrt(max(m, 1))
    kept = min(rank, m, d)
    left = max(float((variances / spread**2).mean()), TINY)
    loadings = np.zeros((d, rank))
    if kept:
        loadings[:, :kept] = _leading(y, kept)
    explained = (loadings**2).sum(axis=1)
    if isotropic:
        noise = np.full(d, max(left - explained.mean(), NOISE * left))
    else:
        own = np.where(variances > 0, 1.0, 0.0)
        noise = np.maximum(own - explained, NOISE * own)
    return np.column_stack([loadings * spread[:, None], noise * spread**2])


def _leading(y: Array, q: int) -> Array:
    """The q leading right singular vectors of y (m, d) times singular values, (d, q).

    By the smaller of two matrices: a tenth of the time of a decomposition of y.
    """
    m, d = y.shape
    few = m < d
    matrix = y @ y.T if few else y.T @ y
    values, vectors = eigh(matrix, subset_by_index=(len(matrix) - q, len(matrix) - 1))
    if few:
        return np.asarray(y.T @ vectors[:, ::-1])
    return np.asarray(vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0.0)))
