"""Algebra of a low-rank covariance ``S = L L' + P``: loadings L (d, q), diagonal noise P (d,).

Everything goes through the singular values of the loadings in units of the noise,
``P^-1/2 L = U diag(s) V'``: then ``S = P^1/2 (I + U diag(s^2) U') P^1/2``, whose inverse and
determinant are known without a matrix of d by d numbers (Woodbury 1950), and no difference of large
numbers is taken: ``y' S^-1 y`` is a sum of squares, of what the factors leave and of the factors.
n rows, d features, q factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from .discriminants import Array

STRONG = 100.0
"""Strength of a factor from which a precision comes from the covariance, not from the factors."""

LOG_2_PI = float(np.log(2.0 * np.pi))


class Whitened(NamedTuple):
    """Loadings in units of the noise, decomposed: ``P^-1/2 L = U diag(s) V'``."""

    scale: Array  # (d,), P^-1/2
    directions: Array  # (d, q), U, with orthonormal columns
    strengths: Array  # (q,), s, the largest first
    rotation: Array  # (q, q), V'

    @property
    def shrinkage(self) -> Array:
        """``1 / sqrt(1 + s^2)`` (q,): what a direction's coordinate is divided by, inverted."""
        return 1.0 / np.hypot(1.0, self.strengths)

    @property
    def log_det(self) -> float:
        """``log det S``."""
        return float(-2.0 * np.log(self.scale).sum() - 2.0 * np.log(self.shrinkage).sum())


def whiten(loadings: Array, noise: Array) -> Whitened:
    """Decompose loadings (d, q), q <= d, by the positive noise variances (d,)."""
    scale = 1.0 / np.sqrt(noise)
    u, s, vt = np.linalg.svd(loadings * scale[:, None], full_matrices=False)
    return Whitened(scale, u, s, vt)


def squared_distances(w: Whitened, away: Array) -> Array:
    """``y' S^-1 y`` of rows y (n, d): |y|^2 off the factors, plus the factors' shrunken squares."""
    y = away * w.scale
    u = y @ w.directions
    rest = y - u @ w.directions.T
    return np.einsum("ij,ij->i", rest, rest) + ((u * w.shrinkage) ** 2).sum(axis=1)


def log_densities(w: Whitened, away: Array) -> Array:
    """``log N(y | 0, S)`` of rows y (n, d), nats."""
    return -0.5 * (squared_distances(w, away) + w.log_det + len(w.scale) * LOG_2_PI)


def posterior_means(w: Whitened, away: Array) -> Array:
    """``E[z | y] = (I + L' P^-1 L)^-1 L' P^-1 y`` (n, q) of rows y (n, d), for z ~ N(0, I)."""
    u = (away * w.scale) @ w.directions
    return (u * (w.strengths * w.shrinkage**2)) @ w.rotation


def posterior_covariance(w: Whitened) -> Array:
    """``cov(z | y) = (I + L' P^-1 L)^-1`` (q, q), the same for all rows."""
    half = w.shrinkage[:, None] * w.rotation
    return half.T @ half


def precision(w: Whitened) -> Array:
    """``S^-1`` (d, d).

    ``I - U s^2 / (1 + s^2) U'`` loses the inverse of the share that it leaves; S itself is as well
    conditioned as the data, also where noise vanishes.
    """
    if w.strengths.max(initial=0.0) > STRONG:
        loadings = (w.directions * w.strengths) / w.scale[:, None]
        whole = covariance(loadings, w.scale**-2.0)
        unit = 1.0 / np.sqrt(np.diagonal(whole))
        lower = np.linalg.cholesky(whole * unit * unit[:, None])
        inverse = cho_solve((lower, True), np.eye(len(unit)))
        return np.asarray(inverse * unit * unit[:, None])
    inner = np.eye(len(w.scale)) - (w.directions * (w.strengths * w.shrinkage) ** 2) @ (
        w.directions.T
    )
    return inner * w.scale * w.scale[:, None]


def covariance(loadings: Array, noise: Array) -> Array:
    """``S = L L' + P`` (d, d)."""
    return loadings @ loadings.T + np.diag(noise)


def precision_diagonal(w: Whitened) -> Array:
    """The diagonal (d,) of ``S^-1``."""
    inner = ((w.directions * (w.strengths * w.shrinkage)) ** 2).sum(axis=1)
    return (1.0 - inner) * w.scale**2


def trace(w: Whitened, matrix: Array) -> float:
    """``tr(S^-1 M)`` of a positive semi-definite M (d, d)."""
    scaled = matrix * w.scale * w.scale[:, None]
    along = np.einsum("ji,jk,ki->i", w.directions, scaled, w.directions, optimize=True)
    left = float(np.trace(scaled) - along.sum())
    return left + float(along @ w.shrinkage**2)


def signs(loadings: Array) -> Array:
    """Signs (q,) that make the largest entry of each column of loadings (d, q) positive."""
    if not loadings.size:
        return np.ones(loadings.shape[1])
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])]
    return np.where(largest < 0, -1.0, 1.0)
