"""Layer 2: responsibility-weighted sums over one block.

Sums are kept by lane: every vector of rows is added to a vector of W partial sums, and the lanes
are added up once, at the end of a range. Two layouts:

- a *table* of lines of Z, or of pairs of lines, whose sums are ``R @ Z[table].T``: dense in the
  responsibilities, about the frame's centre;
- the *queue*: rows with a responsibility worth the name, centred at the component's reference
  and scaled by sqrt(r), are collected row by row and multiplied as ``Q.T @ Q``. It skips what
  does not count, blocks well for many features, and cancels nothing.
"""

from __future__ import annotations

from llvmlite import ir

from .microkernel import WIDTH, Count, Doubles, Integers, Real, micro_kernel
from .vectors import Emitter

LARGE = WIDTH == 8
TABLE_HEIGHT = 12 if LARGE else 6
TABLE_ALIGN = 2  # a table's length is a multiple of it
CENTRED_HEIGHT = 6 if LARGE else 3
QUEUE_TILE = 8 if LARGE else 4  # lines of Q.T @ Q that stay in registers, times QUEUE_VECTORS
QUEUE_VECTORS = 3


def _accumulate(e, height, R, ld, length, rows, A, stride, lines) -> None:
    """The loop nest of both tables; `lines(p)` returns a function from t to the entry's vector.

    Two entries at a time, or four under few components: a sum every cycle needs at least as many
    sums under way as one takes cycles.
    """
    W = e.width

    def entries(p: ir.Value, wide: int) -> list:
        values = [lines(e.at(p, q)) for q in range(wide)]
        slots = [
            e.at(e.times(stride, c), e.times(e.at(p, q), W))
            for c in range(height)
            for q in range(wide)
        ]

        def block(t: ir.Value, sums: list) -> list:
            z = [value(t) for value in values]
            r = [e.load(R, e.times(ld, c), t) for c in range(height)]
            return [e.fmuladd(r[n // wide], z[n % wide], s) for n, s in enumerate(sums)]

        sums = e.loop(rows, [e.load(A, slot) for slot in slots], block, step=W)
        for slot, value in zip(slots, sums, strict=True):
            e.store(value, A, slot)
        return []

    done: ir.Value | int = 0
    if LARGE and height <= 6:
        done = e.builder.and_(length, e.int(-4))
        e.loop(done, [], lambda p, _: entries(p, 4), step=4)
    e.loop(length, [], lambda p, _: entries(p, 2), step=2, start=done)


@micro_kernel(range(1, TABLE_HEIGHT + 1))
def sum_lines(
    e: Emitter,
    height: int,
    R: Doubles,  # IN, (height, ld)
    Z: Doubles,  # IN, (lines, ld)
    ld: Count,
    table: Integers,  # IN, (length,), offsets of lines in Z
    length: Count,  # a multiple of 2
    rows: Count,
    A: Doubles,  # IN-OUT, (height, stride), of which (length, W) are used
    stride: Count,
) -> None:
    """``A += R @ Z[table].T`` (by lanes)"""

    def lines(p: ir.Value):
        line = e.scalar(table, p)
        return lambda t: e.load(Z, line, t)

    _accumulate(e, height, R, ld, length, rows, A, stride, lines)


@micro_kernel(range(1, TABLE_HEIGHT + 1))
def sum_products(
    e: Emitter,
    height: int,
    R: Doubles,  # IN, (height, ld)
    Z: Doubles,  # IN, (lines, ld)
    ld: Count,
    left: Integers,  # IN, (length,), offsets of lines in Z
    right: Integers,  # IN, (length,), the same
    length: Count,  # a multiple of 2
    rows: Count,
    A: Doubles,  # IN-OUT, (height, stride), of which (length, W) are used
    stride: Count,
) -> None:
    """``A += R @ (Z[left] * Z[right]).T`` (by lanes); a product serves a whole tile"""

    def lines(p: ir.Value):
        one, two = e.scalar(left, p), e.scalar(right, p)
        return lambda t: e.mul(e.load(Z, one, t), e.load(Z, two, t))

    _accumulate(e, height, R, ld, length, rows, A, stride, lines)


@micro_kernel(range(1, CENTRED_HEIGHT + 1))
def sum_centred(
    e: Emitter,
    height: int,
    R: Doubles,  # IN, (height, ld)
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    reference: Doubles,  # IN, (height, d)
    d: Count,
    rows: Count,
    A: Doubles,  # IN-OUT, (height, stride), of which (2, d, W) are used
    stride: Count,
) -> None:
    """``Y = Z - reference[c, :, None]; A[c] += (R[c] * Y).sum(1), (R[c] * Y * Y).sum(1)``"""
    W = e.width

    def feature(j: ir.Value, _: list) -> list:
        slots = [e.at(e.times(stride, c), e.times(j, W)) for c in range(height)]
        slots += [e.at(slot, e.times(d, W)) for slot in slots]
        m = [e.broadcast(reference, e.times(d, c), j) for c in range(height)]

        def block(t: ir.Value, sums: list) -> list:
            z = e.load(Z, e.times(j, ld), t)
            first, second = list(sums[:height]), list(sums[height:])
            for c in range(height):
                y = e.sub(z, m[c])
                ry = e.mul(e.load(R, e.times(ld, c), t), y)
                first[c], second[c] = e.add(first[c], ry), e.fmuladd(ry, y, second[c])
            return first + second

        sums = e.loop(rows, [e.load(A, slot) for slot in slots], block, step=W)
        for slot, value in zip(slots, sums, strict=True):
            e.store(value, A, slot)
        return []

    e.loop(d, [], feature)


@micro_kernel([0])
def sum_lanes(
    e: Emitter,
    variant: int,
    A: Doubles,  # IN, (count, W)
    count: Count,  # a multiple of W
    out: Doubles,  # OUT, (count,), may be A itself
) -> None:
    """``out = A.sum(axis=1)``, neighbours first"""
    W = e.width

    def block(p: ir.Value, _: list) -> list:
        sums = e.transpose([e.load(A, e.times(e.at(p, q), W)) for q in range(W)])
        while len(sums) > 1:
            sums = [e.add(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        e.store(sums[0], out, p)
        return []

    e.loop(count, [], block, step=W)


@micro_kernel([0])
def enqueue(
    e: Emitter,
    variant: int,
    row: Doubles,  # IN, (stride,)
    reference: Doubles,  # IN, (stride,), zero beyond d
    root: Real,
    stride: Count,  # d + 1 rounded up to W
    out: Doubles,  # OUT, (stride,)
) -> None:
    """``out = root * (row - reference)``; a row ends in 1, 0, ..., so that Q'Q has the sums too"""
    factor = e.splat(root)

    def features(j: ir.Value, _: list) -> list:
        e.store(e.mul(e.sub(e.load(row, j), e.load(reference, j)), factor), out, j)
        return []

    e.loop(stride, [], features, step=e.width)


@micro_kernel(range(1, QUEUE_TILE + 1))
def multiply_queue(
    e: Emitter,
    height: int,
    Q: Doubles,  # IN, (rows, stride)
    stride: Count,
    line: Count,  # a multiple of the tile's full height
    rows: Count,
    A: Doubles,  # IN-OUT, (line + height, stride)
) -> None:
    """``A[line : line + height] += (Q.T @ Q)[line : line + height]``, columns up to the diagonal"""
    W = e.width
    vectors = e.builder.sdiv(e.at(line, height - 1 + W), e.int(W))

    def tile(wide: int, v: ir.Value) -> None:
        column = e.times(v, W)
        slots = [
            e.at(e.times(e.at(line, i), stride), column, q * W)
            for i in range(height)
            for q in range(wide)
        ]

        def row(_: ir.Value, carried: list) -> list:
            at, sums = carried[0], carried[1:]
            right = [e.load(Q, at, column, q * W) for q in range(wide)]
            left = [e.broadcast(Q, at, line, i) for i in range(height)]
            sums = [e.fmuladd(left[n // wide], right[n % wide], s) for n, s in enumerate(sums)]
            return [e.at(at, stride), *sums]

        start = [e.int(0), *(e.load(A, slot) for slot in slots)]
        for slot, value in zip(slots, e.loop(rows, start, row)[1:], strict=True):
            e.store(value, A, slot)

    def full(v: ir.Value, _: list) -> list:
        tile(QUEUE_VECTORS, v)
        return []

    whole = e.builder.sub(vectors, e.int(QUEUE_VECTORS - 1))
    e.loop(whole, [], full, step=QUEUE_VECTORS)
    rest = e.builder.srem(vectors, e.int(QUEUE_VECTORS))
    first = e.builder.sub(vectors, rest)
    for wide in range(1, QUEUE_VECTORS):
        with e.builder.if_then(e.builder.icmp_signed("==", rest, e.int(wide))):
            tile(wide, first)
