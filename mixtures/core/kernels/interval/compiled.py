"""One more cluster in the dynamic programme of k-means in one dimension: see `plain.py`."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from ..build import compiled
from . import twofold
from .plain import ACCURATE, UNIT, rounding

CHUNK = 256  # bounds that exist at a time
SHORT = 2  # ranges so short are priced without bounds

for _function in ("two_sum", "two_product", "plus", "minus", "times", "cost"):
    register_jitable(getattr(twofold, _function))
cost = twofold.cost


@register_jitable
def _price(prefix, last, j, i):
    """``last[j] + cost(j, i)``."""
    if i - j == 1:
        return last[j]
    upper = (prefix[0, i], prefix[1, i], prefix[2, i], prefix[3, i], prefix[4, i], prefix[5, i])
    lower = (prefix[0, j], prefix[1, j], prefix[2, j], prefix[3, j], prefix[4, j], prefix[5, j])
    return last[j] + cost(upper, lower)


@register_jitable
def _bounds(prefix, last, errors, begin, end, i, bound):
    """Lower bounds of ``last[j] + cost(j, i)`` for j from begin to end."""
    total = prefix[0, len(last) - 1]
    p0, p1, p2 = prefix[0, i], prefix[1, i], prefix[2, i]
    for j in range(begin, end):
        d0, d1, d2 = p0 - prefix[0, j], p1 - prefix[1, j], p2 - prefix[2, j]
        sure = d0 > ACCURATE * total
        m = d1 / (d0 if sure else 1.0)
        size = abs(m)
        slack = errors[0] + size * (errors[1] + size * errors[2])
        within = d2 - m * d1 - slack
        within = within if sure and within > 0.0 else 0.0
        bound[j - begin] = (last[j] + within) * (1 - 4 * UNIT)


@register_jitable
def _best(prefix, last, errors, i, lo, hi, bound):
    """The best j of lo..hi for the first i values, and its value."""
    split, value = lo, np.inf
    if hi - lo < SHORT:
        for j in range(lo, hi + 1):
            price = _price(prefix, last, j, i)
            if price < value:
                split, value = j, price
        return split, value
    for begin in range(lo, hi + 1, CHUNK):
        end = min(begin + CHUNK, hi + 1)
        _bounds(prefix, last, errors, begin, end, i, bound)
        lowest = 0
        for t in range(1, end - begin):
            if bound[t] < bound[lowest]:
                lowest = t
        if bound[lowest] > value:
            continue
        price = _price(prefix, last, begin + lowest, i)
        if price < value:
            split, value = begin + lowest, price
        for t in range(end - begin):
            if bound[t] <= value and t != lowest:
                price = _price(prefix, last, begin + t, i)
                if price < value or (price == value and begin + t < split):
                    split, value = begin + t, price
    return split, value


def extend_rows(prefix, last, errors, q, first, least, splits):
    n = len(last) - 1
    bound = np.empty(CHUNK)
    step = 1
    while step <= n + 1 - first:
        step *= 2
    while step > 0:
        for i in range(first + step - 1, n + 1, 2 * step):
            lo, hi = q - 1, i - 1
            if i - step >= first:
                lo = int(splits[i - step])
            if i + step <= n:
                hi = min(hi, int(splits[i + step]))
            splits[i], least[i] = _best(prefix, last, errors, i, lo, hi, bound)
        step //= 2


_extend = compiled(
    extend_rows,
    "void(float64[:, ::1], float64[::1], float64[::1], int64, int64, float64[::1], int32[::1])",
)


def extend(prefix, last, q, first, least, splits):
    """Inertias of the first i values in q clusters; see `plain.extend`."""
    _extend(prefix, last, rounding(prefix), q, first, least, splits)
