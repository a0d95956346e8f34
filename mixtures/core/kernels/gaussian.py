"""Parameters of full Gaussians to discriminants, statistics to parameters, outside the sweep.

Loops whose inner iterations are independent, along contiguous lines, so that LLVM vectorises
them without permission to reorder sums: no LAPACK, hence no second thread pool, and microseconds
instead of the hundred that NumPy's Python layer costs a small fit.
"""

from __future__ import annotations

import math

import numpy as np


def triangular_discriminants(
    weights, means, covariances,  # IN, (k,), (k, d), (k, d, d) or (1, d, d)
    slopes, offsets, bias,  # OUT, (d(d+1)/2, k), (d, k), (k,)
):  # fmt: skip
    """``C = cholesky(S); U = inv(C); slopes = sqrt(1/2) tril(U); offsets = -sqrt(1/2) U m;
    bias = log w - log det C - d/2 log 2 pi``; returns 0, or 1 + the first bad component."""
    k, d = means.shape
    shared = len(covariances) == 1
    C = np.empty((d, d))  # upper factor: line j is column j of C
    U = np.empty((d, d))
    half = math.sqrt(0.5)
    for c in range(k):
        if c == 0 or not shared:
            covariance = covariances[0 if shared else c]
            log_det = 0.0
            for j in range(d):
                for i in range(j, d):
                    C[j, i] = covariance[i, j]
            for j in range(d):  # right-looking: finish line j, then subtract it from those below
                pivot = C[j, j]
                if not (pivot > 0.0 and pivot < np.inf):
                    return 1 + c
                root = math.sqrt(pivot)
                log_det += math.log(root)
                for i in range(j, d):
                    C[j, i] /= root
                for i in range(j + 1, d):
                    factor = C[j, i]
                    for q in range(i, d):
                        C[i, q] -= factor * C[j, q]
            if not (log_det < np.inf):
                return 1 + c
            for i in range(d):  # forward substitution, by lines of U
                for q in range(i):
                    U[i, q] = 0.0
                U[i, i] = 1.0
                for j in range(i):
                    factor = C[j, i]
                    for q in range(j + 1):
                        U[i, q] -= factor * U[j, q]
                inverse = 1.0 / C[i, i]
                for q in range(i + 1):
                    U[i, q] *= inverse
        p = 0
        for i in range(d):
            dot = 0.0
            for j in range(i + 1):
                u = half * U[i, j]
                slopes[p, c] = u
                dot += u * means[c, j]
                p += 1
            offsets[i, c] = -dot
        bias[c] = math.log(weights[c]) - log_det - 0.5 * d * math.log(2.0 * math.pi)
    return 0


EMPTY = 10 * 2.0**-52  # rows; see `plain.full_m_step`


def full_m_step(
    counts, first, second, reference,  # IN, (k,), (k, d), (k, d, d), (k, d)
    kappa, prior_mean, prior_scatter, prior_dof, ridge,  # IN, float, (d,), (d, d), float, (d,)
    means, covariances,  # OUT, (k, d), (k, d, d)
):  # fmt: skip
    """``shift = (first + kappa away) / mass; mean = reference + shift; S = (second + Psi +
    kappa away away' - mass shift shift') / spread + diag(ridge)``, ``away = m0 - reference``."""
    k, d = first.shape
    shift, away = np.empty(d), np.empty(d)
    for c in range(k):
        mass, spread = counts[c] + kappa, counts[c] + prior_dof
        if not spread > EMPTY:
            continue
        for j in range(d):
            away[j] = prior_mean[j] - reference[c, j]
            shift[j] = (first[c, j] + kappa * away[j]) / mass if mass > EMPTY else 0.0
            means[c, j] = reference[c, j] + shift[j]
        for i in range(d):
            pull, push = kappa * away[i], mass * shift[i]
            for j in range(d):
                scatter = second[c, i, j] + prior_scatter[i, j] + pull * away[j]
                covariances[c, i, j] = (scatter - push * shift[j]) / spread
            covariances[c, i, i] += ridge[i]
