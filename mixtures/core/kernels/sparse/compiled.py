"""The compiled kernels of k-means on rows of a CSR matrix: namesakes of `plain.py`.

The centres are laid out with one line per feature, so that a stored number of a row meets all
centres in whole vectors, and a row's products with them stay in registers from its first number
to its last. All sums go through the features in order: a stored zero changes no bit, and a row's
results do not depend on its neighbours. Everything is compiled when it is first used.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..build import compiled
from ..microkernel import WIDTH as W
from ..scratch import CACHE, aligned, up
from . import plain
from .drivers import _assign, _hashes, _inertia, _potentials, _tally
from .plain import EPS
from .products import FLOATS, GROUP, LONG

MOST_ROWS, LEAST_NUMBERS = 64, 4096  # of a block

_ROWS = "Tuple((int64[::1], int64[::1], float64[::1]))"
_ABOUT = (
    "Tuple((float64[:, ::1], float64[::1], float64[::1], int64[::1], float64[:, ::1], int64[::1], "
    "int32[::1]))"
)
_SPACE = (
    "Tuple((float64[::1], int64[::1], int64[::1], int64[::1], float64[:, ::1], float64[:, ::1], "
    "float64[::1], float64[::1], int32[::1], float64[::1], int32[::1], float32[::1], int64[::1]))"
)
_RANGE = f"{_ROWS}, int64, int64, float64, {_ABOUT}"
_LOSSY = f"{_ROWS}, int64, int64, float64, float64, {_ABOUT}"


_ONE_AT_A_TIME = threading.Lock()


def _driver(source: Any) -> Any:
    """A driver, compiled when it is first used, by whichever thread."""
    with _ONE_AT_A_TIME:
        return _compiled(source)


@cache
def _compiled(source: Any) -> Any:
    return compiled(
        source,
        {
            _assign: f"Tuple((int64, float64))({_LOSSY}, int32[::1], float32[::1], float64[::1], "
            f"{_SPACE})",
            _tally: f"void({_ROWS}, int32[::1], int32[::1], float64, int64, int64, "
            f"float64[:, ::1], {_SPACE})",
            _inertia: f"float64({_RANGE}, int32[::1], float64[::1], {_SPACE})",
            _potentials: f"void({_RANGE}, float32[::1], float64[::1], {_SPACE})",
            _hashes: f"void({_ROWS}, int64[::1], uint64, float64, uint64[::1], {_SPACE})",
        }[source],
    )


class Rows(NamedTuple):
    """Rows bound to the kernels: where they are, and the arrays that keep it valid."""

    memory: tuple[np.ndarray, ...]  # data and indices
    arrays: tuple[np.ndarray, ...]  # table, indptr (n + 1,), weights (n,) or (0,)
    scale: float
    n_features: int
    longest: int  # numbers stored in a row

    @property
    def lost(self) -> float:
        """Relative to ``5 |z|^2 - 2 v``, by how much two values may differ in the wrong order.

        A value is a sum of as many fused products as the row has numbers, and of ``|m|^2 / 2``,
        itself a sum in pairs (40 roundings at most). A centre that comes truly nearer than the one
        found has ``|m||z| + |m|^2 / 2`` below ``4 |z|^2 + D^2``, D the distance to the latter.
        """
        return (4.0 * self.longest + 64.0) * EPS


def _fits(handle, lo, hi, *per_row):
    """ValueError where a kernel, which trusts addresses, would leave an array."""
    n = len(handle.arrays[1]) - 1
    if not 0 <= lo <= hi <= n or any(len(a) != hi - lo for a in per_row):
        sizes = ", ".join(str(len(a)) for a in per_row)
        raise ValueError(f"Rows {lo} to {hi} of {n} do not fit labels or distances of {sizes}.")


def _suits(handle, centres, workspace=None):
    """ValueError where centres have other features than the rows, or a workspace is for others."""
    k, d = centres.shape
    if d != handle.n_features or (workspace and workspace[4].shape[1] != up(k, W)):
        raise ValueError(
            f"{k} centres of {d} features do not fit rows of {handle.n_features} features, or a "
            "workspace that was made for another number of centres."
        )


def _names(labels, least, k):
    """ValueError where a label names no centre."""
    if labels.size and not least <= labels.min() <= labels.max() < k:
        raise ValueError(f"Labels must lie between {least} and {k - 1}.")


def bind(X, sample_weight, scale):
    """Bind rows to the kernels once per fit; see `plain.bind`."""
    data, indices = (np.require(a, a.dtype.newbyteorder("="), "CA") for a in (X.data, X.indices))
    indptr = np.require(X.indptr, np.int64, "CAW")
    twin = plain.bind(X, sample_weight, scale)
    flags = FLOATS * (data.itemsize == 4) + LONG * (indices.itemsize == 8)
    table = np.array(
        [flags, data.ctypes.data, data.itemsize, indices.ctypes.data, indices.itemsize]
    )
    arrays = table, indptr, np.require(twin.weight, np.float64, "CAW")
    longest = int(np.diff(indptr).max(initial=0))
    return Rows((data, indices), arrays, float(scale), X.shape[1], longest)


def _space(longest, k):
    stride, size = up(k, W), max(longest, LEAST_NUMBERS) + 1
    rows = min(max(CACHE // (16 * stride) // 8 * 8, 8), MOST_ROWS)  # a multiple of W and GROUP
    values, turned = aligned(rows * stride), aligned(rows * stride)
    return (
        aligned(size), np.zeros(size, np.int64), np.zeros(rows + GROUP, np.int64),
        np.zeros(rows, np.int64), values.reshape(rows, stride), turned.reshape(stride, rows),
        aligned(rows), aligned(rows), np.zeros(rows, np.int32), aligned(rows),
        np.zeros(rows, np.int32), np.zeros(rows, np.float32), np.zeros(2 * rows // W, np.int64),
    )  # fmt: skip


def workspace(handle, k):
    """Scratch memory for one thread and k centres."""
    return _space(handle.longest, k)


def prepare(centres):
    """Centres (k, d) as the drivers want them; see `plain.prepare`."""
    centres, norms, twins = plain.prepare(np.require(centres, np.float64, "CAW"))
    k, d = centres.shape
    across = aligned(d * up(k, W)).reshape(d, up(k, W))
    across[:, :k] = centres.T
    stored = [np.flatnonzero(m).astype(np.int32) for m in centres]
    starts = np.cumsum([0, *map(len, stored)])
    return centres, norms, -0.5 * norms, twins, across, starts, np.concatenate(stored)


def assign(handle, lo, hi, about, labels, margins, shrinkage, workspace):
    """Label rows by the nearest centre; see `plain.assign`."""
    _fits(handle, lo, hi, labels, margins if len(margins) else labels)
    _suits(handle, about[0], workspace)
    _names(labels, -1, min(len(about[0]), len(shrinkage)))
    shrinkage = np.require(shrinkage, np.float64, "CAW")
    return _driver(_assign)(
        handle.arrays, lo, hi, handle.scale, handle.lost, about, labels, margins, shrinkage,
        workspace,
    )  # fmt: skip


def tally(handle, before, after, first, last, totals):
    """Move rows from one label's totals to another's; see `plain.tally`."""
    _fits(handle, 0, len(handle.arrays[1]) - 1, before, after)
    _suits(handle, totals[:, 2:])
    for labels in (before, after):
        _names(labels, -1, len(totals))
    space = _space(handle.longest, 1)
    _driver(_tally)(handle.arrays, before, after, handle.scale, first, last, totals, space)


def inertia(handle, lo, hi, about, labels, out):
    """Inertia of labelled rows; see `plain.inertia`."""
    _fits(handle, lo, hi, labels, out if len(out) else labels)
    _suits(handle, about[0])
    _names(labels, 0, len(about[0]))
    space = _space(handle.longest, 1)
    return _driver(_inertia)(handle.arrays, lo, hi, handle.scale, about, labels, out, space)


def potentials(handle, lo, hi, about, closest, sums, workspace):
    """Price candidates for the next seed; see `plain.potentials`."""
    _fits(handle, lo, hi, closest)
    _suits(handle, about[0], workspace)
    if len(sums) != len(about[0]):
        raise ValueError(f"{len(about[0])} candidates do not fit {len(sums)} sums.")
    _driver(_potentials)(handle.arrays, lo, hi, handle.scale, about, closest, sums, workspace)


def hashes(handle, rows, salt):
    """A 64-bit hash of some rows; see `plain.hashes`."""
    rows, out = np.require(rows, np.int64, "CAW"), np.empty(len(rows), np.uint64)
    if len(rows):
        _fits(handle, rows.min(), rows.max() + 1)
        space = _space(handle.longest, 1)
        _driver(_hashes)(handle.arrays, rows, np.uint64(salt), handle.scale, out, space)
    return out
