"""Scratch memory of one thread: one aligned buffer, and a plan of what lies where in it.

The plan is an array of integers, so that kernels read it as data: sizes, offsets into the buffer
(in doubles, each a multiple of 8), and the tables of lines whose sums are wanted. Everything is
allocated once per fit and used again by every call; constant parts are written here, once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .microkernel import WIDTH
from .moments import TABLE_ALIGN

NO_MOMENTS, NORM, DIAGONAL_MOMENTS, FULL_MOMENTS = 0, 1, 2, 3
PAIR_LIMIT = 64  # features: beyond, the queue is faster than the table of pairs even when dense
QUEUE_ROWS = 128
CACHE = 160 * 1024  # bytes of a block: it must stay in the level-2 cache between kernels

# Places in the plan. Sizes:
D, K, MOMENTS, BLOCK, LD, STRIDE, LINES, PRODUCTS, HAS_TABLE = range(9)
# Offsets in the buffer, in doubles:
Z, ONES, NORMS, VALUES, WEIGHT, LOG_NORM, TOTAL, CENTRE, SCALE, UNIT = range(9, 19)
TAIL, SUMS, QUEUE_SUMS, REFERENCE, BY_ROW, QUEUE = range(19, 25)
# Offsets in the plan itself: the tables, and the lengths of the queues.
ONES_TABLE, LINES_TABLE, LEFT_TABLE, RIGHT_TABLE, QUEUED = range(25, 30)
HEADER = 30


def up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _tables(moments: int, d: int, stride: int) -> tuple[list[int], list[int], list[int]]:
    """Lines of Z to sum, and the left and right factors of the products to sum."""
    ones, norm = stride, stride + 1
    lines = [ones, *range(d)] + [norm] * (moments == NORM)
    pairs: list[tuple[int, int]] = []
    if moments == DIAGONAL_MOMENTS:
        pairs = [(j, j) for j in range(d)]
    elif moments == FULL_MOMENTS and d <= PAIR_LIMIT:
        pairs = [(i, j) for i in range(d) for j in range(i + 1)]
    lines += [ones] * (-len(lines) % TABLE_ALIGN)
    pairs += [(ones, ones)] * (-len(pairs) % TABLE_ALIGN)
    return lines, [i for i, _ in pairs], [j for _, j in pairs]


def aligned(size: int) -> NDArray[np.float64]:
    """Zeros that start on a cache line: a vector that straddles two costs twice."""
    raw = np.zeros(size + 8)
    start = -(raw.ctypes.data // 8) % 8
    return raw[start : start + size]


class Workspace:
    """Scratch memory of one thread; see `workspace`."""

    __slots__ = ("buffer", "moments", "plan", "shape")

    def __init__(self, moments: int, d: int, k: int) -> None:
        stride = up(d + 1, max(WIDTH, 8))
        block = min(max(CACHE // (8 * (d + 8)) // 32 * 32, 32), 256)
        ld = block + 8  # not a power of two: lines of Z must not compete for the same cache sets
        lines, left, right = _tables(moments, d, stride)
        queue = moments == FULL_MOMENTS
        table = not (queue and d > PAIR_LIMIT)
        entries = max(len(lines) + len(left) if table else 0, TABLE_ALIGN + 2 * d * (not queue))
        sizes = {
            Z: (stride + 2) * ld,
            VALUES: k * ld,
            WEIGHT: ld,
            LOG_NORM: ld,
            TOTAL: 8,
            CENTRE: stride,
            SCALE: stride,
            UNIT: 16,
            TAIL: 4 * WIDTH * d + 2 * WIDTH,
            SUMS: (k * entries + 8) * WIDTH,
            QUEUE_SUMS: k * (d + 1) * stride * queue,
            REFERENCE: k * stride,
            BY_ROW: block * stride * queue,
            QUEUE: k * QUEUE_ROWS * stride * queue,
        }
        tables = {
            ONES_TABLE: [stride] * TABLE_ALIGN,
            LINES_TABLE: lines,
            LEFT_TABLE: left,
            RIGHT_TABLE: right,
            QUEUED: [0] * k,
        }
        header = np.zeros(HEADER, np.int64)
        header[: HAS_TABLE + 1] = d, k, moments, block, ld, stride, len(lines), len(left), table
        end = 0
        for place, size in sizes.items():
            header[place] = end
            end = up(end + size, 8)
        header[ONES], header[NORMS] = header[Z] + stride * ld, header[Z] + (stride + 1) * ld
        at = HEADER
        for place, entry in tables.items():
            header[place] = at
            at += len(entry)
        body = [np.array(entry, np.int64) * ld for entry in tables.values()]
        self.plan = np.concatenate([header, *body])
        self.buffer = aligned(end)
        self.buffer[header[ONES] : header[ONES] + ld] = 1.0
        self.buffer[header[UNIT] + 8 : header[UNIT] + 16] = 1.0
        self.moments, self.shape = moments, (k, d)
