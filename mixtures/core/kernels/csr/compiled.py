"""The compiled E-step on rows of a CSR matrix: namesakes of `plain.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..build import compiled
from ..compiled import normalise
from ..microkernel import WIDTH as W
from ..respond import GIVEN, POSTERIOR, SUMS, VALUES
from ..scratch import aligned, up
from ..sparse.products import FLOATS, GROUP, LONG
from . import plain
from .drivers import sweep

__all__ = ["accumulate", "bind", "normalise", "posterior", "prepare", "sums", "values", "workspace"]

BLOCK, LEAST_NUMBERS = 64, 4096  # of rows that are unpacked together
STRIP_BYTES = 192 * 1024  # of responsibilities
LONGEST_STRIP = 1024  # rows

_ROWS = "Tuple((int64[::1], int64[::1], float64[::1]))"
_MATRIX = "float64[:, ::1]"
_sweep = compiled(
    sweep,
    f"float64({_ROWS}, int64, int64, int64, {_MATRIX}, float64[::1], {_MATRIX}, uint8[::1], "
    f"float64[::1], float64, boolean, float64[::1], {_MATRIX}, {_MATRIX}, float64[::1], "
    f"Tuple((float64[::1], int64[::1], int64[::1], {_MATRIX}, {_MATRIX}, {_MATRIX}, {_MATRIX}, "
    f"{_MATRIX}, float64[::1], "
    "float64[::1], float64[::1], float64[::1])))",
)

_NO_VECTOR, _NO_MATRIX = np.empty(0), np.empty((0, 0))


class Rows(NamedTuple):
    """Rows bound to the kernels: where they are, and the arrays that keep it valid."""

    memory: tuple[np.ndarray, ...]  # data and indices
    arrays: tuple[np.ndarray, ...]  # table, indptr (n + 1,), weights (n,) or (0,)
    shape: tuple[int, int]
    longest: int  # numbers stored in a row


class Terms(NamedTuple):
    """Discriminants that are linear in the row, one line a feature; see `plain.Terms`."""

    across: np.ndarray  # (d, line)
    bias: np.ndarray  # (line,)
    needed: np.ndarray  # (d, line) or (0, line)
    marked: np.ndarray  # (d,) uint8, whether any component needs the feature
    needs: np.ndarray  # (line,)
    k: int


def bind(X, sample_weight=None):
    """Bind rows to the kernels once per fit; see `plain.bind`."""
    data, indices = (np.require(a, a.dtype.newbyteorder("="), "CA") for a in (X.data, X.indices))
    indptr = np.require(X.indptr, np.int64, "CAW")
    flags = FLOATS * (data.itemsize == 4) + LONG * (indices.itemsize == 8)
    table = np.array(
        [flags, data.ctypes.data, data.itemsize, indices.ctypes.data, indices.itemsize]
    )
    weight = _NO_VECTOR if sample_weight is None else np.require(sample_weight, np.float64, "CAW")
    if len(weight) not in (0, X.shape[0]):
        raise ValueError(f"{X.shape[0]} rows, but row weights of shape {weight.shape}.")
    longest = int(np.diff(indptr).max(initial=0))
    return Rows((data, indices), (table, indptr, weight), X.shape, longest)


def _across(matrix, line):
    """A matrix (d, k) with aligned lines."""
    d, k = matrix.shape
    out = aligned(d * line).reshape(d, line)
    out[:, :k] = matrix
    return out


def prepare(slopes, offsets, bias):
    """Discriminants as lines of features, once a sweep; see `plain.prepare`."""
    slopes, bias, needed, needs = plain.prepare(slopes, offsets, np.asarray(bias, np.float64))
    k = len(bias)
    line = up(k, W)
    padded = np.zeros((2, line))
    padded[0, :k], padded[1, :k] = bias, needs
    marked = needed.any(axis=1).astype(np.uint8)
    return Terms(_across(slopes, line), padded[0], _across(needed, line), marked, padded[1], k)


def workspace(handle, k):
    """Scratch memory of one thread; see `plain.workspace`."""
    line, size = up(k, W), max(handle.longest, LEAST_NUMBERS) + 1
    strip = min(max(STRIP_BYTES // (8 * line) // BLOCK * BLOCK, BLOCK), LONGEST_STRIP)
    return (
        aligned(size), np.zeros(size, np.int64), np.zeros(BLOCK + GROUP, np.int64),
        aligned(BLOCK * line).reshape(BLOCK, line), aligned(BLOCK * line).reshape(BLOCK, line),
        aligned(line * (BLOCK + 8)).reshape(line, BLOCK + 8),
        aligned(strip * line).reshape(strip, line),
        aligned(handle.shape[1] * line).reshape(handle.shape[1], line),
        aligned(line), aligned(BLOCK), aligned(BLOCK), aligned(W),
    )  # fmt: skip


def _run(handle, lo, hi, task, terms, beta, hard, counts, first, resp, log_norm, workspace) -> Any:
    """One sweep; what would make it leave an array is refused."""
    (n, d), k = handle.shape, len(counts)
    if not 0 <= lo <= hi <= n:
        raise ValueError(f"Rows {lo} to {hi} of {n} do not exist.")
    if terms.k != k or (task != GIVEN and terms.across.shape != (d, up(k, W))):
        raise ValueError(f"Coefficients for {terms.across.shape}, not {(d, k)}.")
    if workspace[7].shape != (d, up(k, W)) or len(workspace[0]) <= handle.longest:
        raise ValueError(f"The workspace is for other shapes than {(d, k)}.")
    return _sweep(
        handle.arrays, lo, hi, task, terms.across, terms.bias, terms.needed, terms.marked,
        terms.needs, beta, hard, counts, first, resp, log_norm, workspace,
    )  # fmt: skip


def accumulate(handle, lo, hi, terms, beta, hard, counts, first, workspace):
    """Add the statistics of rows lo..hi; return sum w log-norm; see `plain.accumulate`."""
    _fits(first, len(counts), handle.shape[1])
    return _run(
        handle, lo, hi, SUMS, terms, beta, hard, counts, first, _NO_MATRIX, _NO_VECTOR, workspace
    )


def posterior(handle, lo, hi, terms, beta, hard, resp, log_norm, workspace):
    """Write responsibilities and log-normalisers of rows lo..hi; see `plain.posterior`."""
    _fits(resp, hi - lo, terms.k)
    _fits(log_norm, hi - lo)
    _run(
        handle, lo, hi, POSTERIOR, terms, beta, hard, np.zeros(terms.k), _NO_MATRIX, resp,
        log_norm, workspace,
    )  # fmt: skip


def values(handle, lo, hi, terms, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo); see `plain.values`."""
    _fits(out, terms.k, hi - lo)
    _run(
        handle, lo, hi, VALUES, terms, 1.0, False, np.zeros(terms.k), _NO_MATRIX, out, _NO_VECTOR,
        workspace,
    )  # fmt: skip


def sums(handle, lo, hi, resp, first, workspace):
    """Add ``resp @ X`` of rows lo..hi to first (k, d); see `plain.sums`."""
    k = len(resp)
    _fits(resp, k, hi - lo)
    _fits(first, k, handle.shape[1])
    nothing = Terms(_NO_MATRIX, _NO_VECTOR, _NO_MATRIX, np.empty(0, np.uint8), _NO_VECTOR, k)
    _run(
        handle, lo, hi, GIVEN, nothing, 1.0, False, np.zeros(k), first, resp, _NO_VECTOR, workspace
    )


def _fits(array, *shape):
    """ValueError where an array that a kernel writes or reads has another shape."""
    if array.shape != shape:
        raise ValueError(f"An array of shape {shape} is expected, but got {array.shape}.")
