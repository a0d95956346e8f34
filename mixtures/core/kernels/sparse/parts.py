"""Layer 3 of k-means on CSR rows, in parts: rows taken in, multiplied, and decided exactly."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..kmeans.plain import KEPT
from ..microkernel import WIDTH as W
from ..microkernel import address
from ..steps import inline
from . import plain
from .plain import DIGITS
from .products import GROUP, HEIGHT, NORM, products, unpack

CANCELLED = 2.0**-6
"""Share of ``|m|^2`` below which what it exceeds the row's part by has lost digits."""

rounding = njit(inline="always", error_model="numpy")(plain.rounding)


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
