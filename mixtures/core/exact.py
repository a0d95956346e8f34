"""Exact k-means in one dimension, by dynamic programming over the sorted values.

An optimal partition cuts the sorted values into intervals, so the least inertia of the first i
values in q clusters is ``least_q[i] = min_j least_(q-1)[j] + cost(j, i)`` (Wang and Song 2011, R
Journal 3(2)), where ``cost(j, i)`` is the inertia of values j..i-1 about their mean. The best j
never falls as i grows, which makes it O(k n log n) (Gronlund et al. 2017, arXiv:1701.07204).
"""

from __future__ import annotations

import math

import numpy as np

from .discriminants import Array
from .kernels import load
from .kernels.interval.twofold import cost, mean, plus, times, two_product, two_sum

CHUNK = 65536  # values of which twofold products are made at a time


def optimal_partition(values: Array, weights: Array | None, k: int) -> Array:
    """Centres (k,), ascending, of a partition of least weighted inertia.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite, in any order.
    weights : ndarray of shape (n,), or None
        Finite, not negative, not all zero. Equal values are one value of their summed weight, so
        integer weights are repetition, to the bit, and zero weights removal; the order of
        the rows changes no bit.
    k : int
        With fewer distinct values than k, each is a centre and the largest is repeated.

    Returns
    -------
    centres : ndarray of shape (k,)

    Notes
    -----
    Costs come from prefix sums of 106 bits about the mean, so that they cancel only below about
    1e-31 of ``W R^2``, with W the total weight and R the range of the values: two groups
    1e-6 wide and 1e6 apart, or noise about 1e8, are cut as they should be. Sums over clusters are
    doubles. So no partition has an inertia below ``(1 - e) inertia - f W R^2``, with e about k
    times 1e-16 and f about 1e-31 times ``k log n`` and the square root of n, by which rounding
    errors of prefix sums grow. The values must be those of the data: differences to a mean that
    were rounded to doubles have lost what this keeps.

    Memory is about 90 bytes a distinct value, and a quarter of a byte for each cluster.
    """
    distinct, mass = _distinct(np.asarray(values, np.float64), weights)
    n = len(distinct)
    if k >= n:
        return np.r_[distinct, np.full(k - n, distinct[-1])]
    exponent = int(np.frexp(np.abs(distinct[[0, -1]]).max())[1])
    offset, prefix = _prefix_sums(distinct, exponent, mass)
    del mass
    bounds = _boundaries(prefix, n, k)
    high, low = mean(prefix[:, bounds[1:]], prefix[:, bounds[:-1]])
    centre, rest = two_sum(offset, high)
    centres = np.ldexp(centre + (rest + low), exponent)
    return np.clip(centres, distinct[bounds[:-1]], distinct[bounds[1:] - 1])


def _distinct(values: Array, weights: Array | None) -> tuple[Array, Array]:
    """Distinct values (m,), ascending, and their weights, of size one at most n.

    Equal values are summed by ascending weight, whatever the order they came in.
    """
    if weights is None:
        x = np.sort(values)
        starts = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
        mass = np.diff(np.r_[starts, len(x)]).astype(np.float64)
        return x[starts] + 0.0, mass
    kept = weights > 0
    if not kept.any():
        raise ValueError(
            f"optimal_partition expects a positive weight, but all {len(weights)} are zero. "
            "Pass weights that are not all zero."
        )
    x, w = values[kept], np.asarray(weights, np.float64)[kept]
    order = np.lexsort((w, x))
    x, w = x[order], np.ldexp(w[order], -int(np.frexp(w.max())[1]))
    starts = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
    return x[starts] + 0.0, np.add.reduceat(w, starts)


def _prefix_sums(distinct: Array, exponent: int, mass: Array) -> tuple[float, Array]:
    """Offset c, and sums (6, m + 1 or more) of w, w y and w y^2 over the first i values.

    ``y = 2**-exponent x - c`` is exact as a sum of two doubles; so are its products, to 2**-104.
    The first three lines are the high parts, the others the low parts; columns beyond m + 1, which
    make the scan simpler, repeat the last.
    """
    n = len(distinct)
    width = math.isqrt(n) + 1
    prefix = np.zeros((6, 1 + width * (n // width + 1)))
    c = float(np.ldexp(distinct, -exponent) @ (mass / mass.sum()))
    for lo in range(0, n, CHUNK):
        w = mass[lo : lo + CHUNK]
        y, y_low = two_sum(np.ldexp(distinct[lo : lo + CHUNK], -exponent), -c)
        square, square_low = two_product(y, y)
        here = slice(1 + lo, 1 + lo + len(w))
        prefix[0, here] = w
        prefix[1, here], prefix[4, here] = times(w, y, y_low)
        prefix[2, here], prefix[5, here] = times(w, square, square_low + 2.0 * y * y_low)
    for line in range(3):
        _scan(prefix[line, 1:].reshape(-1, width), prefix[line + 3, 1:].reshape(-1, width))
    return c, prefix


def _scan(high: Array, low: Array) -> None:
    """Cumulative sums, in place, of twofold numbers (b, width) in the order of reading."""
    for t in range(1, high.shape[1]):
        high[:, t], low[:, t] = plus(high[:, t - 1], low[:, t - 1], high[:, t], low[:, t])
    carry, carry_low = high[0, -1], low[0, -1]
    for b in range(1, len(high)):
        last, last_low = high[b, -1], low[b, -1]
        high[b], low[b] = plus(carry, carry_low, high[b], low[b])
        carry, carry_low = plus(carry, carry_low, last, last_low)


def _boundaries(prefix: Array, n: int, k: int) -> np.ndarray:
    """Where each of k intervals of the n values begins, and n: (k + 1,)."""
    extend = load("interval").extend
    last, least = np.zeros(n + 1), np.zeros(n + 1)
    for lo in range(1, n + 1, CHUNK):
        hi = min(lo + CHUNK, n + 1)
        last[lo:hi] = cost(prefix[:, lo:hi], prefix[:, :1])
    last[1] = 0.0
    splits = np.zeros(n + 1, np.int32)
    unary = []
    for q in range(2, k):
        extend(prefix, last, q, q, least, splits)
        unary.append(_pack(splits[q:], q - 1))
        last, least = least, last
    bounds = np.zeros(k + 1, np.intp)
    bounds[k] = n
    if k > 1:
        extend(prefix, last, k, n, least, splits)
        bounds[k - 1] = splits[n]
    for q in range(k - 1, 1, -1):
        bounds[q - 1] = _unpack(unary[q - 2], int(bounds[q]) - q, q - 1)
    return bounds


def _pack(ascending: np.ndarray, least: int) -> np.ndarray:
    """Numbers (m,) that never fall, the i-th from `least` to ``least + i``, in 2 m bits.

    The i-th sets bit ``i + number - least``.
    """
    bits = np.zeros(2 * len(ascending), np.uint8)
    for lo in range(0, len(ascending), CHUNK):
        number = ascending[lo : lo + CHUNK]
        bits[np.arange(lo - least, lo - least + len(number)) + number] = 1
    return np.packbits(bits)


def _unpack(packed: np.ndarray, i: int, least: int) -> int:
    """The i-th of the numbers that were packed."""
    return int(np.flatnonzero(np.unpackbits(packed))[i]) - i + least
