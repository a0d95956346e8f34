"""Layer 3 of k-means on CSR rows: the range drivers.

`rows`, `about` and `space` are what `bind`, `prepare` and `workspace` of `compiled.py` return.
"""

from __future__ import annotations

import math

import numpy as np

from ..kmeans.dots import rank
from ..kmeans.nearest import TINY, gaps, settle
from ..kmeans.plain import KEPT
from ..microkernel import WIDTH as W
from ..microkernel import address
from ..rows import to_rows
from .parts import (
    CANCELLED,
    collect,
    distance,
    fall_of,
    load,
    load_picked,
    mix,
    multiply,
    nearest_exactly,
    rounding,
)
from .plain import DIGITS
from .products import GROUP


def _assign(rows, lo, hi, scale, lost, about, labels, margins, shrinkage, space):
    """See `plain.assign`; `lost` is `Rows.lost`."""
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
    """See `plain.tally`."""
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
    """See `plain.inertia`."""
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
    """See `plain.potentials`."""
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
    """See `plain.hashes`."""
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
