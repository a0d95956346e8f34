"""Numbers as unevaluated sums of two doubles, high + low: about 106 bits (Dekker 1971).

Written once for NumPy's arrays and for compiled scalars: the twins agree to the bit.
"""

from __future__ import annotations

import numpy as np

SPLITTER = 134217729.0  # 2**27 + 1


def two_sum(a, b):
    """a + b, rounded, and the rounding error (Knuth 1969)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a, b):
    """a b, rounded, and the rounding error (Dekker 1971; Veltkamp's splitting)."""
    p = a * b
    big = SPLITTER * a
    ah = big - (big - a)
    al = a - ah
    big = SPLITTER * b
    bh = big - (big - b)
    bl = b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def plus(ah, al, bh, bl):
    """(ah + al) + (bh + bl), to 2**-104 of |a| + |b|."""
    s, e = two_sum(ah, bh)
    t, f = two_sum(al, bl)
    s, e = two_sum(s, e + t)
    return two_sum(s, e + f)


def minus(ah, al, bh, bl):
    """(ah + al) - (bh + bl), to 2**-104 of |a| + |b|."""
    s, e = two_sum(ah, -bh)
    return two_sum(s, e + (al - bl))


def times(c, ah, al):
    """The double c times (ah + al)."""
    p, e = two_product(c, ah)
    return two_sum(p, e + c * al)


def mean(upper, lower):
    """``d1 / d0``, of the differences of two columns of prefix sums, as two doubles.

    A column holds the sums of w, w y and w y^2 up to there: three high parts, three low ones.
    """
    d0, d0_low = minus(upper[0], upper[3], lower[0], lower[3])
    d1, d1_low = minus(upper[1], upper[4], lower[1], lower[4])
    d0 = d0 + (d0 == 0.0)  # weights below 2**-106 of the total: their mean and cost are zero
    m = d1 / d0
    p, p_low = times(m, d0, d0_low)
    r, r_low = minus(d1, d1_low, p, p_low)
    return m, (r + r_low) / d0


def cost(upper, lower):
    """``sum w (y - mean)^2`` over the values between two columns of prefix sums.

    With m the rounded mean and ``r = d1 - m d0``, which is small, it is
    ``(d2 - m d1) - m r - r^2 / d0``; the last term is below the rounding of the others.
    """
    d0, d0_low = minus(upper[0], upper[3], lower[0], lower[3])
    d1, d1_low = minus(upper[1], upper[4], lower[1], lower[4])
    d2, d2_low = minus(upper[2], upper[5], lower[2], lower[5])
    m = d1 / (d0 + (d0 == 0.0))
    p, p_low = times(m, d0, d0_low)
    r, _ = minus(d1, d1_low, p, p_low)
    p, p_low = times(m, d1, d1_low)
    t, t_low = minus(d2, d2_low, p, p_low)
    return np.maximum((t - m * r) + t_low, 0.0)
