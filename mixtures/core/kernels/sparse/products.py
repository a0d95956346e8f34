"""Layer 2 of k-means on CSR rows: stored numbers unpacked, and their products with all centres."""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import Bytes, Count, Doubles, Integers, Real, micro_kernel
from ..vectors import DOUBLE, FLOAT, INT, INT32, Emitter

HEIGHT = 8  # vectors of a tile: centres, W at a time
GROUP = 4  # rows whose products are taken side by side
NORM = 16  # flag of the tile that sums squares too
FLOATS, LONG = 1, 2  # flags of rows: numbers of 32 bits, indices of 64


@micro_kernel([0, FLOATS, LONG, FLOATS | LONG])
def unpack(
    e: Emitter,
    variant: int,
    data: Bytes,  # IN, (count,)
    indices: Bytes,  # IN, (count,)
    count: Count,
    scale: Real,
    z: Doubles,  # OUT, (count,)
    at: Integers,  # OUT, (count,)
) -> None:
    """``z = data * scale; at = indices``"""
    b = e.builder
    data = b.bitcast(data, (FLOAT if variant & FLOATS else DOUBLE).as_pointer())
    factor, whole = e.splat(scale), b.and_(count, e.int(-e.width))
    # Long indices travel as doubles: their bits are only copied.
    kind, bits = (DOUBLE, DOUBLE) if variant & LONG else (INT32, INT)
    indices, at = b.bitcast(indices, kind.as_pointer()), b.bitcast(at, bits.as_pointer())

    def vector(p: ir.Value, _: list) -> list:
        e.store(e.mul(e.load(data, p), factor), z, p)
        if variant & LONG:
            e.store(e.load(indices, p), at, p)
        else:
            e.store(b.sext(e.load_integers(indices, p), e.integers), at, p)
        return []

    def one(p: ir.Value, _: list) -> list:
        value, index = e.scalar(data, p), e.scalar(indices, p)
        value = b.fpext(value, DOUBLE) if variant & FLOATS else value
        b.store(b.fmul(value, scale), b.gep(z, [p]))
        b.store(index if variant & LONG else b.sext(index, INT), b.gep(at, [p]))
        return []

    e.loop(whole, [], vector, step=e.width)
    e.loop(count, [], one, start=whole)


@micro_kernel([flag | height for flag in (0, NORM) for height in range(1, HEIGHT + 1)])
def products(
    e: Emitter,
    variant: int,
    z: Doubles,  # IN, numbers of all rows
    at: Integers,  # IN, their features
    begins: Integers,  # IN, (rows + GROUP,), where each row begins, then where the last one ends
    rows: Count,
    nothing: Count,  # where z and at are zero
    across: Doubles,  # IN, (d, stride), at the tile's first centre
    stride: Count,
    values: Doubles,  # OUT, (rows + GROUP - 1, stride), at the tile's first centre
    norm: Doubles,  # OUT, (rows + GROUP - 1,), with NORM
) -> None:
    """``values = Z @ across; norm = (Z ** 2).sum(axis=1)``

    A few rows go side by side, and zeros are added to those that end first: rows are short, and
    the end of a loop costs as much as several numbers.
    """
    b, height = e.builder, variant & ~NORM
    group = GROUP if height <= 2 else 1  # many vectors keep the units busy by themselves
    size, zero = height + bool(variant & NORM), ir.Constant(DOUBLE, 0.0)

    def several(r: ir.Value, _: list) -> list:
        begin = [e.scalar(begins, r, q) for q in range(group)]
        length = [b.sub(e.scalar(begins, r, q + 1), begin[q]) for q in range(group)]
        longest = length[0]
        for other in length[1:]:
            longest = b.select(b.icmp_signed(">", other, longest), other, longest)

        def number(p: ir.Value, sums: list) -> list:
            out = []
            for q in range(group):
                here = e.at(begin[q], p)
                if group > 1:
                    here = b.select(b.icmp_signed("<", p, length[q]), here, nothing)
                x, line = e.scalar(z, here), e.times(e.scalar(at, here), stride)
                value, old = e.splat(x), sums[q * size : q * size + size]
                for v in range(height):
                    out.append(e.fmuladd(value, e.load(across, line, v * e.width), old[v]))
                out += [b.fadd(total, b.fmul(x, x)) for total in old[height:]]
            return out

        none = [e.constant(0.0)] * height + [zero] * bool(variant & NORM)
        sums = e.loop(longest, none * group, number)
        for q in range(group):
            for v in range(height):
                line = e.times(e.at(r, q), stride)
                e.store(sums[q * size + v], values, line, v * e.width)
            if variant & NORM:
                b.store(sums[q * size + height], b.gep(norm, [e.at(r, q)]))
        return []

    e.loop(rows, [], several, step=group)
