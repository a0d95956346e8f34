"""Expectations of discriminants under given responsibilities, from sufficient statistics alone.

Discriminants are polynomials of the row, so the expected complete-data log-likelihood of any
parameters is a sum over statistics that were taken once: no row is read again.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from .discriminants import BINARY, DIAGONAL, LINEAR, LOW_RANK, TRIANGULAR, Array, Discriminants
from .statistics import DIAGONAL as DIAGONAL_MOMENTS
from .statistics import FULL, NONE, SufficientStatistics


@singledispatch
def moments_of(v: Any) -> Any:
    """The second moments that `expectation` needs."""
    raise TypeError(f"there is no expectation of discriminants of type {type(v).__name__}")


@singledispatch
def expectation(v: Any, stats: Any, reference: Any) -> float:
    """``sum_i sum_k w_i r_ik v_k(z_i)`` from statistics about points `reference` (k, d), nats."""
    raise TypeError(f"there is no expectation of discriminants of type {type(v).__name__}")


@moments_of.register
def _(v: Discriminants) -> int:
    return {
        LINEAR: NONE,
        BINARY: NONE,
        DIAGONAL: DIAGONAL_MOMENTS,
        TRIANGULAR: FULL,
        LOW_RANK: FULL,  # of other parameters' directions
    }[v.kind]


@expectation.register
def _(v: Discriminants, stats: SufficientStatistics, reference: Array) -> float:
    some = stats.counts > 0  # a component without rows has a bias of -inf
    own = stats._replace(
        counts=stats.counts[some], first=stats.first[some], second=stats.second[some]
    )
    bias = own.counts @ v.bias[some]
    pick = (some,) if v.kind == LOW_RANK else (slice(None), some)
    slopes, offsets = v.slopes[pick], v.offsets[pick]
    return float(bias + EXPECTED[v.kind](slopes, offsets, own, reference[some]))


def _expected_linear(slopes, offsets, stats, m):
    return (slopes.T * (stats.first + stats.counts[:, None] * m)).sum()


def _expected_binary(slopes, offsets, stats, m):
    ones = stats.first + stats.counts[:, None] * m
    zeros = stats.counts[:, None] - ones
    # A probability of zero has the logarithm -inf, and nothing that it would be multiplied by.
    seen = ones * np.where(ones > 0, slopes.T, 0.0)
    return (seen + zeros * np.where(zeros > 0, offsets.T, 0.0)).sum()


def _expected_diagonal(slopes, offsets, stats, m):
    s, at = slopes.T, slopes.T * m + offsets.T
    return -(s * s * stats.second + 2 * s * at * stats.first).sum() - stats.counts @ (at**2).sum(1)


def _expected_triangular(slopes, offsets, stats, m):
    k, d = m.shape
    lower = np.zeros((k, d, d))
    rows, columns = np.tril_indices(d)
    lower[:, rows, columns] = slopes.T
    at = (lower @ m[:, :, None])[:, :, 0] + offsets.T
    squares = ((lower @ stats.second) * lower).sum()
    cross = 2 * (at * (lower @ stats.first[:, :, None])[:, :, 0]).sum()
    return -squares - cross - stats.counts @ (at**2).sum(axis=1)


def _expected_low_rank(slopes, offsets, stats, m):
    k, d = m.shape
    scale, directions, share = slopes[:, :, 0], slopes[:, :, 1:], offsets[:, d:]
    at = scale * m + offsets[:, :d]  # the reference, whitened
    total = 0.0
    for c in range(k):
        along = directions[c].T
        keep = np.vstack([np.eye(d) - directions[c] @ along, np.sqrt(share[c])[:, None] * along])
        whole = keep * scale[c]
        y = keep @ at[c]
        cross = 2 * (whole.T @ y) @ stats.first[c]
        total -= ((whole @ stats.second[c]) * whole).sum() + cross + stats.counts[c] * (y @ y)
    return total


EXPECTED = {
    LINEAR: _expected_linear,
    BINARY: _expected_binary,
    DIAGONAL: _expected_diagonal,
    TRIANGULAR: _expected_triangular,
    LOW_RANK: _expected_low_rank,
}
