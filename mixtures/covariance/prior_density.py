"""Log-densities of the normal-inverse-Wishart prior and of its restrictions, in nats."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from ..core.discriminants import Array
from ..priors import ResolvedNIW
from .base import cholesky

LOG_2_PI = math.log(2.0 * math.pi)


def means(dense: Array, centres: Array, prior: ResolvedNIW) -> float:
    """``sum_k log N(mean_k | m0, S_k / c)`` for S (k, d, d); zero for c = 0: free means."""
    c, (k, d) = prior.mean_precision, centres.shape
    if c == 0:
        return 0.0
    lower = cholesky(dense)
    away = np.linalg.solve(lower, (centres - prior.mean)[:, :, None])
    log_det = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum()
    return float(-0.5 * (c * (away**2).sum() + log_det + k * d * (LOG_2_PI - math.log(c))))


def inverse_wishart(matrices: Array, prior: ResolvedNIW) -> float:
    """``sum_m log IW(S_m | nu, Psi)`` of matrices (m, d, d)."""
    m, d = matrices.shape[:2]
    lower = cholesky(matrices)
    log_det = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum()
    scale = np.broadcast_to(prior.scale, matrices.shape)
    trace = np.trace(np.linalg.solve(matrices, scale), axis1=1, axis2=2).sum()
    kernel = -0.5 * ((prior.degrees_of_freedom + d + 1) * log_det + trace)
    return float(kernel + m * prior.log_normaliser())


def inverse_gamma(
    variances: Array, dof: float, scale: Array, log_scale: Array | float = 0.0
) -> float:
    """``sum log IG(v | dof/2, scale/2)``; without the normaliser where scale is zero (improper).

    There `log_scale`, of the frame that the variances are in, stands in for what the normaliser
    would have cancelled.
    """
    scale = np.broadcast_to(scale, variances.shape)
    kernel = -(0.5 * dof + 1.0) * np.log(variances) - 0.5 * scale / variances
    proper = scale > 0
    half = np.log(0.5 * np.where(proper, scale, 2.0))
    normaliser = 0.5 * dof * half - gammaln(0.5 * dof)
    return float((kernel + np.where(proper, normaliser, dof * log_scale)).sum())
