"""Layer 3 of k-means: the range driver that labels rows lo..hi and moves their sums.

Blocks of rows are consecutive ones or, where margins tell that most rows cannot have changed
their label, the others collected. Either way the same kernels find the same labels, and rows that
change theirs are moved from one sum to another in the order of the rows.
"""

from __future__ import annotations

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..rows import copy_tail
from ..steps import inline, load_block
from ..tiles import VECTORS
from .find import find
from .nearest import AGAIN, FIRST, KEPT, SINGLE_ROW, move_row, squares, widen_row
from .scratch import (
    ACROSS,
    BLOCK,
    CENTRE,
    CENTRES,
    COUNTS,
    FOUND,
    GAIN,
    GAPS,
    GATHERED,
    INDEX,
    LD,
    LENGTHWISE,
    MOVED,
    OLD,
    OPEN,
    OWN_WEIGHTS,
    PATH,
    ROW,
    SCALE,
    SQUARES,
    STRIDE,
    SUMS,
    TAIL,
    UNIT,
    WEIGHT,
    WIDE,
    D,
    K,
    add_totals,
    prepare,
)


@inline
def shrink(margins, labels, shrinkage):
    """Take from every margin what the centres have moved; the number of rows with none left."""
    spent = 0
    for i in range(len(margins)):
        left = -1.0
        if labels[i] >= 0:
            left = (margins[i] - shrinkage[labels[i]]) * KEPT
        margins[i] = left
        spent += not left > 0.0
    return spent


@inline
def gather(
    x, row_bytes, weights, weight_size, cursor, lo, hi, block, margins, labels, base, words, bits,
    plan,
):  # fmt: skip
    """Collect the next rows without a margin, at most a block; the row after, and their number."""
    rows, own_weights, size = base + 8 * plan[GATHERED], base + 8 * plan[OWN_WEIGHTS], 0
    while cursor < hi and size < block:
        if not margins[cursor - lo] > 0.0:
            source = x + cursor * row_bytes
            copy_tail(0, source, row_bytes, rows + size * row_bytes, row_bytes)
            if weights != 0:
                copy_tail(0, weights + cursor * weight_size, weight_size,
                          own_weights + size * weight_size, weight_size)  # fmt: skip
            bits[plan[INDEX] + size] = cursor - lo
            words[2 * plan[OLD] + size] = labels[cursor - lo]
            size += 1
        cursor += 1
    return cursor, size


@inline
def nearest_exactly(x, itemsize, width, d, k, buffer, plan):
    """The nearest centre of the row at address x, by squared distances summed term by term."""
    base = address(buffer)
    z, out = base + 8 * plan[ROW], base + 8 * plan[SQUARES]
    widen_row(itemsize == 4, x, base + 8 * plan[CENTRE], base + 8 * plan[SCALE], plan[STRIDE], z)
    squares(0, z, d, base + 8 * plan[ACROSS], width, out)
    best, least = 0, buffer[plan[SQUARES]]
    for c in range(1, k):
        if buffer[plan[SQUARES] + c] < least:
            best, least = c, buffer[plan[SQUARES] + c]
    return best


def assign(
    rows,  # IN, (5,) integers, see `sweep`
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    centres,  # IN, (k, d)
    labels,  # IN-OUT, (hi - lo,), int32
    margins, shrinkage,  # IN-OUT, (hi - lo,) or (0,), float32; IN, (k,)
    bound,  # IN, see `nearest.slack`
    totals,  # IN-OUT, (k, d + 2)
    buffer, single, words, bits, plan,  # IN-OUT, the workspace, its buffer in four types
):  # fmt: skip
    """Label rows lo..hi by their nearest centres; return (rows relabelled, fall of inertia)."""
    n, x, itemsize, weights, weight_size = rows[0], rows[1], rows[2], rows[3], rows[4]
    d, k, ld, block, stride = plan[D], plan[K], plan[LD], plan[BLOCK], plan[STRIDE]
    wide, base = plan[WIDE], address(buffer)
    prepare(centre, scale, centres, buffer, single, plan)
    lanes = W if plan[PATH] == LENGTHWISE else 2 * W
    strip = VECTORS * lanes
    ask = strip * itemsize
    tail, gain = base + 8 * plan[TAIL], base + 8 * plan[GAIN]
    weight, unit = base + 8 * plan[WEIGHT], base + 8 * plan[UNIT]
    frame, scales = base + 8 * plan[CENTRE], base + 8 * plan[SCALE]
    about, sums = base + 8 * plan[CENTRES], base + 8 * plan[SUMS]
    counts, old_labels = plan[COUNTS], base + 8 * plan[OLD]
    row_bytes = d * itemsize
    collected, own_weights = base + 8 * plan[GATHERED], base + 8 * plan[OWN_WEIGHTS]
    changed = 0

    bounded = margins.size > 0
    gathering = bounded and 2 * shrink(margins, labels, shrinkage) < hi - lo
    cursor = lo
    while cursor < hi:
        if gathering:  # the rows whose margin is spent, wherever they are
            cursor, size = gather(
                x, row_bytes, weights, weight_size, cursor, lo, hi, block, margins, labels, base,
                words, bits, plan,
            )  # fmt: skip
            from_rows, from_weights, start, there = collected, own_weights, 0, block + 8
        else:
            from_rows, from_weights, start, there = x, weights, cursor, n
            size = min(block, hi - cursor)
            first_label = address(labels) + 4 * (cursor - lo)
            cursor += size
        padded = (size + strip - 1) // strip * strip
        if not gathering:
            copy_tail(0, first_label, 4 * size, old_labels, 4 * padded)
        ahead = from_rows + (start + block) * row_bytes
        find(from_rows, itemsize, there, start, size, padded, ahead, ask, bound, bounded, buffer,
             plan)  # fmt: skip
        if weights != 0:
            load_block(from_weights, weight_size, there, 1, start, size, padded, unit, unit + 64,
                       weight, ld, tail)  # fmt: skip
        if bounded:
            for s in range(size):
                at = bits[plan[INDEX] + s] if gathering else start - lo + s
                margins[at] = single[2 * plan[GAPS] + s]
        for group in range(padded // lanes):
            moved = bits[plan[MOVED] + group]
            if moved == 0:
                continue
            doubt = bits[plan[OPEN] + group]
            for lane in range(lanes):
                s = group * lanes + lane
                if not (moved >> lane) & 1 or s >= size:
                    continue
                source = from_rows + (start + s) * row_bytes
                if (there - start - s) * d < stride:  # whole vectors would leave the array
                    copy_tail(0, source, row_bytes, tail, stride * itemsize)
                    source = tail
                new, old = words[2 * plan[FOUND] + s], words[2 * plan[OLD] + s]
                if (doubt >> lane) & 1:
                    new = nearest_exactly(source, itemsize, wide, d, k, buffer, plan)
                if new == old:
                    continue
                w = 1.0
                if weights != 0:
                    w = buffer[plan[WEIGHT] + s]
                mode = FIRST
                if old >= 0:
                    mode = AGAIN
                    buffer[counts + 2 * old] -= w
                    buffer[counts + 2 * old + 1] -= 1.0
                if itemsize == 4:
                    mode += SINGLE_ROW
                move_row(
                    mode, source, frame, scales, stride, w,
                    about + 8 * new * stride, about + 8 * old * stride,
                    sums + 8 * new * stride, sums + 8 * old * stride, gain,
                )  # fmt: skip
                buffer[counts + 2 * new] += w
                buffer[counts + 2 * new + 1] += 1.0
                labels[bits[plan[INDEX] + s] if gathering else start - lo + s] = new
                changed += 1

    fall = 0.0
    for lane in range(W):
        fall += buffer[plan[GAIN] + lane]
    if changed:
        add_totals(totals, buffer, plan, k, d, stride)
    return changed, fall
