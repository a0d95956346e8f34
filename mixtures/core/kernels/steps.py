"""Layer 3, in parts: what a sweep does with one block, and with its sums at the end.

Each step chooses micro-kernels and tells them where in the scratch memory to work. They are
inlined into `sweep`, so that every micro-kernel is compiled once.
"""

from __future__ import annotations

import math

from numba import njit

from . import scratch as S
from .microkernel import WIDTH as W
from .moments import (
    CENTRED_HEIGHT,
    QUEUE_TILE,
    TABLE_ALIGN,
    TABLE_HEIGHT,
    enqueue,
    multiply_queue,
    sum_centred,
    sum_lines,
    sum_products,
)
from .rows import ANY_WIDTH, FLOAT32, copy_tail, fill, load_rows, to_rows
from .scratch import DIAGONAL_MOMENTS, FULL_MOMENTS, NO_MOMENTS, NORM
from .tiles import (
    DIAGONAL_HEIGHT,
    LINEAR_HEIGHT,
    TRIANGULAR_HEIGHT,
    diagonal_tile,
    linear_tile,
    triangular_tile,
)

LINEAR, DIAGONAL, TRIANGULAR = 0, 1, 2
GIVEN = -1  # as `kind`: no discriminants, responsibilities times weights are known
POSTERIOR, VALUES = -1, -2  # as `moments`: no sums, write responsibilities or add up values
FAR = 1e4  # squared distance in widths, from which the dense path would lose 1e-12 and more
NEGLIGIBLE = 1e-18  # responsibilities that change no bit of a sum of second moments
# From SPARSE_FEATURES features, the queue is the faster path when a smaller share of the
# responsibilities matters than d / DENSE_FEATURES (they break even at 0.2, 0.4, 0.5 and 0.6 for
# d = 16, 24, 32 and 40).
SPARSE_FEATURES, DENSE_FEATURES = 16, 80
QUEUE_STRIP = 32  # rows between two looks at the queue's length

inline = njit(inline="always", error_model="numpy")


@inline
def layout_of(n, d, start, padded):
    """The layout of rows of d elements, and how many of the rows start.., of n, can be read by
    vectors without leaving the array."""
    layout = ANY_WIDTH
    reach = (d + W - 1) // W * W
    if d <= W and (d == 1 or d == 2 or d == 4 or d == 8):
        layout = reach = d
    left = (n - start) * d
    safe = 0
    if left >= reach:
        safe = min(padded, ((left - reach) // d + 1) // W * W)
    return layout, safe


@inline
def load_block(x, itemsize, n, d, start, size, padded, centre, scale, out, ld, tail):
    """Rows start.. of x, `padded` of them, to lines of a block; zeros take the place of rows
    beyond `size` where reading on would leave the array."""
    layout, safe = layout_of(n, d, start, padded)
    if itemsize == 4:
        layout += FLOAT32
    source = x + start * d * itemsize
    load_rows(layout, source, d, safe, centre, scale, out, ld)
    if safe < padded:
        rest, room = max(size - safe, 0), (padded - safe) * d + W
        copy_tail(0, source + safe * d * itemsize, rest * d * itemsize, tail, room * itemsize)
        load_rows(layout, tail, d, padded - safe, centre, scale, out + 8 * safe, ld)


@inline
def discriminants(kind, slopes, offsets, bias, k, Z, ld, d, padded, values, ahead, step):
    """All components' values of a block, tile by tile; the first tile fetches the next block."""
    full = LINEAR_HEIGHT
    if kind == TRIANGULAR:
        full = TRIANGULAR_HEIGHT
    elif kind == DIAGONAL:
        full = DIAGONAL_HEIGHT
    tiles = (k + full - 1) // full
    c = 0
    for t in range(tiles):
        h = (k - c) // (tiles - t)  # heights that differ by at most one
        o, out = 8 * c, values + 8 * c * ld
        if kind == TRIANGULAR:
            triangular_tile(
                h, slopes + o, offsets + o, bias + o, k, Z, ld, d, padded, out, ahead, step
            )
        elif kind == DIAGONAL:
            diagonal_tile(
                h, slopes + o, offsets + o, bias + o, k, Z, ld, d, padded, out, ahead, step
            )
        else:
            linear_tile(h, slopes + o, bias + o, k, Z, ld, d, padded, out, ahead, step)
        c += h
        step = 0


@inline
def ill_conditioned(kind, moments, offsets, reference, d, k):
    """Whether the dense path would cancel: a component whose centre is far from the frame's, in
    its own widths. LINEAR discriminants tell no widths: then dense only about the centre itself
    (their families need no second moments in a sweep). NaN counts as far."""
    if moments <= NO_MOMENTS:
        return False
    if kind in (LINEAR, GIVEN):
        for c in range(k):
            for j in range(d):
                if reference[c, j] != 0.0:
                    return True
        return False
    for c in range(k):
        distance = 0.0
        for j in range(d):
            distance += 2.0 * offsets[j, c] * offsets[j, c]
        if not distance < FAR:
            return True
    return False


@inline
def sum_table(plan, Zs, values, sums, tables, k, ld, padded, stride, counts_only):
    """R @ lines' and R @ products' of one block."""
    lines, products = plan[S.LINES], plan[S.PRODUCTS]
    table = tables + 8 * plan[S.LINES_TABLE]
    if counts_only:
        lines, products, table = TABLE_ALIGN, 0, tables + 8 * plan[S.ONES_TABLE]
    left, right = tables + 8 * plan[S.LEFT_TABLE], tables + 8 * plan[S.RIGHT_TABLE]
    tiles = (k + TABLE_HEIGHT - 1) // TABLE_HEIGHT
    c = 0
    for t in range(tiles):
        h = (k - c) // (tiles - t)
        R, A = values + 8 * c * ld, sums + 8 * c * stride
        sum_lines(h, R, Zs, ld, table, lines, padded, A, stride)
        if products:
            sum_products(h, R, Zs, ld, left, right, products, padded, A + 8 * lines * W, stride)
        c += h


@inline
def sum_centred_block(Zs, values, reference, sums, d, k, ld, padded, stride):
    tiles = (k + CENTRED_HEIGHT - 1) // CENTRED_HEIGHT
    c = 0
    for t in range(tiles):
        h = (k - c) // (tiles - t)
        A = sums + 8 * (c * stride + TABLE_ALIGN * W)
        sum_centred(h, values + 8 * c * ld, Zs, ld, reference + 8 * c * d, d, padded, A, stride)
        c += h


@inline
def flush(queue, rows, sums, d, stride):
    """sums += Q.T @ Q, a strip of lines at a time."""
    for line in range(0, d + 1, QUEUE_TILE):
        multiply_queue(min(QUEUE_TILE, d + 1 - line), queue, stride, line, rows, sums)


@inline
def share_that_matters(buffer, plan, k, ld, size):
    """Share of a block's responsibilities that the queue would not skip."""
    matter = 0
    for c in range(k):
        line = plan[S.VALUES] + c * ld
        for s in range(size):
            if buffer[line + s] > NEGLIGIBLE * buffer[plan[S.WEIGHT] + s]:
                matter += 1
    return matter / (k * size)


@inline
def begin_queues(buffer, plan, base, reference, d, k, stride):
    fill(0, base + 8 * plan[S.QUEUE_SUMS], 0, k * (d + 1) * stride)
    for c in range(k):
        for j in range(d):
            buffer[plan[S.REFERENCE] + c * stride + j] = reference[c, j]


@inline
def enqueue_block(buffer, plan, base, d, k, ld, size, padded, stride):
    """Rows of a block to the queues of the components they matter to; full queues to the sums."""
    ones, weight = plan[S.Z] + d * ld, plan[S.WEIGHT]
    for s in range(padded):
        buffer[ones + s] = 1.0
    by_row = base + 8 * plan[S.BY_ROW]
    to_rows(0, base + 8 * plan[S.Z], ld, stride, padded, by_row, stride)
    for c in range(k):
        queued = plan[plan[S.QUEUED] + c]
        queue = base + 8 * (plan[S.QUEUE] + c * S.QUEUE_ROWS * stride)
        reference = base + 8 * (plan[S.REFERENCE] + c * stride)
        line = plan[S.VALUES] + c * ld
        for strip in range(0, size, QUEUE_STRIP):
            if queued > S.QUEUE_ROWS - QUEUE_STRIP:
                flush(
                    queue, queued, base + 8 * (plan[S.QUEUE_SUMS] + c * (d + 1) * stride), d, stride
                )
                queued = 0
            for s in range(strip, min(strip + QUEUE_STRIP, size)):
                r = buffer[line + s]
                if r > NEGLIGIBLE * buffer[weight + s]:
                    enqueue(
                        0, by_row + 8 * s * stride, reference, math.sqrt(r), stride,
                        queue + 8 * queued * stride,
                    )  # fmt: skip
                    queued += 1
        plan[plan[S.QUEUED] + c] = queued


@inline
def empty_queues(plan, base, d, k, stride):
    for c in range(k):
        queue = base + 8 * (plan[S.QUEUE] + c * S.QUEUE_ROWS * stride)
        sums = base + 8 * (plan[S.QUEUE_SUMS] + c * (d + 1) * stride)
        flush(queue, plan[plan[S.QUEUED] + c], sums, d, stride)
        plan[plan[S.QUEUED] + c] = 0


@inline
def shift_to_reference(a, per, lines, moments, reference, counts, first, second, d, k):
    """Dense sums about 0 to sums about m: with y = z - m,
    sum r y_i = s_i - N m_i and sum r y_i y_j = s_ij - s_i m_j - m_i sum r y_j."""
    for c in range(k):
        row = c * per
        mass = a[row]
        counts[c] += mass
        norm = 0.0
        for j in range(d):
            m = reference[c, j]
            about = a[row + 1 + j] - mass * m
            first[c, j] += about
            lost = m * (a[row + 1 + j] + about)
            norm += lost
            if moments == DIAGONAL_MOMENTS:
                second[c * d + j] += a[row + lines + j] - lost
        if moments == NORM:
            second[c] += a[row + 1 + d] - norm
        elif moments == FULL_MOMENTS:
            p = row + lines
            for i in range(d):
                s, m = a[row + 1 + i], reference[c, i]
                for j in range(i + 1):
                    about = a[row + 1 + j] - mass * reference[c, j]
                    value = a[p] - s * reference[c, j] - m * about
                    second[(c * d + i) * d + j] += value
                    if j < i:
                        second[(c * d + j) * d + i] += value
                    p += 1


@inline
def centred_out(a, per, moments, counts, first, second, d, k):
    """One addition an entry: then adding to sums that are there is merging partial sums."""
    for c in range(k):
        row = c * per
        counts[c] += a[row]
        norm = 0.0
        for j in range(d):
            first[c, j] += a[row + TABLE_ALIGN + j]
            value = a[row + TABLE_ALIGN + d + j]
            norm += value
            if moments != NORM:
                second[c * d + j] += value
        if moments == NORM:
            second[c] += norm


@inline
def queue_out(a, q, per, counts, first, second, d, k, stride):
    for c in range(k):
        counts[c] += a[c * per]
        for i in range(d):
            row = (c * (d + 1) + i) * stride
            first[c, i] += q[(c * (d + 1) + d) * stride + i]
            for j in range(i + 1):
                second[(c * d + i) * d + j] += q[row + j]
                if j < i:
                    second[(c * d + j) * d + i] += q[row + j]
