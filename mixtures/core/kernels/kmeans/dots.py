"""Layer 2 of k-means for many features: inner products of rows as they lie in memory.

Turning a block of rows into lines of features costs as much as the products when rows are long
and centres few. Here a tile of a few rows by a few centres stays in registers while the features
go by, W at a time, and its lanes are added up at the end.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import WIDTH, Bytes, Count, Doubles, Labels, Real, micro_kernel
from ..vectors import DOUBLE, FLOAT, INT32, Emitter

ROWS = 4 if WIDTH > 2 else 2
"""Rows of a tile."""
PER_GROUP = WIDTH // ROWS
"""Centres whose sums fill one vector."""
DOT_HEIGHT = 6 if WIDTH == 8 else 3
"""Centres of a tile; two fewer with the norm, for want of registers."""
NORM_LINE, FLOAT_ROWS, SQUARED = 16, 32, 64


def _add_lanes(e: Emitter, sums: list) -> list:
    """Sums over the lanes of each of W vectors, in one vector, for every W of them."""
    W = e.width
    groups = [sums[i : i + W] for i in range(0, len(sums), W)]
    out = []
    for group in groups:
        lines = e.transpose(group)
        while len(lines) > 1:
            lines = [e.add(a, b) for a, b in zip(lines[::2], lines[1::2], strict=True)]
        out.append(lines[0])
    return out


@micro_kernel(
    [
        size | norm | height
        for size in (0, FLOAT_ROWS)
        for norm in (0, NORM_LINE)
        for height in range(1, DOT_HEIGHT + 1 - 2 * bool(norm))
    ]
    + [SQUARED | size | h for size in (0, FLOAT_ROWS) for h in range(1, DOT_HEIGHT)]
)
def dot_tile(
    e: Emitter,
    variant: int,
    x: Bytes,  # IN, ROWS rows of d elements
    d: Count,
    centre: Doubles,  # IN, (stride,)
    slopes: Doubles,  # IN, (height, stride), zero beyond d
    stride: Count,
    mask: Doubles,  # IN, (stride,), one, and zero beyond d
    values: Doubles,  # OUT, (height, ld) and, with NORM_LINE, one more
    ld: Count,
    norm: Doubles,  # OUT, (ROWS,), for NORM_LINE
    ahead: Bytes,  # IN, a row to fetch meanwhile
    apart: Count,  # bytes from it to a second one
) -> None:
    """``values[:, :ROWS] = slopes @ (x - centre).T``; ``norm = ((x - centre) ** 2).sum(axis=1)``

    SQUARED: ``((x - centre - slopes[:, None]) ** 2).sum(axis=2)``.
    Reads ahead of the last row up to the next multiple of W.
    """
    W, height = e.width, variant & 15
    kind = FLOAT if variant & FLOAT_ROWS else DOUBLE
    x = e.builder.bitcast(x, kind.as_pointer())
    lines = height + bool(variant & NORM_LINE)
    padding = -lines % PER_GROUP

    def feature(j: ir.Value, sums: list, whole: bool) -> list:
        about = e.load(centre, j)
        line = e.times(j, 8 if kind is DOUBLE else 4)
        e.prefetch(ahead, line)
        e.prefetch(ahead, e.at(line, apart))
        y = [e.sub(e.load(x, e.times(d, r), j), about) for r in range(ROWS)]
        if not whole:
            y = [e.mul(value, e.load(mask, j)) for value in y]
        out = []
        for c in range(lines):
            s = y if c == height else [e.load(slopes, e.times(stride, c), j)] * ROWS
            left, right = s, y
            if variant & SQUARED:
                left = right = [e.sub(y[r], s[r]) for r in range(ROWS)]
            out += [e.fmuladd(left[r], right[r], sums[ROWS * c + r]) for r in range(ROWS)]
        return out

    zero = [e.constant(0.0)] * (ROWS * lines)
    even = e.builder.and_(d, e.int(-W))
    sums = e.loop(even, zero, lambda j, sums: feature(j, sums, True), step=W)
    sums = e.loop(d, sums, lambda j, sums: feature(j, sums, False), step=W, start=even)
    totals = _add_lanes(e, sums + [e.constant(0.0)] * (ROWS * padding))
    for c in range(lines):
        lanes = [c % PER_GROUP * ROWS + r for r in range(ROWS)]
        few = e.shuffle(totals[c // PER_GROUP], totals[c // PER_GROUP], lanes)
        out = norm if c == height else e.builder.gep(values, [e.times(ld, c)])
        e.builder.store(few, e.builder.bitcast(out, few.type.as_pointer()), align=8)


@micro_kernel([0])
def rank(
    e: Emitter,
    variant: int,
    values: Doubles,  # IN, (k, ld)
    ld: Count,
    bias: Doubles,  # IN, (k,)
    k: Count,
    rows: Count,  # a multiple of W
    best: Doubles,  # OUT, (rows,)
    second: Doubles,  # OUT, (rows,)
    found: Labels,  # OUT, (rows,)
) -> None:
    """The two largest of ``values + bias[:, None]`` in each column, and where the largest is."""
    b = e.builder
    narrow = ir.VectorType(INT32, e.width)
    least = e.constant(-float("inf"))

    def block(t: ir.Value, _: list) -> list:
        def component(c: ir.Value, carried: list) -> list:
            top, runner_up, where = carried
            value = e.add(e.load(values, e.times(c, ld), t), e.broadcast(bias, c))
            better = b.fcmp_ordered(">", value, top)
            loser = e.select(better, top, value)
            index = e.splat(b.trunc(c, INT32))
            return [
                e.select(better, value, top),
                e.larger(loser, runner_up),
                b.select(better, index, where),
            ]

        start = [least, least, ir.Constant(narrow, [0] * e.width)]
        for value, out in zip(e.loop(k, start, component), (best, second, found), strict=True):
            e.store(value, out, t)
        return []

    e.loop(rows, [], block, step=e.width)


@micro_kernel([0])
def scale_line(e: Emitter, variant: int, line: Doubles, rows: Count, factor: Real) -> None:
    """``line[:rows] *= factor``"""

    def block(t: ir.Value, _: list) -> list:
        e.store(e.mul(e.load(line, t), e.splat(factor)), line, t)
        return []

    e.loop(rows, [], block, step=e.width)
