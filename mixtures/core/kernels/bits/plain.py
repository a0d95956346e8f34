"""The E-step on rows of bits, in NumPy: the twin that tests the compiled kernels.

It also runs where numba does not. Every function here has a compiled namesake in `compiled.py` with
the same arguments and, to rounding, the same results.

A row of d bits is kept as *nibbles*, Q = ceil(d / 4) bytes of four bits each: bit t of byte q is
feature 4 q + t. Bits beyond d are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..plain import BLOCK, _responsibilities, normalise

__all__ = ["accumulate", "bind", "normalise", "posterior", "prepare", "sums", "values", "workspace"]


class Rows(NamedTuple):
    """Rows bound to the kernels."""

    nibbles: np.ndarray  # (n, Q) uint8
    weight: np.ndarray | None  # (n,)
    n_features: int


class Terms(NamedTuple):
    """BINARY discriminants, as the functions below want them."""

    slopes: np.ndarray  # (d, k), of bits that are set; may be -inf
    offsets: np.ndarray  # (d, k), of the others; may be -inf
    bias: np.ndarray  # (k,)


def bind(nibbles, n_features, sample_weight=None):
    """Bind rows to the kernels once per fit: the handle that the functions below take first.

    nibbles : (n, ceil(d / 4)) uint8
    n_features : int, d
    sample_weight : (n,) float64, or None
    """
    return Rows(nibbles, sample_weight, n_features)


def prepare(slopes, offsets, bias):
    """BINARY discriminants as the functions below want them, once a sweep."""
    return Terms(slopes, offsets, bias)


def workspace(handle, k):
    """Scratch memory of one thread; the plain twin needs none."""
    return None


def unpacked(nibbles, n_features):
    """Bits (b, d), as booleans, of rows of nibbles (b, Q)."""
    bits = (nibbles[:, :, None] >> np.arange(4, dtype=np.uint8)) & 1
    return bits.reshape(len(nibbles), -1)[:, :n_features].astype(bool)


def _value(bits, terms):
    """Values (b, k); a term of -inf counts only where it applies."""
    total = np.repeat(terms.bias[None], len(bits), axis=0)
    for side, chosen in ((terms.slopes, bits), (terms.offsets, ~bits)):
        never = np.isneginf(side)
        total += chosen.astype(float) @ np.where(never, 0.0, side)
        if never.any():
            total[chosen.astype(float) @ never.astype(float) > 0] = -np.inf
    return total


def _blocks(handle, lo, hi):
    """Blocks of rows lo..hi: where they are in the range, and their bits."""
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        yield slice(start - lo, stop - lo), unpacked(handle.nibbles[start:stop], handle.n_features)


def accumulate(handle, lo, hi, terms, beta, hard, counts, first, workspace):
    """Add the statistics of rows lo..hi to counts (k,) and first (k, d); return sum w log-norm.

    `terms` is what `prepare` returned; beta, hard: see `Assignment`.
    """
    total = 0.0
    for here, bits in _blocks(handle, lo, hi):
        resp, log_norm = _responsibilities(_value(bits, terms), beta, hard)
        if handle.weight is not None:
            w = handle.weight[lo:hi][here]
            resp, log_norm = resp * w[:, None], np.where(w > 0, w * log_norm, 0.0)
        total += log_norm.sum()
        counts += resp.sum(axis=0)
        first += resp.T @ bits
    return total


def posterior(handle, lo, hi, terms, beta, hard, resp, log_norm, workspace):
    """Responsibilities (hi - lo, k) and log-normalisers (hi - lo,), written in place."""
    for here, bits in _blocks(handle, lo, hi):
        resp[here], log_norm[here] = _responsibilities(_value(bits, terms), beta, hard)


def values(handle, lo, hi, terms, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo)."""
    for here, bits in _blocks(handle, lo, hi):
        out[:, here] += _value(bits, terms).T


def sums(handle, lo, hi, resp, first, workspace):
    """Add ``resp @ bits`` of rows lo..hi to first (k, d); resp (k, hi - lo)."""
    for here, bits in _blocks(handle, lo, hi):
        first += resp[:, here] @ bits
