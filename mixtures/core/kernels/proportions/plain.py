"""Mixtures of known densities in NumPy: the oracle of the tests, and what runs without numba.

Conventions of this package: n rows, K components. What a component says of all rows is a *line* of
densities; line K, one more than there are components, is the mean of the others. A mixture of some
lines, the *support*, has the density ``u = p @ lines[support]``; sums over the rows are taken for
some lines, the *columns*.
"""

from __future__ import annotations

import numpy as np


def bind(F, weight=None):
    """Bind densities (K, n) and row weights (n,), None for ones, to the kernels.

    The second entry of the handle is the mean line (n,), which `survey` works out.
    """
    n = F.shape[1]
    return F, np.empty(n), np.ones(n) if weight is None else weight


def survey(handle, lo, hi):
    """Work out the mean line of rows lo..hi; return the smallest density."""
    F, mean, _ = handle
    F[:, lo:hi].mean(axis=0, out=mean[lo:hi])
    return float(F[:, lo:hi].min())


def exponentials(A, lo, hi, largest, mean):
    """Turn log-densities A (K, n) of rows lo..hi into densities over the row's largest, in place.

    Writes the log of the latter, and the mean of the former, to rows lo..hi of `largest` and `mean`
    (n,). What is smaller by 600 nats is zero: it would be slow, and never shows.
    """
    block = A[:, lo:hi]
    largest[lo:hi] = block.max(axis=0)
    with np.errstate(invalid="ignore"):
        block -= largest[lo:hi]
    far = block <= -600.0
    np.exp(block, out=block)
    block[far] = 0.0
    mean[lo:hi] = block.mean(axis=0)


def sweep(handle, lo, hi, support, p, columns, gradient, curvature):
    """One pass over rows lo..hi; return ``sum_n w_n log u_n``, -inf where some u is zero.

    Adds ``sum_n w_n F_kn / u_n`` to `gradient`, for k in `columns`; and
    ``sum_n w_n F_jn F_kn / u_n^2`` to `curvature`, for j and k in `columns`, unless that is empty.
    """
    F, mean, weight = handle

    def lines(chosen):
        return np.array([F[k, lo:hi] if k < len(F) else mean[lo:hi] for k in chosen])

    u, w = p @ lines(support), weight[lo:hi]
    with np.errstate(divide="ignore", invalid="ignore"):
        Q = lines(columns) / u
        gradient += Q @ w
        if curvature.size:
            curvature += (Q * w) @ Q.T
        return float(w @ np.log(u))
