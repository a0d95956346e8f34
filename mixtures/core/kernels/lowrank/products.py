"""Layer 2: one component's low-rank value of a block, and its sums over rows.

A strip of two vectors of rows stays in registers while the features go by, as in `tiles.py`; the
sums over rows go the other way, features in vectors and one row after the other, so that rows that
belong to other components are skipped.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import WIDTH, Count, Doubles, Integers, Real, micro_kernel
from ..tiles import VECTORS, _rows
from ..vectors import Emitter

LARGE = WIDTH == 8
PROJECT_HEIGHT = 12 if LARGE else 4  # directions of a tile, each with two vectors of sums
REST_FEATURES = 4
SUM_HEIGHT = 8 if LARGE else 4
SUM_VECTORS = 3 if LARGE else 2
REST, SQUARES = 0, 1  # what `finish` is given


def _whitened(e: Emitter, slopes, line, offsets, j, z) -> list:
    """``y = scale * z + offset`` of feature j, for the vectors of a strip."""
    scale, offset = e.broadcast(slopes, e.times(j, line)), e.broadcast(offsets, j)
    return [e.fmuladd(scale, value, offset) for value in z]


@micro_kernel(range(PROJECT_HEIGHT + 1))
def project(
    e: Emitter,
    height: int,
    slopes: Doubles,  # IN, (d, line) of a component: its scale, then its directions
    line: Count,
    first: Count,  # column of the tile's first direction
    offsets: Doubles,  # IN, (d,)
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    u: Doubles,  # OUT, (height, ld)
    squares: Doubles,  # OUT, (ld,)
) -> None:
    """``y = scale * Z + offset; u = directions.T @ y; squares = (y ** 2).sum(axis=0)``"""
    zero = e.constant(0.0)

    def strip(t: ir.Value, _: list) -> list:
        def feature(j: ir.Value, sums: list) -> list:
            y = _whitened(e, slopes, line, offsets, j, _rows(e, Z, e.times(j, ld), t))
            at = e.at(e.times(j, line), first)
            new = [e.fmuladd(v, v, s) for v, s in zip(y, sums[:VECTORS], strict=True)]
            for h in range(height):
                direction = e.broadcast(slopes, at, h)
                own = sums[VECTORS * (h + 1) : VECTORS * (h + 2)]
                new += [e.fmuladd(direction, v, s) for v, s in zip(y, own, strict=True)]
            return new

        sums = e.loop(d, [zero] * (VECTORS * (height + 1)), feature)
        for i, value in enumerate(sums):
            h, v = divmod(i, VECTORS)
            if h == 0:
                e.store(value, squares, t, v * e.width)
            else:
                e.store(value, u, e.times(ld, h - 1), t, v * e.width)
        return []

    e.loop(rows, [], strip, step=VECTORS * e.width)


@micro_kernel([0])
def rest(
    e: Emitter,
    variant: int,
    slopes: Doubles,  # IN, (d, line) of a component
    line: Count,
    offsets: Doubles,  # IN, (d,)
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    q: Count,
    rows: Count,  # a multiple of 2W
    u: Doubles,  # IN, (q, ld)
    squares: Doubles,  # OUT, (ld,)
) -> None:
    """``squares = ((scale * Z + offset - directions @ u) ** 2).sum(axis=0)``"""

    def strip(t: ir.Value, _: list) -> list:
        def features(wide: int):
            def body(j: ir.Value, sums: list) -> list:
                at = [e.at(j, f) for f in range(wide)]
                y = [
                    value
                    for i in at
                    for value in _whitened(
                        e, slopes, line, offsets, i, _rows(e, Z, e.times(i, ld), t)
                    )
                ]

                def factor(i: ir.Value, left: list) -> list:
                    own = [e.builder.fneg(x) for x in _rows(e, u, e.times(i, ld), t)]
                    along = [e.broadcast(slopes, e.times(f, line), i, 1) for f in at]
                    return [
                        e.fmuladd(along[n // VECTORS], own[n % VECTORS], value)
                        for n, value in enumerate(left)
                    ]

                for n, value in enumerate(e.loop(q, y, factor)):
                    sums[n % VECTORS] = e.fmuladd(value, value, sums[n % VECTORS])
                return sums

            return body

        whole = e.builder.and_(d, e.int(-REST_FEATURES))
        sums = e.loop(whole, [e.constant(0.0)] * VECTORS, features(REST_FEATURES), REST_FEATURES)
        for v, value in enumerate(e.loop(d, sums, features(1), start=whole)):
            e.store(value, squares, t, v * e.width)
        return []

    e.loop(rows, [], strip, step=VECTORS * e.width)


@micro_kernel([REST, SQUARES])
def finish(
    e: Emitter,
    variant: int,
    bias: Real,
    share: Doubles,  # IN, (q,)
    q: Count,
    rows: Count,
    u: Doubles,  # IN, (q, ld)
    ld: Count,
    squares: Doubles,  # IN, (rows,), of what is left (REST) or of all (SQUARES)
    value: Doubles,  # OUT, (rows,)
) -> None:
    """``value = bias - squares - share @ u ** 2``, or, of all, ``+ (1 - share) @ u ** 2``"""
    one = e.constant(1.0)

    def block(t: ir.Value, _: list) -> list:
        def factor(i: ir.Value, total: list) -> list:
            x, part = e.load(u, e.times(i, ld), t), e.broadcast(share, i)
            counted = e.builder.fneg(part) if variant == REST else e.sub(one, part)
            return [e.fmuladd(e.mul(counted, x), x, total[0])]

        start = e.sub(e.splat(bias), e.load(squares, t))
        e.store(e.loop(q, [start], factor)[0], value, t)
        return []

    e.loop(rows, [], block, step=e.width)


def _each_tile(e: Emitter, vectors: ir.Value, tile) -> None:
    """``tile(wide, column)`` over vectors of features, `SUM_VECTORS` at a time, then one by one."""
    remainder = e.builder.srem(vectors, e.int(SUM_VECTORS))
    whole = e.builder.sub(vectors, remainder)

    def wide(v: ir.Value, _: list) -> list:
        tile(SUM_VECTORS, e.times(v, e.width))
        return []

    def single(v: ir.Value, _: list) -> list:
        tile(1, e.times(v, e.width))
        return []

    e.loop(whole, [], wide, step=SUM_VECTORS)
    e.loop(vectors, [], single, start=whole)


@micro_kernel(range(1, SUM_HEIGHT + 1))
def sum_factors(
    e: Emitter,
    height: int,
    by_row: Doubles,  # IN, rows of features
    index: Integers,  # IN, (count,), where the rows that count begin
    count: Count,
    reference: Doubles,  # IN, (stride,)
    vectors: Count,  # of features in a row
    weight: Doubles,  # IN, (count, line), at the tile's first factor
    line: Count,
    A: Doubles,  # IN-OUT, (height, stride)
    stride: Count,
) -> None:
    """``A += weight[:, :height].T @ (by_row[index] - reference)``"""

    def tile(wide: int, column: ir.Value) -> None:
        slots = [
            e.at(e.times(stride, h), column, v * e.width)
            for h in range(height)
            for v in range(wide)
        ]
        m = [e.load(reference, column, v * e.width) for v in range(wide)]

        def row(p: ir.Value, sums: list) -> list:
            start = e.at(e.scalar(index, p), column)
            y = [e.sub(e.load(by_row, start, v * e.width), m[v]) for v in range(wide)]
            r = [e.broadcast(weight, e.times(p, line), h) for h in range(height)]
            return [e.fmuladd(r[n // wide], y[n % wide], s) for n, s in enumerate(sums)]

        for slot, s in zip(slots, e.loop(count, [e.load(A, i) for i in slots], row), strict=True):
            e.store(s, A, slot)

    _each_tile(e, vectors, tile)


@micro_kernel([0])
def sum_features(
    e: Emitter,
    variant: int,
    by_row: Doubles,  # IN, rows of features
    index: Integers,  # IN, (count,), where the rows that count begin
    count: Count,
    reference: Doubles,  # IN, (stride,)
    vectors: Count,
    weight: Doubles,  # IN, (count,)
    A: Doubles,  # IN-OUT, (2, stride)
    stride: Count,
) -> None:
    """``y = by_row[index] - reference; A += weight @ y, weight @ y ** 2``"""

    def tile(wide: int, column: ir.Value) -> None:
        slots = [
            e.at(e.times(stride, h), column, v * e.width) for h in range(2) for v in range(wide)
        ]
        m = [e.load(reference, column, v * e.width) for v in range(wide)]

        def row(p: ir.Value, sums: list) -> list:
            start, r = e.at(e.scalar(index, p), column), e.broadcast(weight, p)
            first, second = list(sums[:wide]), list(sums[wide:])
            for v in range(wide):
                y = e.sub(e.load(by_row, start, v * e.width), m[v])
                ry = e.mul(r, y)
                first[v], second[v] = e.add(first[v], ry), e.fmuladd(ry, y, second[v])
            return first + second

        for slot, s in zip(slots, e.loop(count, [e.load(A, i) for i in slots], row), strict=True):
            e.store(s, A, slot)

    _each_tile(e, vectors, tile)
