"""The compiled E-step on rows of bits: namesakes of `plain.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..build import compiled
from ..compiled import normalise
from ..microkernel import WIDTH as W
from ..respond import GIVEN, POSTERIOR, SUMS, VALUES
from ..scratch import aligned, up
from .drivers import TABLES, columns_of, sweep, tables_of
from .lookup import HALF, TILE

__all__ = ["accumulate", "bind", "normalise", "posterior", "prepare", "sums", "values", "workspace"]

BLOCK = 256  # rows: a sweep of the tables through the level-1 cache serves so many

_tables_of = compiled(tables_of, "void(float64[:, ::1], float64[:, ::1], int64[::1], float64[::1])")
_columns_of = compiled(columns_of, "void(uint8[:, ::1], uint8[:, ::1])")
_sweep = compiled(
    sweep,
    "float64(uint8[:, ::1], uint8[:, ::1], float64[::1], int64, int64, int64, int64[::1], "
    "float64[::1], float64[::1], float64, boolean, float64[::1], float64[:, ::1], "
    "float64[:, ::1], float64[::1], Tuple((float64[:, ::1], float64[:, ::1], float64[::1], "
    "float64[::1], float64[::1], float64[::1], float64[::1], float64[::1])))",
)

_NO_VECTOR, _NO_MATRIX = np.empty(0), np.empty((0, 0))


class Rows(NamedTuple):
    """Rows bound to the kernels."""

    nibbles: np.ndarray  # (n, Q) uint8
    columns: np.ndarray  # (ceil(n / 4), up(d, 8)) uint8: the same bits, four rows to a byte
    weight: np.ndarray  # (n,), or (0,)
    n_features: int


class Terms(NamedTuple):
    """BINARY discriminants as tables."""

    tiles: np.ndarray  # see `_layout`
    tables: np.ndarray  # flat, see `tables_of`
    bias: np.ndarray  # (line,)
    shape: tuple[int, int]  # (nibbles of a row, k)


def _layout(k: int) -> tuple[np.ndarray, int]:
    """Components at which tiles begin, with the end, and the length of a row of values."""
    end = up(k, HALF)
    return np.array([*range(0, end, TILE), end]), up(end, W)


def bind(nibbles, n_features, sample_weight=None):
    """Bind rows to the kernels once per fit; see `plain.bind`."""
    nibbles = np.require(nibbles, np.uint8, "CAW")
    if nibbles.shape[1] != -(-n_features // 4):
        raise ValueError(f"{n_features} bits do not fit rows of {nibbles.shape[1]} nibbles.")
    columns = np.zeros((-(-len(nibbles) // 4), up(max(n_features, 1), 8)), np.uint8)
    _columns_of(nibbles, columns)
    weight = _NO_VECTOR
    if sample_weight is not None:
        weight = np.require(sample_weight, np.float64, "CAW")
        if weight.shape != (len(nibbles),):
            raise ValueError(f"{len(nibbles)} rows, but row weights of shape {weight.shape}.")
    return Rows(nibbles, columns, weight, n_features)


def prepare(slopes, offsets, bias):
    """BINARY discriminants as tables, once a sweep; see `plain.prepare`."""
    slopes, offsets = (np.require(a, np.float64, "CAW") for a in (slopes, offsets))
    d, k = slopes.shape
    if not offsets.shape == (d, k) == (d, len(bias)):
        raise ValueError(f"Shapes differ: {slopes.shape}, {offsets.shape}, {np.shape(bias)}.")
    tiles, line = _layout(k)
    width = -(-d // 4)
    tables = aligned(width * 16 * tiles[-1])
    _tables_of(slopes, offsets, tiles, tables)
    padded = np.zeros(line)
    padded[:k] = bias
    return Terms(tiles, tables, padded, (width, k))


def workspace(handle, k):
    """Scratch memory of one thread; see `plain.workspace`."""
    tiles, line = _layout(k)
    return (
        aligned(BLOCK * line).reshape(BLOCK, line),
        aligned(line * (BLOCK + 8)).reshape(line, BLOCK + 8),
        aligned(TABLES),
        aligned(handle.columns.shape[1] * tiles[-1]),
        aligned(line),
        aligned(BLOCK),
        aligned(BLOCK),
        aligned(W),
    )


def _run(handle, lo, hi, task, terms, beta, hard, counts, first, resp, log_norm, workspace) -> Any:
    """One sweep; what would make it leave an array is refused."""
    (n, width), k = handle.nibbles.shape, len(counts)
    if not 0 <= lo <= hi <= n or lo % 4 or (hi % 4 and hi < n):
        raise ValueError(f"Rows {lo} to {hi} of {n} are no range between multiples of 4.")
    if terms.shape != (width, k):
        raise ValueError(f"Tables for {terms.shape} nibbles and components, not {(width, k)}.")
    sizes = handle.columns.shape[1] * terms.tiles[-1], len(terms.bias)
    if (len(workspace[3]), len(workspace[4])) != sizes:
        raise ValueError(f"The workspace is for other shapes than {(width, k)}.")
    return _sweep(
        handle.nibbles, handle.columns, handle.weight, lo, hi, task, terms.tiles, terms.tables,
        terms.bias, beta, hard, counts, first, resp, log_norm, workspace,
    )  # fmt: skip


def accumulate(handle, lo, hi, terms, beta, hard, counts, first, workspace):
    """Add the statistics of rows lo..hi; return sum w log-norm; see `plain.accumulate`."""
    _fits(first, len(counts), handle.n_features)
    return _run(
        handle, lo, hi, SUMS, terms, beta, hard, counts, first, _NO_MATRIX, _NO_VECTOR, workspace
    )


def posterior(handle, lo, hi, terms, beta, hard, resp, log_norm, workspace):
    """Write responsibilities and log-normalisers of rows lo..hi; see `plain.posterior`."""
    _fits(resp, hi - lo, terms.shape[1])
    _fits(log_norm, hi - lo)
    _run(
        handle, lo, hi, POSTERIOR, terms, beta, hard, np.zeros(terms.shape[1]), _NO_MATRIX, resp,
        log_norm, workspace,
    )  # fmt: skip


def values(handle, lo, hi, terms, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo); see `plain.values`."""
    _fits(out, terms.shape[1], hi - lo)
    _run(
        handle, lo, hi, VALUES, terms, 1.0, False, np.zeros(terms.shape[1]), _NO_MATRIX, out,
        _NO_VECTOR, workspace,
    )  # fmt: skip


def sums(handle, lo, hi, resp, first, workspace):
    """Add ``resp @ bits`` of rows lo..hi to first (k, d); see `plain.sums`."""
    k = len(resp)
    _fits(resp, k, hi - lo)
    _fits(first, k, handle.n_features)
    tiles, line = _layout(k)
    nothing = Terms(tiles, _NO_VECTOR, np.zeros(line), (handle.nibbles.shape[1], k))
    _run(
        handle, lo, hi, GIVEN, nothing, 1.0, False, np.zeros(k), first, resp, _NO_VECTOR, workspace
    )


def _fits(array, *shape):
    """ValueError where an array that a kernel writes or reads has another shape."""
    if array.shape != shape:
        raise ValueError(f"An array of shape {shape} is expected, but got {array.shape}.")
