"""How good proportions are: one float64 NumPy function for everybody, nothing shared with ours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .workloads import Array

BLOCK = 4_000_000  # numbers of F at a time


class Verdict(NamedTuple):
    """Of weights p: with u = F p and g_k = mean_n F_nk / u_n, the gap is max_k g_k - 1.

    No weights have a mean log-likelihood more than log(1 + gap) above that of p, since for any q
    the difference is mean log (F q)_n / u_n ≤ log g.q ≤ log max_k g_k.
    """

    gap: float
    log_likelihood: float  # mean, nats a row
    support: int  # positive weights


def judge(lines: Array, log: bool, weights: Array) -> Verdict:
    """`lines` is (K, n): F, or log F, one component after another."""
    k, n = lines.shape
    step = max(1, BLOCK // k)
    pull, total = np.zeros(k), 0.0
    for lo in range(0, n, step):
        block = np.asarray(lines[:, lo : lo + step])
        if log:
            largest = block.max(axis=0)
            block, total = np.exp(block - largest), total + largest.sum()
        density = weights @ block
        with np.errstate(divide="ignore", invalid="ignore"):  # a row without density: gap NaN
            pull += block @ (1.0 / density)
            total += np.log(density).sum()
    return Verdict(float(pull.max() / n - 1.0), float(total / n), int((weights > 0.0).sum()))


def on_simplex(x: Array) -> Array:
    """What solvers call a solution, as proportions: negative rounding removed, sum one."""
    x = np.maximum(np.asarray(x, dtype=float), 0.0)
    return x / x.sum()
