"""Scratch memory of one thread for the kernels of k-means; see `..scratch`."""

from __future__ import annotations

import numpy as np

from ..microkernel import WIDTH as W
from ..scratch import CACHE, aligned, up
from ..steps import inline
from ..tiles import VECTORS
from .nearest import slack

# Places in the plan. Sizes:
D, K, BLOCK, LD, STRIDE, WIDE, PATH = range(7)
# Offsets in the buffer, in doubles:
(
    Z, NORM, BEST, SECOND, FOUND, OLD, WEIGHT, INDEX, OPEN, MOVED, CENTRE, SCALE, UNIT, TAIL, GAIN,
    ROW, SQUARES, SLOPES, BIAS, CENTRES, ACROSS, SUMS, COUNTS, GATHERED, MASK, GAPS,
    OWN_WEIGHTS,
) = range(7, 34)  # fmt: skip
HEADER = 34

AUTOMATIC, LINES, LENGTHWISE = -1, 0, 1
"""Filters: lines of features in single precision, or rows as they lie in double precision."""
FEATURES_PER_CENTRE, FEW_CENTRES = 16, 10
"""Rows as they lie are faster for so few centres, where turning them into lines costs the most."""


def choose(d: int, k: int) -> int:
    """The faster filter for d features and k centres."""
    few = k <= min(d // FEATURES_PER_CENTRE, FEW_CENTRES)
    return LENGTHWISE if few else LINES


class AssignmentWorkspace:
    """Scratch memory of one thread; see `assignment_workspace`."""

    __slots__ = ("bits", "buffer", "plan", "shape", "single", "slack", "words")

    def __init__(self, d: int, k: int, path: int = AUTOMATIC) -> None:
        stride, wide = up(d, max(W, 8)), up(k, VECTORS * W)
        if path == AUTOMATIC:
            path = choose(d, k)
        lengthwise = path == LENGTHWISE
        block = min(max(CACHE // (8 * (d + 8)) // 32 * 32, 32), 256)
        ld = block + 16
        sizes = {
            Z: (k if lengthwise else stride) * ld,
            NORM: ld, BEST: ld, SECOND: ld, FOUND: ld, OLD: ld, WEIGHT: ld, INDEX: ld,
            OPEN: ld, MOVED: ld,
            CENTRE: stride, SCALE: stride, UNIT: 16,
            TAIL: 4 * W * d + 2 * W + stride,
            GAIN: W, ROW: stride, SQUARES: wide,
            SLOPES: stride * k, BIAS: k, MASK: stride, CENTRES: k * stride, ACROSS: d * wide,
            SUMS: k * stride, COUNTS: 2 * k,
            GATHERED: (block + 8) * d + stride, GAPS: ld, OWN_WEIGHTS: ld + 8,
        }  # fmt: skip
        self.plan = np.zeros(HEADER, np.int64)
        self.plan[: PATH + 1] = d, k, block, ld, stride, wide, path
        end = 0
        for place, size in sizes.items():
            self.plan[place] = end
            end = up(end + size, 8)
        self.buffer = aligned(end)
        self.buffer[self.plan[MASK] : self.plan[MASK] + d] = 1.0
        unit = self.plan[UNIT]
        self.buffer[unit + 8 : unit + 16] = 1.0
        self.single, self.words = self.buffer.view(np.float32), self.buffer.view(np.int32)
        self.bits = self.buffer.view(np.int64)
        self.shape, self.slack = (k, d), slack(d, not lengthwise)


@inline
def prepare(centre, scale, centres, buffer, single, plan):
    """Write the frame and the centres to the scratch memory, in the layouts that kernels read."""
    d, k, stride, wide = plan[D], plan[K], plan[STRIDE], plan[WIDE]
    for j in range(d):
        buffer[plan[CENTRE] + j], buffer[plan[SCALE] + j] = centre[j], scale[j]
    for c in range(k):
        half = 0.0
        for j in range(d):
            m = centres[c, j]
            half += 0.5 * m * m
            buffer[plan[CENTRES] + c * stride + j] = m
            buffer[plan[ACROSS] + j * wide + c] = m
            if plan[PATH] == LENGTHWISE:
                buffer[plan[SLOPES] + c * stride + j] = m * scale[j]
            else:
                single[2 * plan[SLOPES] + j * k + c] = m
        if plan[PATH] == LENGTHWISE:
            buffer[plan[BIAS] + c] = -half
        else:
            single[2 * plan[BIAS] + c] = -half
    for i in range(k * stride):
        buffer[plan[SUMS] + i] = 0.0
    for i in range(2 * k):
        buffer[plan[COUNTS] + i] = 0.0
    for i in range(W):
        buffer[plan[GAIN] + i] = 0.0


@inline
def add_totals(totals, buffer, plan, k, d, stride):
    """Add the scratch memory's sums to the totals, each once."""
    for c in range(k):
        for j in range(d):
            totals[c, j] += buffer[plan[SUMS] + c * stride + j]
        totals[c, d] += buffer[plan[COUNTS] + 2 * c]
        totals[c, d + 1] += buffer[plan[COUNTS] + 2 * c + 1]
