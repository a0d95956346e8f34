"""One more cluster in the dynamic programme of k-means in one dimension, in plain NumPy.

``least_q[i] = min_j least_(q-1)[j] + cost(j, i)``: the inertia of the first i values in q
clusters, of which the last one holds values j..i-1. The best j never falls as i grows, so the row
in the middle halves the ranges of all others (Gronlund et al. 2017, section 2.2). All rows of one
level of that tree are looked at together.

Costs in twofold numbers are dear, so a lower bound in double precision, less all that rounding
may have added, tells first which j can be the best one.
"""

from __future__ import annotations

import numpy as np

from .twofold import cost

CHUNK = 65536  # entries that are looked at together
UNIT = 2.0**-53
ACCURATE = 2.0**12 * UNIT
"""Share of the total weight above which an interval's weight is right to a thousandth."""


def rounding(prefix):
    """Coefficients of 1, |m| and m^2 in a bound on the error of costs in double precision.

    The error of d1^2 / d0 is that of d1, times 2 |m|, and that of d0, times m^2; the sums d0, d1
    and d2 are off by three roundings of the largest prefix sum; terms of second order are smaller
    for intervals of more than ACCURATE of the weight.
    """
    sums = prefix[2::-1]
    return 8 * UNIT * np.maximum(sums.max(axis=1), -sums.min(axis=1))


def extend(prefix, last, q, first, least, splits):
    """Inertias of the first i values in q clusters, for i from `first` to the number of values.

    Parameters
    ----------
    prefix : ndarray of shape (6, n + 1)
        IN, sums of w, w y and w y^2 over the first i values: high parts, then low parts.
    last : ndarray of shape (n + 1,)
        IN, the inertias for q - 1 clusters; read from q - 1 on.
    q, first : int
        IN, q <= first.
    least : ndarray of shape (n + 1,)
        OUT, from `first` on.
    splits : ndarray of shape (n + 1,), int32
        OUT, where the last cluster begins, of equally good places the first; never falls.
    """
    n = len(last) - 1
    errors = rounding(prefix)
    step = 1 << int(n + 1 - first).bit_length()
    while step:
        i = np.arange(first + step - 1, n + 1, 2 * step)
        lo, hi = np.full(len(i), q - 1), i - 1
        below, above = i - step >= first, i + step <= n
        lo[below] = splits[i[below] - step]
        hi[above] = np.minimum(hi[above], splits[i[above] + step])
        if len(i):
            splits[i], least[i] = _best(prefix, last, errors, i, lo, hi)
        step >>= 1


def _best(prefix, last, errors, i, lo, hi):
    """For each row i the best j of lo..hi, and its value; many rows a time, or parts of a row."""
    ends = np.cumsum(hi - lo + 1)
    starts = ends - (hi - lo + 1)
    split, value = lo.copy(), np.full(len(i), np.inf)
    for begin in range(0, int(ends[-1]), CHUNK):
        place = np.arange(begin, min(begin + CHUNK, int(ends[-1])))
        node = np.searchsorted(ends, place, "right")
        j = lo[node] + place - starts[node]
        bound = _bound(prefix, last, errors, j, i[node])
        runs = np.r_[0, np.flatnonzero(np.diff(node)) + 1]
        lowest = np.repeat(np.minimum.reduceat(bound, runs), np.diff(np.r_[runs, len(node)]))
        best = bound == lowest
        _improve(prefix, last, i, node[best], j[best], split, value)
        rest = ~best & (bound <= value[node])
        _improve(prefix, last, i, node[rest], j[rest], split, value)
    return split, value


def _bound(prefix, last, errors, j, i):
    """A lower bound of ``last[j] + cost(j, i)``."""
    d0, d1, d2 = prefix[:3, i] - prefix[:3, j]
    sure = d0 > ACCURATE * prefix[0, len(last) - 1]
    m = np.divide(d1, d0, out=np.zeros_like(d1), where=sure)
    size = np.abs(m)
    slack = errors[0] + size * (errors[1] + size * errors[2])
    return (last[j] + np.where(sure, np.maximum(d2 - m * d1 - slack, 0.0), 0.0)) * (1 - 4 * UNIT)


def _improve(prefix, last, i, node, j, split, value):
    """Take j for its row wherever it is better; of equally good ones the least."""
    price = last[j] + cost(prefix[:, i[node]], prefix[:, j]) * (i[node] - j > 1)
    order = np.lexsort((j, price, node))
    node, j, price = node[order], j[order], price[order]
    one = np.flatnonzero(np.diff(node, prepend=-1))
    node, j, price = node[one], j[one], price[one]
    better = (price < value[node]) | ((price == value[node]) & (j < split[node]))
    split[node[better]], value[node[better]] = j[better], price[better]
