"""Layer 3 of k-means, in parts: how the nearest centre of each row of a block is found.

Two filters do it. Both leave the two largest values of every row, by which its margin is known and
whether it must be looked at again.
"""

from __future__ import annotations

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..rows import FLOAT32, copy_tail, load_rows_single, norms_single
from ..steps import inline, layout_of
from ..tiles import LINEAR_HEIGHT
from .dots import DOT_HEIGHT, FLOAT_ROWS, NORM_LINE, ROWS, dot_tile, rank, scale_line
from .nearest import LATER, gaps, gaps_single, nearest_tile, settle, settle_single
from .scratch import (
    BEST,
    BIAS,
    CENTRE,
    FOUND,
    GAPS,
    LD,
    LENGTHWISE,
    MASK,
    MOVED,
    NORM,
    OLD,
    OPEN,
    PATH,
    SCALE,
    SECOND,
    SLOPES,
    STRIDE,
    TAIL,
    D,
    K,
    Z,
)


@inline
def find_lengthwise(x, itemsize, n, start, size, padded, buffer, plan):
    """The two largest values of each row of a block, by products of rows as they lie."""
    d, k, ld, stride, base = plan[D], plan[K], plan[LD], plan[STRIDE], address(buffer)
    values, norm, tail = base + 8 * plan[Z], base + 8 * plan[NORM], base + 8 * plan[TAIL]
    frame, mask, slopes = base + 8 * plan[CENTRE], base + 8 * plan[MASK], base + 8 * plan[SLOPES]
    tiles = (k + 2 + DOT_HEIGHT - 1) // DOT_HEIGHT
    row_bytes = d * itemsize
    for s in range(0, padded, ROWS):
        source = x + (start + s) * row_bytes
        if (n - start - s) * d < (ROWS - 1) * d + stride or s + ROWS > size:
            there = max(min(size - s, ROWS), 0)
            copy_tail(0, source, there * row_bytes, tail, ((ROWS - 1) * d + stride) * itemsize)
            source = tail
        # The first two tiles fetch two of the next rows each, so that memory is not idle.
        ahead, first, flag = source + ROWS * row_bytes, 0, NORM_LINE
        if itemsize == 4:
            flag += FLOAT_ROWS
        for t in range(tiles):
            h = (k - first) // (tiles - t)
            if t == 0:
                h = max((k + 2) // tiles - 2, 1)
            dot_tile(
                flag | h, source, d, frame, slopes + 8 * first * stride, stride, mask,
                values + 8 * (first * ld + s), ld, norm + 8 * s, ahead, row_bytes,
            )  # fmt: skip
            ahead = ahead + 2 * row_bytes if t == 0 else source
            first, flag = first + h, flag & ~NORM_LINE
    scale_line(0, norm, padded, buffer[plan[SCALE]] * buffer[plan[SCALE]])
    rank(0, values, ld, base + 8 * plan[BIAS], k, padded, base + 8 * plan[BEST],
         base + 8 * plan[SECOND], base + 8 * plan[FOUND])  # fmt: skip


@inline
def find_by_lines(x, itemsize, n, start, size, padded, ahead, step, buffer, plan):
    """The two largest values of each row of a block, by lines of features."""
    d, k, ld, base = plan[D], plan[K], plan[LD], address(buffer)
    centre, scale, tail = base + 8 * plan[CENTRE], base + 8 * plan[SCALE], base + 8 * plan[TAIL]
    Zs, best, second = base + 8 * plan[Z], base + 8 * plan[BEST], base + 8 * plan[SECOND]
    found, slopes, bias = base + 8 * plan[FOUND], base + 8 * plan[SLOPES], base + 8 * plan[BIAS]
    layout, safe = layout_of(n, d, start, padded)
    if itemsize == 4:
        layout += FLOAT32
    source = x + start * d * itemsize
    load_rows_single(layout, source, d, safe, centre, scale, Zs, ld)
    if safe < padded:
        rest, room = max(size - safe, 0), (padded - safe) * d + W
        copy_tail(0, source + safe * d * itemsize, rest * d * itemsize, tail, room * itemsize)
        load_rows_single(layout, tail, d, padded - safe, centre, scale, Zs + 4 * safe, ld)
    norms_single(0, Zs, ld, d, padded, base + 8 * plan[NORM])
    tiles = (k + LINEAR_HEIGHT - 1) // LINEAR_HEIGHT
    first, flag = 0, 0
    for t in range(tiles):
        h = (k - first) // (tiles - t)
        nearest_tile(
            flag | h, slopes + 4 * first, bias + 4 * first, k, Zs, ld, d, padded, first, best,
            second, found, ahead, step,
        )  # fmt: skip
        first, flag, step = first + h, LATER, 0


@inline
def find(x, itemsize, n, start, size, padded, ahead, step, bound, bounded, buffer, plan):
    """The nearest centre of each row of a block, and bits of those to look at again."""
    base = address(buffer)
    norm, best, second = base + 8 * plan[NORM], base + 8 * plan[BEST], base + 8 * plan[SECOND]
    found, old, out = base + 8 * plan[FOUND], base + 8 * plan[OLD], base + 8 * plan[GAPS]
    doubt, moved = base + 8 * plan[OPEN], base + 8 * plan[MOVED]
    if plan[PATH] == LENGTHWISE:
        find_lengthwise(x, itemsize, n, start, size, padded, buffer, plan)
        settle(0, best, second, norm, found, old, padded, bound, doubt, moved)
        if bounded:
            gaps(0, best, second, norm, padded, bound, out)
    else:
        find_by_lines(x, itemsize, n, start, size, padded, ahead, step, buffer, plan)
        settle_single(0, best, second, norm, found, old, padded, bound, doubt, moved)
        if bounded:
            gaps_single(0, best, second, norm, padded, bound, out)
