"""Layer 3 of k-means: distances of rows to all centres, subtracted before they are squared."""

from __future__ import annotations

import math

from ..microkernel import address
from ..rows import copy_tail
from .nearest import squares, widen_row
from .scratch import ACROSS, CENTRE, ROW, SCALE, SQUARES, STRIDE, TAIL, WIDE, D, K, prepare


def distances(
    rows,  # IN, (5,) integers, see `sweep`
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    centres,  # IN, (k, d)
    unit,  # IN, what the distances are multiplied by
    out,  # OUT, (hi - lo, k)
    buffer, single, plan,  # IN-OUT, the workspace
):  # fmt: skip
    """See `plain.distances`."""
    n, x, itemsize = rows[0], rows[1], rows[2]
    d, k, stride, wide, base = plan[D], plan[K], plan[STRIDE], plan[WIDE], address(buffer)
    prepare(centre, scale, centres, buffer, single, plan)
    frame, scales, tail = base + 8 * plan[CENTRE], base + 8 * plan[SCALE], base + 8 * plan[TAIL]
    z, across, squared = base + 8 * plan[ROW], base + 8 * plan[ACROSS], base + 8 * plan[SQUARES]
    for i in range(lo, hi):
        source = x + i * d * itemsize
        if (n - i) * d < stride:  # reading whole vectors would leave the array
            copy_tail(0, source, d * itemsize, tail, stride * itemsize)
            source = tail
        widen_row(itemsize == 4, source, frame, scales, stride, z)
        squares(0, z, d, across, wide, squared)
        for c in range(k):
            out[i - lo, c] = math.sqrt(buffer[plan[SQUARES] + c]) * unit
