"""The E-step on rows of a CSR matrix, in SciPy: the twin that tests the compiled kernels.

It also runs where numba does not. Every function here has a compiled namesake in `compiled.py` with
the same arguments and, to rounding, the same results. Rows have sorted features, none twice, and no
stored zeros.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..plain import BLOCK, _responsibilities, normalise

__all__ = ["accumulate", "bind", "normalise", "posterior", "prepare", "sums", "values", "workspace"]


class Rows(NamedTuple):
    """Rows bound to the kernels."""

    X: Any  # CSR (n, d)
    weight: np.ndarray | None  # (n,)


class Terms(NamedTuple):
    """Discriminants that are linear in the row, as the functions below want them.

    ``bias_k + sum_j slopes[j, k] x_j``; -inf where the row lacks one of the `needed` features,
    those of which component k has `needs[k]`.
    """

    slopes: np.ndarray  # (d, k), -inf for features that a component never has
    bias: np.ndarray  # (k,)
    needed: np.ndarray  # (d, k) of 0 and 1, or (0, k) where nothing is needed
    needs: np.ndarray  # (k,)


def bind(X, sample_weight=None):
    """Bind rows to the kernels once per fit: the handle that the functions below take first.

    X : CSR of shape (n, d), float32 or float64, indices of 32 or 64 bits, sorted, none twice
    sample_weight : (n,) float64, or None
    """
    return Rows(X, sample_weight)


def prepare(slopes, offsets, bias):
    """Discriminants as the functions below want them, once a sweep.

    slopes (d, k) and bias (k,) of LINEAR ones, whose offsets are (0, k); with offsets (d, k) they
    are BINARY. The offset of what is not stored is added for all features, and taken back for
    those that are; offsets of -inf cannot be, so features that a component needs are counted.
    """
    nothing = np.zeros((0, len(bias)))
    if not len(offsets):
        return Terms(slopes, bias, nothing, np.zeros(len(bias)))
    needed = np.isneginf(offsets)
    finite = np.where(needed, 0.0, offsets)
    needed = needed.astype(float) if needed.any() else nothing
    return Terms(slopes - finite, bias + finite.sum(axis=0), needed, needed.sum(axis=0))


def workspace(handle, k):
    """Scratch memory of one thread; the plain twin needs none."""
    return None


def _value(X, terms):
    """Values (b, k) of the rows X (b, d)."""
    never = np.isneginf(terms.slopes)
    total = terms.bias + X @ np.where(never, 0.0, terms.slopes)
    if never.any():
        total[(X != 0).astype(float) @ never.astype(float) > 0] = -np.inf
    if len(terms.needed):
        total[(X != 0).astype(float) @ terms.needed < terms.needs] = -np.inf
    return total


def _blocks(handle, lo, hi):
    """Blocks of rows lo..hi: where they are in the range, and the rows."""
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        yield slice(start - lo, stop - lo), handle.X[start:stop].astype(np.float64)


def accumulate(handle, lo, hi, terms, beta, hard, counts, first, workspace):
    """Add the statistics of rows lo..hi to counts (k,) and first (k, d); return sum w log-norm.

    `terms` is what `prepare` returned; beta, hard: see `Assignment`.
    """
    total = 0.0
    for here, X in _blocks(handle, lo, hi):
        resp, log_norm = _responsibilities(_value(X, terms), beta, hard)
        if handle.weight is not None:
            w = handle.weight[lo:hi][here]
            resp, log_norm = resp * w[:, None], np.where(w > 0, w * log_norm, 0.0)
        total += log_norm.sum()
        counts += resp.sum(axis=0)
        first += (X.T @ resp).T
    return total


def posterior(handle, lo, hi, terms, beta, hard, resp, log_norm, workspace):
    """Responsibilities (hi - lo, k) and log-normalisers (hi - lo,), written in place."""
    for here, X in _blocks(handle, lo, hi):
        resp[here], log_norm[here] = _responsibilities(_value(X, terms), beta, hard)


def values(handle, lo, hi, terms, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo)."""
    for here, X in _blocks(handle, lo, hi):
        out[:, here] += _value(X, terms).T


def sums(handle, lo, hi, resp, first, workspace):
    """Add ``resp @ X`` of rows lo..hi to first (k, d); resp (k, hi - lo)."""
    for here, X in _blocks(handle, lo, hi):
        first += (X.T @ resp[:, here].T).T
