"""Layer 2: blocks of rows in, blocks of rows out.

A block is a matrix Z with one line per *feature* (leading dimension ``ld`` doubles): a vector is
then one feature of W rows, every kernel walks over features with unit work per row, and no
arithmetic crosses lanes. That is also why a row's results do not depend on its neighbours.
"""

from __future__ import annotations

from llvmlite import ir

from .microkernel import WIDTH, Bytes, Count, Doubles, Numbers, micro_kernel
from .vectors import BYTE, DOUBLE, FLOAT, INT, Emitter

# Layouts of a row of d elements: any d, or d a power of two of at most W, whose records tile
# whole vectors. The variants with floats carry a flag.
ANY_WIDTH = 0
FLOAT32 = 16


def _load_rows(
    e: Emitter,
    variant: int,
    x: Bytes,  # IN, rows of d elements, C order
    d: Count,
    rows: Count,  # a multiple of W
    centre: Doubles,  # IN, (d rounded up to W)
    scale: Doubles,  # IN, the same; 0 beyond d
    Z: Numbers,  # OUT, (d rounded up to W, ld)
    ld: Count,
) -> None:
    """``Z[:, :rows] = ((x - centre) * scale).T``

    Reads ahead of a row's end up to the next multiple of W, except for d = 1, 2, 4, 8: the caller
    keeps the last rows of an array away from its end. What is read in excess is multiplied by a
    scale of zero.
    """
    b, W = e.builder, e.width
    kind = FLOAT if variant & FLOAT32 else DOUBLE
    fixed = variant & ~FLOAT32
    x = b.bitcast(x, kind.as_pointer())

    def store(value: ir.Value, c: ir.Value, s: ir.Value, j: ir.Value | int, t: ir.Value) -> None:
        line = e.times(j, ld) if not isinstance(j, int) else e.times(ld, j)
        e.store(e.mul(e.sub(value, c), s), Z, line, t)

    if fixed:  # records of a power of two: whole vectors, no excess
        frame = [(e.broadcast(centre, j), e.broadcast(scale, j)) for j in range(fixed)]

        def records(t: ir.Value, _: list) -> list:
            start = e.times(t, fixed)
            fields = e.deinterleave([e.load(x, start, v * W) for v in range(fixed)])
            for j, (value, (c, s)) in enumerate(zip(fields, frame, strict=True)):
                store(value, c, s, j, t)
            return []

        e.loop(rows, [], records, step=W)
        return

    def features(j: ir.Value, _: list) -> list:
        frame = [(e.broadcast(centre, j, q), e.broadcast(scale, j, q)) for q in range(W)]

        def block(t: ir.Value, _: list) -> list:
            start = e.at(e.times(t, d), j)
            lines = e.transpose([e.load(x, start, e.times(d, q)) for q in range(W)])
            for q, (value, (c, s)) in enumerate(zip(lines, frame, strict=True)):
                store(value, c, s, e.at(j, q), t)
            return []

        e.loop(rows, [], block, step=W)
        return []

    e.loop(d, [], features, step=W)


LAYOUTS = [f | d for f in (0, FLOAT32) for d in (0, 1, 2, 4, 8) if d <= WIDTH]
load_rows = micro_kernel(LAYOUTS)(_load_rows)
load_rows_single = micro_kernel(LAYOUTS, numbers=FLOAT)(_load_rows)


@micro_kernel([0])
def copy_tail(
    e: Emitter,
    variant: int,
    source: Bytes,  # IN
    size: Count,  # bytes
    target: Bytes,  # OUT
    padded: Count,  # bytes, at least size
) -> None:
    """``target[:] = 0; target[:size] = source``: rows that may be over-read."""
    module, pointer = e.builder.module, BYTE.as_pointer()
    fill = module.declare_intrinsic("llvm.memset", [pointer, INT])
    copy = module.declare_intrinsic("llvm.memcpy", [pointer, pointer, INT])
    no = ir.Constant(ir.IntType(1), 0)
    e.builder.call(fill, [target, ir.Constant(BYTE, 0), padded, no])
    e.builder.call(copy, [target, source, size, no])


@micro_kernel([0])
def to_rows(
    e: Emitter,
    variant: int,
    Z: Doubles,  # IN, (lines, ld)
    ld: Count,
    lines: Count,  # a multiple of W, at most stride
    rows: Count,  # a multiple of W
    out: Doubles,  # OUT, (rows, stride)
    stride: Count,
) -> None:
    """``out[:rows, :lines] = Z[:lines, :rows].T``"""
    W = e.width

    def block(t: ir.Value, _: list) -> list:
        def features(j: ir.Value, _: list) -> list:
            vectors = e.transpose([e.load(Z, e.times(e.at(j, q), ld), t) for q in range(W)])
            for q, value in enumerate(vectors):
                e.store(value, out, e.times(e.at(t, q), stride), j)
            return []

        e.loop(lines, [], features, step=W)
        return []

    e.loop(rows, [], block, step=W)


def _norms(
    e: Emitter,
    variant: int,
    Z: Numbers,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,
    out: Numbers,  # OUT, (rows,)
) -> None:
    """``out = (Z ** 2).sum(axis=0)``"""

    def block(t: ir.Value, _: list) -> list:
        def feature(j: ir.Value, total: list) -> list:
            z = e.load(Z, e.times(j, ld), t)
            return [e.fmuladd(z, z, total[0])]

        e.store(e.loop(d, [e.constant(0.0)], feature)[0], out, t)
        return []

    e.loop(rows, [], block, step=e.width)


norms = micro_kernel([0])(_norms)
norms_single = micro_kernel([0], single=True, numbers=FLOAT)(_norms)


@micro_kernel([0])
def fill(e: Emitter, variant: int, out: Doubles, start: Count, stop: Count) -> None:  # OUT
    """``out[start:stop] = 0`` (whole vectors)"""

    def block(t: ir.Value, _: list) -> list:
        e.store(e.constant(0.0), out, start, t)
        return []

    e.loop(e.builder.sub(stop, start), [], block, step=e.width)
