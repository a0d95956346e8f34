"""Log-likelihoods in nats per row, by functions that belong to no library."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

LOG_2_PI = float(np.log(2.0 * np.pi))


def of_factors(X: np.ndarray, mean: np.ndarray, L: np.ndarray, noise: np.ndarray) -> float:
    """Mean of ``log N(x | mean, L L' + diag(noise))``; L is (d, q).

    By a Cholesky factor of the whole matrix in units of its own diagonal: Woodbury's formula loses
    digits where a feature has almost no noise.
    """
    whole = L @ L.T + np.diag(noise)
    unit = np.sqrt(np.diagonal(whole))
    lower = cholesky(whole / unit / unit[:, None], lower=True)
    white = solve_triangular(lower, ((X - mean) / unit).T, lower=True)
    log_det = 2.0 * float(np.log(np.diagonal(lower)).sum() + np.log(unit).sum())
    square = float(np.square(white).sum(axis=0).mean())
    return -0.5 * (X.shape[1] * LOG_2_PI + log_det + square)


def of_axes(
    X: np.ndarray, mean: np.ndarray, axes: np.ndarray, variances: np.ndarray, noise: float
) -> float:
    """That of orthonormal axes (q, d) with variances (q,), and `noise` in all other directions."""
    d, q = X.shape[1], len(axes)
    along, total = np.zeros(q), 0.0
    for start in range(0, len(X), 4096):  # in blocks: no copy of all rows
        away = X[start : start + 4096] - mean
        along += np.square(away @ axes.T).sum(axis=0)
        total += float(np.square(away).sum())
    rest = (total - along.sum()) / len(X)
    log_det = float(np.log(variances).sum()) + (d - q) * float(np.log(noise))
    square = float((along / variances).sum()) / len(X) + rest / noise
    return -0.5 * (d * LOG_2_PI + log_det + square)
