"""Layers 1 and 2: sums along and across lines of densities, on a block that fits the cache.

A line is what one component says of consecutive rows. Lines are far apart in memory, so a table
of offsets says where each begins; up to eight are worked on at a time, one vector of rows of each.
"""

from __future__ import annotations

from llvmlite import ir

from ..functions import LOG2
from ..microkernel import WIDTH, Count, Doubles, Integers, Real, micro_kernel
from ..vectors import Emitter

HEIGHT = 8  # lines at a time
TILE = 4 if WIDTH == 8 else 2  # lines on either side of a tile of products: 16 sums in registers
FRESH = 16  # a flag of `mix_lines`
FAR_BELOW = -600.0  # nats: what is so much smaller than the largest would be slow, and never shows
ROOTS = 1  # a flag of `shares_of_weighted_rows`


@micro_kernel([f | h for f in (0, FRESH) for h in range(1, HEIGHT + 1)])
def mix_lines(
    e: Emitter,
    variant: int,
    F: Doubles,  # IN
    table: Integers,  # IN, (height,), offsets of lines in F
    p: Doubles,  # IN, (height,)
    rows: Count,  # a multiple of W
    ahead: Count,  # rows
    u: Doubles,  # IN-OUT, (rows,); OUT if fresh
) -> None:
    """``u += p @ F[table]``, or ``u = ...`` if fresh; asks for every other line some rows ahead

    The other half of the lines is `dot_lines`'s, so that memory is busy during both.
    """
    height = variant & ~FRESH
    lines = [e.scalar(table, q) for q in range(height)]
    shares = [e.broadcast(p, q) for q in range(height)]

    def block(t: ir.Value, _: list) -> list:
        terms = [None if variant & FRESH else e.load(u, t), None]  # two chains: half the latency
        for x in lines[::2]:
            e.prefetch(F, e.at(x, t, ahead))
        for q, (line, share) in enumerate(zip(lines, shares, strict=True)):
            value, old = e.load(F, line, t), terms[q % 2]
            terms[q % 2] = e.mul(share, value) if old is None else e.fmuladd(share, value, old)
        left, right = terms
        if left is None or right is None:
            e.store(left if right is None else right, u, t)
        else:
            e.store(e.add(left, right), u, t)
        return []

    e.loop(rows, [], block, step=e.width)


@micro_kernel([0])
def least_of_lines(
    e: Emitter,
    variant: int,
    F: Doubles,  # IN
    table: Integers,  # IN, (lines,), offsets of lines in F
    lines: Count,
    rows: Count,  # a multiple of W
    least: Doubles,  # IN-OUT, (W,)
) -> None:
    """``least = min(least, F[table].min())`` by lanes, NaN passed over"""

    def line(q: ir.Value, carried: list) -> list:
        offset = e.scalar(table, q)
        step = lambda t, old: [e.smaller(e.load(F, offset, t), old[0])]  # noqa: E731
        return e.loop(rows, carried, step, step=e.width)

    e.store(e.loop(lines, [e.load(least)], line)[0], least)


@micro_kernel([0, ROOTS])
def shares_of_weighted_rows(
    e: Emitter,
    variant: int,
    w: Doubles,  # IN, (rows,)
    rows: Count,  # a multiple of W
    u: Doubles,  # IN, (rows,), positive
    r: Doubles,  # OUT, (rows,)
    q: Doubles,  # OUT with ROOTS, (rows,)
    total: Doubles,  # IN-OUT, (W,)
) -> None:
    """``r = w / u; q = sqrt(w) / u; total += w log u`` (by lanes)"""

    def block(t: ir.Value, carried: list) -> list:
        density, weight = e.load(u, t), e.load(w, t)
        inverse = e.div(e.constant(1.0), density)
        e.store(e.mul(weight, inverse), r, t)
        if variant & ROOTS:
            e.store(e.mul(e.sqrt(weight), inverse), q, t)
        return [e.fmuladd(weight, e.log(density), carried[0])]

    e.store(e.loop(rows, [e.load(total)], block, step=e.width)[0], total)


@micro_kernel([0])
def shares_of_rows(
    e: Emitter,
    variant: int,
    rows: Count,  # a multiple of W, at most 1000 W
    u: Doubles,  # IN, (rows,), positive
    r: Doubles,  # OUT, (rows,)
    total: Doubles,  # IN-OUT, (W,)
) -> None:
    """``r = 1 / u; total += log u`` (by lanes)

    A lane takes one logarithm, that of the product of its mantissas, and adds up exponents.
    """
    b, integers, every = e.builder, e.integers, [1] * e.width
    fraction = ir.Constant(integers, [(1 << 52) - 1] * e.width)
    one = ir.Constant(integers, [1023 << 52] * e.width)
    shift = ir.Constant(integers, [52 * x for x in every])

    def block(t: ir.Value, carried: list) -> list:
        product, exponents, least = carried
        density = e.load(u, t)
        e.store(e.div(e.constant(1.0), density), r, t)
        bits = b.bitcast(density, integers)
        mantissa = b.bitcast(b.or_(b.and_(bits, fraction), one), e.vector)
        exponents = b.add(exponents, b.lshr(bits, shift))
        return [e.mul(product, mantissa), exponents, e.smaller(density, least)]

    nothing = ir.Constant(integers, [0] * e.width)
    start = [e.constant(1.0), nothing, e.constant(1.0)]
    product, exponents, least = e.loop(rows, start, block, step=e.width)
    count = b.sdiv(rows, e.int(e.width))
    excess = b.mul(e.splat(count), ir.Constant(integers, [1023 * x for x in every]))
    power = b.sitofp(b.sub(exponents, excess), e.vector)
    value = e.fmuladd(power, e.constant(LOG2), e.log(product))
    normal = b.fcmp_ordered(">=", least, e.constant(2.0**-1022))
    value = e.select(normal, value, e.constant(-float("inf")))
    e.store(e.add(e.load(total), value), total)


@micro_kernel([0])
def largest_of_lines(
    e: Emitter,
    variant: int,
    F: Doubles,  # IN, (lines, ld)
    ld: Count,
    lines: Count,
    rows: Count,  # a multiple of W
    largest: Doubles,  # OUT, (rows,)
) -> None:
    """``largest = F[:, :rows].max(axis=0)``, NaN where there is one"""

    def block(t: ir.Value, _: list) -> list:
        def line(q: ir.Value, carried: list) -> list:
            value = e.load(F, e.times(q, ld), t)
            above = e.builder.fcmp_unordered(">", value, carried[0])  # true of NaN
            kept = e.builder.fcmp_unordered("!=", carried[0], carried[0])
            return [e.select(kept, carried[0], e.select(above, value, carried[0]))]

        start = [e.constant(-float("inf"))]
        e.store(e.loop(lines, start, line)[0], largest, t)
        return []

    e.loop(rows, [], block, step=e.width)


@micro_kernel([0])
def exp_line(
    e: Emitter,
    variant: int,
    F: Doubles,  # IN-OUT, (rows,)
    largest: Doubles,  # IN, (rows,)
    rows: Count,  # a multiple of W
    mean: Doubles,  # IN-OUT, (rows,)
    share: Real,
) -> None:
    """``F = exp(F - largest); mean += share * F``, zero below e^-600"""

    def block(t: ir.Value, _: list) -> list:
        x = e.sub(e.load(F, t), e.load(largest, t))
        near = e.builder.fcmp_ordered(">", x, e.constant(FAR_BELOW))
        value = e.select(near, e.exp(x), e.constant(0.0))
        e.store(value, F, t)
        e.store(e.fmuladd(value, e.splat(share), e.load(mean, t)), mean, t)
        return []

    e.loop(rows, [], block, step=e.width)


def _add_lanes(e: Emitter, vector: ir.Value, out: ir.Value, *offset: ir.Value | int) -> None:
    """``out[offset] += vector.sum()``, in a tree"""
    lanes = [
        e.builder.extract_element(vector, ir.Constant(ir.IntType(32), i)) for i in range(e.width)
    ]
    while len(lanes) > 1:
        lanes = [e.builder.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
    place = e.builder.gep(out, [e.at(*offset)])
    e.builder.store(e.builder.fadd(e.builder.load(place), lanes[0]), place)


@micro_kernel(range(1, HEIGHT + 1))
def dot_lines(
    e: Emitter,
    height: int,
    F: Doubles,  # IN
    table: Integers,  # IN, (height,), offsets of lines in F
    r: Doubles,  # IN, (rows,)
    rows: Count,  # a multiple of W
    ahead: Count,  # rows
    out: Doubles,  # IN-OUT, (height,)
) -> None:
    """``out += F[table] @ r``; asks for every other line some rows ahead"""
    lines = [e.scalar(table, q) for q in range(height)]

    def block(t: ir.Value, sums: list) -> list:
        share = e.load(r, t)
        for x in lines[1::2]:
            e.prefetch(F, e.at(x, t, ahead))
        return [e.fmuladd(e.load(F, x, t), share, s) for x, s in zip(lines, sums, strict=True)]

    sums = e.loop(rows, [e.constant(0.0)] * height, block, step=e.width)
    for q, value in enumerate(sums):
        _add_lanes(e, value, out, q)


@micro_kernel([0])
def scale_line(
    e: Emitter,
    variant: int,
    F: Doubles,  # IN, (rows,)
    q: Doubles,  # IN, (rows,)
    rows: Count,  # a multiple of W
    out: Doubles,  # OUT, (rows,)
) -> None:
    """``out = F * q``"""

    def block(t: ir.Value, _: list) -> list:
        e.store(e.mul(e.load(F, t), e.load(q, t)), out, t)
        return []

    e.loop(rows, [], block, step=e.width)


@micro_kernel([0])
def tile_of_products(
    e: Emitter,
    variant: int,
    A: Doubles,  # IN, (TILE, ld)
    B: Doubles,  # IN, (TILE, ld)
    ld: Count,
    rows: Count,  # a multiple of W
    out: Doubles,  # IN-OUT, (TILE, stride)
    stride: Count,
) -> None:
    """``out += A @ B.T``"""

    def block(t: ir.Value, sums: list) -> list:
        right = [e.load(B, e.times(ld, j), t) for j in range(TILE)]
        new = []
        for i in range(TILE):
            left = e.load(A, e.times(ld, i), t)
            new += [e.fmuladd(left, right[j], sums[i * TILE + j]) for j in range(TILE)]
        return new

    sums = e.loop(rows, [e.constant(0.0)] * TILE**2, block, step=e.width)
    for n, value in enumerate(sums):
        _add_lanes(e, value, out, e.times(stride, n // TILE), n % TILE)
