"""The objectives that all results are judged by: plain NumPy, nothing shared with ours."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from .workloads import Array

AGREEMENT = 1e-8
"""Relative difference of log-likelihoods after equal iterations that counts as the same result."""

BLOCK = 50_000  # rows at a time, so that this never decides a process's peak memory


def mean_log_likelihood(X: Array, weights: Array, means: Array, covariances: Array) -> float:
    """``mean_i log sum_k w_k N(x_i | m_k, S_k)`` in nats; S (k, d, d), or variances (k, d)."""
    blocks = (X[lo : lo + BLOCK] for lo in range(0, len(X), BLOCK))
    return sum(_total(block, weights, means, covariances) for block in blocks) / len(X)


def inertia(X: Array, centres: Array) -> float:
    """``sum_i min_k |x_i - c_k|^2``.

    Products name the nearest centre, which rounding can mistake only for one as near; the distance
    to it is a sum of squared differences.
    """
    step = max(1, BLOCK // 10)
    blocks = (X[lo : lo + step] for lo in range(0, len(X), step))
    return sum(_to_nearest(block, centres) for block in blocks)


def _to_nearest(X: Array, centres: Array) -> float:
    middle = centres.mean(axis=0)
    C = centres - middle
    nearest = (0.5 * (C**2).sum(axis=1) - (X - middle) @ C.T).argmin(axis=1)
    return float(((X - centres[nearest]) ** 2).sum())


def _total(X: Array, weights: Array, means: Array, covariances: Array) -> float:
    d = X.shape[1]
    log_densities = np.empty((len(weights), len(X)))
    for c, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        Z = (X - mean).T
        if covariance.ndim == 2:
            lower = np.linalg.cholesky(covariance)
            Z = solve_triangular(lower, Z, lower=True)
            log_det = 2.0 * np.log(np.diag(lower)).sum()
        else:
            Z /= np.sqrt(covariance)[:, None]
            log_det = np.log(covariance).sum()
        log_densities[c] = -0.5 * (log_det + (Z**2).sum(axis=0))
    log_densities += np.log(weights)[:, None] - 0.5 * d * np.log(2 * np.pi)
    return float(logsumexp(log_densities, axis=0).sum())
