"""Layer 3 of k-means: sums and inertia of rows whose labels are given; rows by their hash."""

from __future__ import annotations

import numpy as np

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..rows import copy_tail
from ..steps import load_block
from .nearest import ABOUT, SINGLE_ROW, move_row
from .scratch import (
    BLOCK,
    CENTRE,
    CENTRES,
    COUNTS,
    GAIN,
    LD,
    SCALE,
    STRIDE,
    SUMS,
    TAIL,
    UNIT,
    WEIGHT,
    D,
    K,
    add_totals,
    prepare,
)


def summarise(
    rows,  # IN, (5,) integers, see `sweep`
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    centres,  # IN, (k, d)
    labels,  # IN, (hi - lo,), int32
    totals,  # IN-OUT, (k, d + 2)
    buffer, single, plan,  # IN-OUT, the workspace
):  # fmt: skip
    """Add rows lo..hi to the totals of their labels; return their inertia."""
    n, x, itemsize, weights, weight_size = rows[0], rows[1], rows[2], rows[3], rows[4]
    d, k, ld, block, stride = plan[D], plan[K], plan[LD], plan[BLOCK], plan[STRIDE]
    base = address(buffer)
    prepare(centre, scale, centres, buffer, single, plan)
    tail, gain, weight = base + 8 * plan[TAIL], base + 8 * plan[GAIN], base + 8 * plan[WEIGHT]
    unit, frame, scales = base + 8 * plan[UNIT], base + 8 * plan[CENTRE], base + 8 * plan[SCALE]
    about, sums, counts = base + 8 * plan[CENTRES], base + 8 * plan[SUMS], plan[COUNTS]
    mode = ABOUT
    if itemsize == 4:
        mode += SINGLE_ROW
    w = 1.0
    for start in range(lo, hi, block):
        size = min(block, hi - start)
        if weights != 0:
            padded = (size + 2 * W - 1) // (2 * W) * (2 * W)
            load_block(weights, weight_size, n, 1, start, size, padded, unit, unit + 64, weight, ld,
                       tail)  # fmt: skip
        for s in range(size):
            source = x + (start + s) * d * itemsize
            if (n - start - s) * d < stride:  # reading whole vectors would leave the array
                copy_tail(0, source, d * itemsize, tail, stride * itemsize)
                source = tail
            if weights != 0:
                w = buffer[plan[WEIGHT] + s]
            own = labels[start - lo + s]
            at = 8 * own * stride
            move_row(mode, source, frame, scales, stride, w, about + at, about, sums + at, sums,
                     gain)  # fmt: skip
            buffer[counts + 2 * own] += w
            buffer[counts + 2 * own + 1] += 1.0
    add_totals(totals, buffer, plan, k, d, stride)
    inertia = 0.0
    for lane in range(W):
        inertia += buffer[plan[GAIN] + lane]
    return inertia


def hashes(X, salt, scale, multipliers, out):
    """See `plain.hashes`; X (n, d) float32 or float64, multipliers (d,) and out (n,) uint64."""
    n, d = X.shape
    value = np.empty(1)
    bits = value.view(np.uint64)
    for i in range(n):
        total = salt
        for j in range(d):
            value[0] = X[i, j] * scale + 0.0
            total += (bits[0] ^ (bits[0] >> np.uint64(32))) * multipliers[j]
        total = (total ^ (total >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total = (total ^ (total >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = total ^ (total >> np.uint64(31))


def place(numbers, offset, free, members):
    """See `plain.place`."""
    for i in range(len(numbers)):
        members[free[numbers[i]]] = offset + i
        free[numbers[i]] += 1
