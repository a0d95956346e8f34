"""The compiled sums over rows of known densities: namesakes of `plain.py`."""

from __future__ import annotations

import numpy as np

from ..build import compiled
from ..microkernel import WIDTH as W
from . import drivers

CACHE = 2 * 1024 * 1024
"""Bytes of a block: it must stay in a cache from one sweep over its lines to the next. The level-2
cache would do for fifty lines; for a thousand, pieces of lines that fit it are too short to stream
(measured from 0.2 to 16 MiB: 50 lines alike, 1000 lines 11 GB/s at 0.4 and 19 at 2)."""

PRODUCTS = (
    256  # rows, at most, of a block whose products are summed: tiles come from the level-1 cache
)
LONGEST = 1024  # rows: `shares_of_rows` multiplies so many mantissas

_LINES = "Array(float64, 2, 'C', readonly=True)"
_LINE = "float64[::1]"
_sweep = compiled(
    drivers.sweep,
    f"float64({_LINES}, {_LINE}, {_LINE}, int64, int64, int64[::1], {_LINE}, int64[::1], int64, "
    f"{_LINE}, float64[:, ::1])",
)
_survey = compiled(drivers.survey, f"float64({_LINES}, int64, int64, int64, {_LINE})")
_exponentials = compiled(
    drivers.exponentials, f"void(float64[:, ::1], int64, int64, {_LINE}, {_LINE})"
)


def bind(F, weight=None):
    """Bind densities and row weights to the kernels; see `plain.bind`."""
    F = np.require(F, np.float64, "CA").view()
    F.flags.writeable = False  # so that read-only densities need no code of their own
    n = F.shape[1]
    weight = np.empty(0) if weight is None else np.require(weight, np.float64, "CAW")
    if weight.size:
        _fits(weight, n)
    return F, np.empty(n), weight


def _block(lines, most=LONGEST):
    """Rows of a block of so many lines."""
    return max(W, min(most, CACHE // (8 * max(lines, 1))) // W * W)


def _check(handle, lo, hi):
    if not 0 <= lo <= hi <= len(handle[1]):
        raise ValueError(f"Rows {lo} to {hi} are not within the {len(handle[1])} there are.")


def _indices(handle, lines):
    lines = np.ascontiguousarray(lines, np.int64)
    if lines.size and not 0 <= lines.min() <= lines.max() <= len(handle[0]):
        raise ValueError(f"Lines from 0 to {len(handle[0])} expected, but got {lines}.")
    return lines


def survey(handle, lo, hi):
    """Work out the mean line, return the smallest density; see `plain.survey`."""
    _check(handle, lo, hi)
    return _survey(handle[0], lo, hi, _block(len(handle[0])), handle[1])


def sweep(handle, lo, hi, support, p, columns, gradient, curvature):
    """One pass over rows lo..hi; see `plain.sweep`."""
    _check(handle, lo, hi)
    _fits(p, len(support))
    _fits(gradient, len(columns))
    if curvature.size:
        _fits(curvature, len(columns), len(columns))
    block = _block(len(support), PRODUCTS if curvature.size else LONGEST)
    support, columns = _indices(handle, support), _indices(handle, columns)
    p = np.ascontiguousarray(p, np.float64)
    return _sweep(*handle, lo, hi, support, p, columns, block, gradient, curvature)


def exponentials(A, lo, hi, largest, mean):
    """Log-densities to densities, in place; see `plain.exponentials`."""
    _fits(largest, A.shape[1])
    _fits(mean, A.shape[1])
    if not 0 <= lo <= hi <= A.shape[1]:
        raise ValueError(f"Rows {lo} to {hi} are not within the {A.shape[1]} there are.")
    _exponentials(A, lo, hi, largest, mean)


def _fits(array, *shape):
    """ValueError where an array that a kernel reads or writes has another shape."""
    if array.shape != shape:
        raise ValueError(f"An array of shape {shape} is expected, but got {array.shape}.")
