"""The compiled kernels of k-means on rows of a CSR matrix: namesakes of `sparse_plain.py`.

The centres are laid out with one line per feature, so that a stored number of a row meets all
centres in whole vectors, and a row's products with them stay in registers from its first number
to its last. All sums go through the features in order: a stored zero changes no bit, and a row's
results do not depend on its neighbours. Everything is compiled when it is first used.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit

from . import sparse_plain
from .build import compiled
from .kmeans.dots import rank
from .kmeans.nearest import KEPT, TINY, gaps, settle
from .microkernel import WIDTH as W
from .microkernel import Bytes, Count, Doubles, Integers, Real, address, micro_kernel
from .rows import to_rows
from .scratch import CACHE, aligned, up
from .sparse_plain import DIGITS, EPS
from .steps import inline
from .vectors import DOUBLE, FLOAT, INT, INT32, Emitter

CANCELLED = 2.0**-6
"""Share of ``|m|^2`` below which what it exceeds the row's part by has lost digits."""
MOST_ROWS, LEAST_NUMBERS = 64, 4096  # of a block
HEIGHT = 8  # vectors of a tile: centres, W at a time
GROUP = 4  # rows whose products are taken side by side
NORM = 16  # flag of the tile that sums squares too
FLOATS, LONG = 1, 2  # flags of rows: numbers of 32 bits, indices of 64

rounding = njit(inline="always", error_model="numpy")(sparse_plain.rounding)


# ---- micro-kernels -----------------------------------------------------------------------------


@micro_kernel([0, FLOATS, LONG, FLOATS | LONG])
def unpack(
    e: Emitter,
    variant: int,
    data: Bytes,  # IN, (count,)
    indices: Bytes,  # IN, (count,)
    count: Count,
    scale: Real,
    z: Doubles,  # OUT, (count,)
    at: Integers,  # OUT, (count,)
) -> None:
    """``z = data * scale; at = indices``"""
    b = e.builder
    data = b.bitcast(data, (FLOAT if variant & FLOATS else DOUBLE).as_pointer())
    factor, whole = e.splat(scale), b.and_(count, e.int(-e.width))
    # Long indices travel as doubles: their bits are only copied.
    kind, bits = (DOUBLE, DOUBLE) if variant & LONG else (INT32, INT)
    indices, at = b.bitcast(indices, kind.as_pointer()), b.bitcast(at, bits.as_pointer())

    def vector(p: ir.Value, _: list) -> list:
        e.store(e.mul(e.load(data, p), factor), z, p)
        if variant & LONG:
            e.store(e.load(indices, p), at, p)
        else:
            e.store(b.sext(e.load_integers(indices, p), e.integers), at, p)
        return []

    def one(p: ir.Value, _: list) -> list:
        value, index = e.scalar(data, p), e.scalar(indices, p)
        value = b.fpext(value, DOUBLE) if variant & FLOATS else value
        b.store(b.fmul(value, scale), b.gep(z, [p]))
        b.store(index if variant & LONG else b.sext(index, INT), b.gep(at, [p]))
        return []

    e.loop(whole, [], vector, step=e.width)
    e.loop(count, [], one, start=whole)


@micro_kernel([flag | height for flag in (0, NORM) for height in range(1, HEIGHT + 1)])
def products(
    e: Emitter,
    variant: int,
    z: Doubles,  # IN, numbers of all rows
    at: Integers,  # IN, their features
    begins: Integers,  # IN, (rows + GROUP,), where each row begins, then where the last one ends
    rows: Count,
    nothing: Count,  # where z and at are zero
    across: Doubles,  # IN, (d, stride), at the tile's first centre
    stride: Count,
    values: Doubles,  # OUT, (rows + GROUP - 1, stride), at the tile's first centre
    norm: Doubles,  # OUT, (rows + GROUP - 1,), with NORM
) -> None:
    """``values = Z @ across; norm = (Z ** 2).sum(axis=1)``

    A few rows go side by side, and zeros are added to those that end first: rows are short, and
    the end of a loop costs as much as several numbers.
    """
    b, height = e.builder, variant & ~NORM
    group = GROUP if height <= 2 else 1  # many vectors keep the units busy by themselves
    size, zero = height + bool(variant & NORM), ir.Constant(DOUBLE, 0.0)

    def several(r: ir.Value, _: list) -> list:
        begin = [e.scalar(begins, r, q) for q in range(group)]
        length = [b.sub(e.scalar(begins, r, q + 1), begin[q]) for q in range(group)]
        longest = length[0]
        for other in length[1:]:
            longest = b.select(b.icmp_signed(">", other, longest), other, longest)

        def number(p: ir.Value, sums: list) -> list:
            out = []
            for q in range(group):
                here = e.at(begin[q], p)
                if group > 1:
                    here = b.select(b.icmp_signed("<", p, length[q]), here, nothing)
                x, line = e.scalar(z, here), e.times(e.scalar(at, here), stride)
                value, old = e.splat(x), sums[q * size : q * size + size]
                for v in range(height):
                    out.append(e.fmuladd(value, e.load(across, line, v * e.width), old[v]))
                out += [b.fadd(total, b.fmul(x, x)) for total in old[height:]]
            return out

        none = [e.constant(0.0)] * height + [zero] * bool(variant & NORM)
        sums = e.loop(longest, none * group, number)
        for q in range(group):
            for v in range(height):
                line = e.times(e.at(r, q), stride)
                e.store(sums[q * size + v], values, line, v * e.width)
            if variant & NORM:
                b.store(sums[q * size + height], b.gep(norm, [e.at(r, q)]))
        return []

    e.loop(rows, [], several, step=group)


# ---- parts of the drivers ----------------------------------------------------------------------


@inline
def load(table, indptr, lo, hi, scale, z, at, begins, most):
    """Unpack rows from lo on, at most `most` and as many as there is room for; how many."""
    count = fill = 0
    while lo + count < hi and count < most:
        begins[count] = fill
        fill += indptr[lo + count + 1] - indptr[lo + count]
        if fill >= len(z):
            break
        count += 1
    first = indptr[lo]
    for q in range(GROUP):
        begins[count + q] = indptr[lo + count] - first
    unpack(table[0], table[1] + first * table[2], table[3] + first * table[4], begins[count],
           scale, address(z), address(at))  # fmt: skip
    return count


@inline
def collect(indptr, i, lo, hi, room, labels, margins, shrinkage, picked, begins):
    """The next rows without a margin, as many as there is room for; the row after, and how many."""
    count = fill = 0
    while i < hi and count < len(picked):
        length = indptr[i + 1] - indptr[i]
        if fill + length >= room:
            break
        if len(margins) and labels[i - lo] >= 0:
            left = (margins[i - lo] - shrinkage[labels[i - lo]]) * KEPT
            margins[i - lo] = left
            if left > 0:
                i += 1
                continue
        picked[count], begins[count] = i, fill
        count += 1
        fill += length
        i += 1
    for q in range(GROUP):
        begins[count + q] = fill
    return i, count


@inline
def load_picked(table, indptr, scale, picked, count, z, at, begins):
    """Unpack the rows that were picked, consecutive ones together."""
    s = 0
    while s < count:
        end = s + 1
        while end < count and picked[end] == picked[end - 1] + 1:
            end += 1
        first = indptr[picked[s]]
        unpack(table[0], table[1] + first * table[2], table[3] + first * table[4],
               begins[end] - begins[s], scale, address(z) + 8 * begins[s],
               address(at) + 8 * begins[s])  # fmt: skip
        s = end


@inline
def multiply(z, at, begins, count, across, values, norm):
    """Products of a block's rows with all centres, and the rows' squares."""
    stride = values.shape[1]
    vectors = stride // W
    tiles = (vectors + HEIGHT - 1) // HEIGHT
    first, flag = 0, NORM
    for t in range(tiles):
        h = (vectors - first) // (tiles - t)
        products(
            flag | h, address(z), address(at), address(begins), count, len(z) - 1,
            address(across) + 8 * W * first, stride, address(values) + 8 * W * first, address(norm),
        )  # fmt: skip
        first, flag = first + h, 0


@inline
def mix(h):
    """The finaliser of splitmix64; see `kmeans.plain.splitmix`."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@njit(error_model="numpy")
def distance(z, at, begin, end, c, centres, starts, features):
    """Squared distance of a row to a centre, summed over the features in which one is not zero."""
    total, p = 0.0, begin
    for q in range(starts[c], starts[c + 1]):
        j = features[q]
        m = centres[c, j]
        while p < end and at[p] < j:
            total += z[p] * z[p]
            p += 1
        if p < end and at[p] == j:
            m = z[p] - m
            p += 1
        total += m * m
    while p < end:
        total += z[p] * z[p]
        p += 1
    return total


@njit(error_model="numpy")
def nearest_exactly(z, at, begin, end, values, halves, least, twins, centres, starts, features):
    """The nearest of the centres whose values are at least `least`, and two squared distances:
    to it, and to the next one (rather too small)."""
    found, near, far = -1, np.inf, np.inf
    for c in range(len(halves)):
        if not values[c] + halves[c] >= least:
            continue
        if twins[c] < c:
            far = near  # one of those compared so far, perhaps the nearest, is there twice
            continue
        squared = distance(z, at, begin, end, c, centres, starts, features)
        if squared < near:
            found, near, far = c, squared, near
        elif squared < far:
            far = squared
    return found, near, far


@njit(error_model="numpy")
def fall_of(z, at, begin, end, old, new, norm, norms, centres, starts, features):
    """By how much the new centre is nearer than the old one, in squares."""
    slack = rounding(end - begin, norm, max(norms[old], norms[new]))
    product = 0.0
    for p in range(begin, end):
        product += z[p] * (centres[new, at[p]] - centres[old, at[p]])
    fall = 2.0 * product - (norms[new] - norms[old])
    if fall < 2.0 * DIGITS * slack:
        fall = distance(z, at, begin, end, old, centres, starts, features)
        fall -= distance(z, at, begin, end, new, centres, starts, features)
    return fall


# ---- drivers: `rows`, `about` and `space` are what `bind`, `prepare` and `workspace` return -----


def _assign(rows, lo, hi, scale, lost, about, labels, margins, shrinkage, space):
    """See `sparse_plain.assign`; `lost` is `Rows.lost`."""
    table, indptr, weight = rows
    centres, norms, halves, twins, across, starts, features = about
    z, at, begins, picked, values, turned, best, second, found, norm, old, left, bits = space
    stride, most, changed, gain, i = values.shape[1], len(best), 0, 0.0, lo
    while i < hi:
        if len(margins):
            i, count = collect(
                indptr, i, lo, hi, len(z), labels, margins, shrinkage, picked, begins
            )
            load_picked(table, indptr, scale, picked, count, z, at, begins)
            for s in range(count):
                old[s] = labels[picked[s] - lo]
        else:
            count = load(table, indptr, i, hi, scale, z, at, begins, most)
            for s in range(count):
                picked[s] = i + s
            old[:count] = labels[i - lo : i - lo + count]
            i += count
        multiply(z, at, begins, count, across, values, norm)
        padded = (count + W - 1) // W * W
        to_rows(0, address(values), stride, padded, stride, address(turned), most)
        rank(0, address(turned), most, address(halves), len(norms), padded, address(best),
             address(second), address(found))  # fmt: skip
        unsure, moved = address(bits), address(bits) + 8 * (most // W)
        settle(0, address(best), address(second), address(norm), address(found), address(old),
               padded, lost, unsure, moved)  # fmt: skip
        if len(margins):
            gaps(0, address(best), address(second), address(norm), padded, lost, address(left))
            for s in range(count):
                margins[picked[s] - lo] = left[s]
        for group in range(padded // W):
            if bits[most // W + group] == 0:
                continue
            for s in range(group * W, min(group * W + W, count)):
                if not (bits[most // W + group] >> (s % W)) & 1:
                    continue
                r, begin, end, new = picked[s] - lo, begins[s], begins[s + 1], np.int64(found[s])
                if (bits[group] >> (s % W)) & 1:
                    least = best[s] - lost * (5.0 * norm[s] - 2.0 * best[s]) - TINY
                    new, near, far = nearest_exactly(
                        z, at, begin, end, values[s], halves, least, twins, centres, starts,
                        features,
                    )  # fmt: skip
                    if len(margins):
                        margins[r] = (math.sqrt(far) - math.sqrt(near)) * KEPT
                if new != old[s]:
                    changed += 1
                    labels[r] = new
                    if old[s] >= 0:
                        fall = fall_of(z, at, begin, end, old[s], new, norm[s], norms, centres,
                                       starts, features)  # fmt: skip
                        if len(weight):
                            fall *= weight[picked[s]]
                        gain += fall
    return changed, gain


def _tally(rows, before, after, scale, first, last, totals, space):
    """See `sparse_plain.tally`."""
    table, indptr, weight = rows
    z, at, begins = space[:3]
    d = totals.shape[1] - 2
    for i in range(len(after)):
        new, old = after[i], before[i]
        if new == old:
            continue
        come, leave = first <= new and new < last, first <= old and old < last
        if not (come or leave):
            continue
        count = load(table, indptr, i, i + 1, scale, z, at, begins, 1)
        w = 1.0
        if len(weight):
            w = weight[i]
        if come:
            for p in range(begins[count]):
                totals[new, at[p]] += w * z[p]
            totals[new, d] += w
            totals[new, d + 1] += 1.0
        if leave:
            for p in range(begins[count]):
                totals[old, at[p]] -= w * z[p]
            totals[old, d] -= w
            totals[old, d + 1] -= 1.0


def _inertia(rows, lo, hi, scale, about, labels, out, space):
    """See `sparse_plain.inertia`."""
    table, indptr, weight = rows
    centres, norms, starts, features = about[0], about[1], about[5], about[6]
    z, at, begins = space[:3]
    total, i = 0.0, lo
    while i < hi:
        count = load(table, indptr, i, hi, scale, z, at, begins, len(begins) - GROUP)
        for s in range(count):
            c, begin, end = labels[i + s - lo], begins[s], begins[s + 1]
            squared = stored = 0.0
            for p in range(begin, end):
                m = centres[c, at[p]]
                squared += (z[p] - m) * (z[p] - m)
                stored += m * m
            squared += norms[c] - stored
            if not squared > CANCELLED * norms[c]:
                squared = distance(z, at, begin, end, c, centres, starts, features)
            if len(out):
                out[i + s - lo] = squared
            if len(weight):
                squared *= weight[i + s]
            total += squared
        i += count
    return total


def _potentials(rows, lo, hi, scale, about, closest, sums, space):
    """See `sparse_plain.potentials`."""
    table, indptr, weight = rows
    centres, norms, across, starts, features = about[0], about[1], about[4], about[5], about[6]
    z, at, begins, values, norm = space[0], space[1], space[2], space[4], space[9]
    i = lo
    while i < hi:
        count = load(table, indptr, i, hi, scale, z, at, begins, len(norm))
        multiply(z, at, begins, count, across, values, norm)
        for s in range(count):
            begin, end, w, nearest = begins[s], begins[s + 1], 1.0, closest[i + s - lo]
            if len(weight):
                w = weight[i + s]
            for c in range(len(norms)):
                squared = norm[s] + norms[c] - 2.0 * values[s, c]
                slack = rounding(end - begin, norm[s], norms[c])
                if squared < 2.0 * DIGITS * slack:
                    squared = distance(z, at, begin, end, c, centres, starts, features)
                if c == 0:
                    nearest = min(nearest, np.float32(squared))
                    closest[i + s - lo] = nearest
                sums[c] += w * min(np.float64(nearest), squared)
        i += count


def _hashes(rows, which, salt, scale, out, space):
    """See `sparse_plain.hashes`."""
    table, indptr = rows[:2]
    z, at, begins = space[:3]
    bits = z.view(np.uint64)
    for r in range(len(which)):
        count = load(table, indptr, which[r], which[r] + 1, scale, z, at, begins, 1)
        total = salt
        for p in range(begins[count]):
            z[p] += 0.0
            h = mix(salt + np.uint64(at[p])) | np.uint64(1)
            total += (bits[p] ^ (bits[p] >> np.uint64(32))) * h
        out[r] = mix(total)


# ---- the public face ---------------------------------------------------------------------------

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
    """Bind rows to the kernels once per fit; see `sparse_plain.bind`."""
    data, indices = (np.require(a, a.dtype.newbyteorder("="), "CA") for a in (X.data, X.indices))
    indptr = np.require(X.indptr, np.int64, "CAW")
    plain = sparse_plain.bind(X, sample_weight, scale)
    flags = FLOATS * (data.itemsize == 4) + LONG * (indices.itemsize == 8)
    table = np.array(
        [flags, data.ctypes.data, data.itemsize, indices.ctypes.data, indices.itemsize]
    )
    arrays = table, indptr, np.require(plain.weight, np.float64, "CAW")
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
    """Centres (k, d) as the drivers want them; see `sparse_plain.prepare`."""
    centres, norms, twins = sparse_plain.prepare(np.require(centres, np.float64, "CAW"))
    k, d = centres.shape
    across = aligned(d * up(k, W)).reshape(d, up(k, W))
    across[:, :k] = centres.T
    stored = [np.flatnonzero(m).astype(np.int32) for m in centres]
    starts = np.cumsum([0, *map(len, stored)])
    return centres, norms, -0.5 * norms, twins, across, starts, np.concatenate(stored)


def assign(handle, lo, hi, about, labels, margins, shrinkage, workspace):
    """Label rows by the nearest centre; see `sparse_plain.assign`."""
    _fits(handle, lo, hi, labels, margins if len(margins) else labels)
    _suits(handle, about[0], workspace)
    _names(labels, -1, min(len(about[0]), len(shrinkage)))
    shrinkage = np.require(shrinkage, np.float64, "CAW")
    return _driver(_assign)(
        handle.arrays, lo, hi, handle.scale, handle.lost, about, labels, margins, shrinkage,
        workspace,
    )  # fmt: skip


def tally(handle, before, after, first, last, totals):
    """Move rows from one label's totals to another's; see `sparse_plain.tally`."""
    _fits(handle, 0, len(handle.arrays[1]) - 1, before, after)
    _suits(handle, totals[:, 2:])
    for labels in (before, after):
        _names(labels, -1, len(totals))
    space = _space(handle.longest, 1)
    _driver(_tally)(handle.arrays, before, after, handle.scale, first, last, totals, space)


def inertia(handle, lo, hi, about, labels, out):
    """Inertia of labelled rows; see `sparse_plain.inertia`."""
    _fits(handle, lo, hi, labels, out if len(out) else labels)
    _suits(handle, about[0])
    _names(labels, 0, len(about[0]))
    space = _space(handle.longest, 1)
    return _driver(_inertia)(handle.arrays, lo, hi, handle.scale, about, labels, out, space)


def potentials(handle, lo, hi, about, closest, sums, workspace):
    """Price candidates for the next seed; see `sparse_plain.potentials`."""
    _fits(handle, lo, hi, closest)
    _suits(handle, about[0], workspace)
    if len(sums) != len(about[0]):
        raise ValueError(f"{len(about[0])} candidates do not fit {len(sums)} sums.")
    _driver(_potentials)(handle.arrays, lo, hi, handle.scale, about, closest, sums, workspace)


def hashes(handle, rows, salt):
    """A 64-bit hash of some rows; see `sparse_plain.hashes`."""
    rows, out = np.require(rows, np.int64, "CAW"), np.empty(len(rows), np.uint64)
    if len(rows):
        _fits(handle, rows.min(), rows.max() + 1)
        space = _space(handle.longest, 1)
        _driver(_hashes)(handle.arrays, rows, np.uint64(salt), handle.scale, out, space)
    return out
