"""Layer 2 of k-means: the nearest centre of every row of a block, and how sure that is.

With ``v_k = m_k . z - |m_k|^2 / 2`` the squared distance of a row z from centre m_k is
``|z|^2 - 2 v_k``: the nearest centre has the largest v_k, by one product a feature. What the
subtraction loses to rounding is bounded: where the two largest values are closer than that, the
row is left open, and its squared distances are summed up term by term, ``(z_j - m_kj)^2``. So
filters in single precision, twice as fast, and in double precision find the same labels.

A tile's values stay in registers. The number of the component within its tile is written over
the last four bits of each value; the two largest of the tile are then had by three minima and
maxima a component, and the tile's number by one comparison a tile.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import (
    Bytes,
    Count,
    Doubles,
    Floats,
    Integers,
    Labels,
    Numbers,
    Real,
    micro_kernel,
)
from ..tiles import LINEAR_HEIGHT, VECTORS
from ..vectors import DOUBLE, FLOAT, INT, INT32, Emitter

TINY = 2.0**-100  # beside a squared distance of one; where floats underflow, values are in doubt
KEPT = 1.0 - 2.0**-20  # of a margin: what is left when it is rounded to a float
LATER = 16
INDEX_BITS = 4  # of a component within its tile
EMBEDDING = 2 * (1 << INDEX_BITS)  # roundings that the index costs a value


def slack(d: int, single: bool) -> float:
    """Relative to ``5 |z|^2 - 2 v``, by how much less two values may differ and be out of order.

    A value is a sum of d + 1 fused terms of size ``|m||z|`` and ``|m|^2 / 2``, of numbers rounded
    before (three roundings at most), and bears an index. A centre that comes truly nearer than the
    one found has ``|m| <= |z| + D`` with its distance D, so that ``|m||z| + |m|^2 / 2`` is at most
    ``(2 |z| + D)^2 / 2 <= 4 |z|^2 + D^2``. (With a centre's own distance for D that bounds the
    error of its value, wherever it is.) Two values, and something for the norm's own error and
    for that of the sum of squares by which open rows are decided.
    """
    unit = 2.0**-24 if single else 2.0**-53
    return 2.1 * (2 * d + EMBEDDING + 8) * unit


def _reduce(e: Emitter, tile: list) -> tuple[ir.Value, ir.Value]:
    """The two largest of a tile's values, each with its index in the last bits."""
    b, kind = e.builder, e.integers
    mask = ir.Constant(kind, [-(1 << INDEX_BITS)] * e.width)
    marked = []
    for n, value in enumerate(tile):
        index = ir.Constant(kind, [n] * e.width)
        bits = b.or_(b.and_(b.bitcast(value, kind), mask), index)
        marked.append(b.bitcast(bits, e.vector))
    best, second = marked[0], e.constant(-float("inf"))
    for value in marked[1:]:
        second = e.larger(second, e.smaller(best, value))
        best = e.larger(best, value)
    return best, second


@micro_kernel(
    [flag | height for flag in (0, LATER) for height in range(1, LINEAR_HEIGHT + 1)],
    single=True,
    numbers=FLOAT,
)
def nearest_tile(
    e: Emitter,
    variant: int,  # the tile's height, and LATER for all but the first tile of a block
    slopes: Numbers,  # IN, (d, k) at the tile's first component, as bias
    bias: Numbers,  # IN, (k,)
    k: Count,
    Z: Numbers,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    first: Count,  # the tile's first component
    best: Numbers,  # IN-OUT, (rows,), the largest value so far; OUT for the first tile
    second: Numbers,  # the same, the second
    found: Labels,  # the same, the component of the largest
    ahead: Bytes,  # IN, the next block
    step: Count,  # bytes to ask for per feature and strip
) -> None:
    """``v = bias + Z.T @ slopes``; keep the two largest values of each row."""
    W, height = e.width, variant & ~LATER
    lines = VECTORS * W * 8 // 64  # cache lines of doubles that a strip takes of each feature

    def strip(t: ir.Value, carried: list) -> list:
        (line,) = carried

        def feature(j: ir.Value, sums: list) -> list:
            for n in range(lines):
                e.prefetch(ahead, e.at(line, e.times(j, step), 64 * n))
            z = [e.load(Z, e.times(j, ld), t, v * W) for v in range(VECTORS)]
            at = e.times(j, k)
            s = [c for n in range(height) for c in [e.broadcast(slopes, at, n)] * VECTORS]
            return [e.fmuladd(s[n], z[n % VECTORS], total) for n, total in enumerate(sums)]

        start = [c for n in range(height) for c in [e.broadcast(bias, e.int(n))] * VECTORS]
        values = e.loop(d, start, feature)
        for v in range(VECTORS):
            top, runner_up = _reduce(e, values[v::VECTORS])
            where = (best, second, found, e.at(t, v * W))
            _merge(e, bool(variant & LATER), top, runner_up, first, *where)
        return [e.at(line, e.times(d, step))]

    e.loop(rows, [e.int(0)], strip, step=VECTORS * W)


def _merge(e, later, top, runner_up, first, best, second, found, at) -> None:
    """Bring a tile's two largest values together with those of the tiles before it."""
    b, W = e.builder, e.width
    last = ir.Constant(e.integers, [(1 << INDEX_BITS) - 1] * W)
    index = b.and_(b.bitcast(top, e.integers), last)
    if not later:
        for value, out in ((top, best), (runner_up, second), (index, found)):
            e.store(value, out, at)
        return
    old, old_second = e.load(best, at), e.load(second, at)
    better = b.fcmp_ordered(">", top, old)
    base = e.splat(b.trunc(first, INT32))
    new = b.select(better, b.add(index, base), e.load_integers(found, at))
    e.store(new, found, at)
    e.store(e.select(better, top, old), best, at)
    loser = e.select(better, old, top)
    e.store(e.larger(loser, e.larger(old_second, runner_up)), second, at)


def _bound(e: Emitter, top: ir.Value, norm: ir.Value, slack: ir.Value) -> ir.Value:
    """By how much less the two largest values may differ and be out of order: see `slack`."""
    size = e.fmuladd(e.constant(5.0), norm, e.mul(e.constant(-2.0), top))
    return e.fmuladd(e.splat(slack), size, e.constant(TINY))


def _settle(
    e: Emitter,
    variant: int,
    best: Numbers,  # IN, (rows,)
    second: Numbers,  # IN, (rows,)
    norm: Numbers,  # IN, (rows,), |z|^2
    found: Labels,  # IN, (rows,)
    old: Labels,  # IN, (rows,)
    rows: Count,  # a multiple of W
    slack: Real,
    open_rows: Integers,  # OUT, (rows / W,), bits of rows whose nearest centre is in doubt
    moved_rows: Integers,  # OUT, (rows / W,), bits of rows that are open or found a new label
) -> None:
    """``open = not (best - second > bound); moved = open | (found != old)``"""
    b, W = e.builder, e.width

    def block(t: ir.Value, carried: list) -> list:
        (n,) = carried
        top, z = e.load(best, t), e.load(norm, t)
        bound = _bound(e, top, z, slack)
        doubt = b.fcmp_unordered("<=", e.sub(top, e.load(second, t)), bound)
        moved = b.icmp_unsigned("!=", e.load_integers(found, t), e.load_integers(old, t))
        for mask, out in ((doubt, open_rows), (b.or_(doubt, moved), moved_rows)):
            bits = b.bitcast(mask, ir.IntType(W))
            b.store(b.zext(bits, INT), b.gep(out, [n]))
        return [e.at(n, 1)]

    e.loop(rows, [e.int(0)], block, step=W)


def _gaps(
    e: Emitter,
    variant: int,
    best: Numbers,  # IN, (rows,)
    second: Numbers,  # IN, (rows,)
    norm: Numbers,  # IN, (rows,), |z|^2
    rows: Count,  # a multiple of W
    slack: Real,
    out: Floats,  # OUT, (rows,)
) -> None:
    """``sqrt(norm - 2 second) - sqrt(norm - 2 best)``, less what rounding may have added.

    Of the second value, which may be that of a centre far away or -inf, the error is bounded by
    its own size: ``norm - 2 second - 2 slack (5 norm - 2 second)``, the terms collected.
    """
    zero, two = e.constant(0.0), e.constant(-2.0)
    loss = e.mul(e.constant(2.0), e.splat(slack))
    kept = e.mul(two, e.sub(e.constant(1.0), loss))
    share = e.sub(e.constant(1.0), e.mul(e.constant(5.0), loss))

    def block(t: ir.Value, _: list) -> list:
        top, other, z = e.load(best, t), e.load(second, t), e.load(norm, t)
        error = e.mul(e.constant(2.0), _bound(e, top, z, slack))
        near = e.add(e.larger(e.fmuladd(two, top, z), zero), error)
        rest = e.fmuladd(share, z, e.constant(-2.0 * TINY))
        far = e.larger(e.fmuladd(kept, other, rest), zero)
        e.store(e.mul(e.sub(e.sqrt(far), e.sqrt(near)), e.constant(KEPT)), out, t)
        return []

    e.loop(rows, [], block, step=e.width)


gaps = micro_kernel([0])(_gaps)
gaps_single = micro_kernel([0], single=True, numbers=FLOAT)(_gaps)
settle = micro_kernel([0])(_settle)
settle_single = micro_kernel([0], single=True, numbers=FLOAT)(_settle)


@micro_kernel([0])
def squares(
    e: Emitter,
    variant: int,
    z: Doubles,  # IN, (d,)
    d: Count,
    centres: Doubles,  # IN, (d, k)
    k: Count,  # a multiple of 2W
    out: Doubles,  # OUT, (k,)
) -> None:
    """``out = ((z[:, None] - centres) ** 2).sum(axis=0)``, summed in the order of features."""
    W = e.width

    def strip(c: ir.Value, _: list) -> list:
        def feature(j: ir.Value, sums: list) -> list:
            at, value = e.times(j, k), e.broadcast(z, j)
            terms = [e.sub(value, e.load(centres, at, c, v * W)) for v in range(VECTORS)]
            return [e.fmuladd(t, t, total) for t, total in zip(terms, sums, strict=True)]

        for v, total in enumerate(e.loop(d, [e.constant(0.0)] * VECTORS, feature)):
            e.store(total, out, c, v * W)
        return []

    e.loop(k, [], strip, step=VECTORS * W)


@micro_kernel([0, 1])
def widen_row(
    e: Emitter,
    variant: int,  # 1 for a row of floats
    x: Bytes,  # IN, (stride,)
    centre: Doubles,  # IN, (stride,)
    scale: Doubles,  # IN, (stride,), zero beyond the last feature
    stride: Count,  # a multiple of W
    z: Doubles,  # OUT, (stride,)
) -> None:
    """``z = (x - centre) * scale``"""
    x = e.builder.bitcast(x, (FLOAT if variant else DOUBLE).as_pointer())

    def block(j: ir.Value, _: list) -> list:
        value = e.sub(e.load(x, j), e.load(centre, j))
        e.store(e.mul(value, e.load(scale, j)), z, j)
        return []

    e.loop(stride, [], block, step=e.width)


FIRST, AGAIN, ABOUT, SINGLE_ROW = 0, 1, 2, 4


@micro_kernel([mode | size for mode in (FIRST, AGAIN, ABOUT) for size in (0, SINGLE_ROW)])
def move_row(
    e: Emitter,
    variant: int,
    x: Bytes,  # IN, (stride,), a row of doubles or floats
    centre: Doubles,  # IN, (stride,)
    scale: Doubles,  # IN, (stride,), zero beyond the last feature
    stride: Count,  # a multiple of W
    weight: Real,
    new_centre: Doubles,  # IN, (stride,)
    old_centre: Doubles,  # IN, (stride,), as old_sum only for AGAIN
    new_sum: Doubles,  # IN-OUT, (stride,)
    old_sum: Doubles,  # IN-OUT, (stride,)
    gain: Doubles,  # IN-OUT, (W,), by lanes
) -> None:
    """``new_sum += w z`` for a row's FIRST label. AGAIN, also
    ``old_sum -= w z; gain += w ((z - old_centre)^2 - (z - new_centre)^2)``.
    ABOUT its own label, ``gain += w (z - new_centre)^2``.
    """
    x = e.builder.bitcast(x, (FLOAT if variant & SINGLE_ROW else DOUBLE).as_pointer())
    w = e.splat(weight)

    def block(j: ir.Value, carried: list) -> list:
        z = e.sub(e.load(x, j), e.load(centre, j))
        z = e.mul(z, e.load(scale, j))
        moved = e.mul(w, z)
        e.store(e.add(e.load(new_sum, j), moved), new_sum, j)
        near = e.sub(z, e.load(new_centre, j))
        if variant & ABOUT:
            return [e.fmuladd(near, near, carried[0])]
        if not variant & AGAIN:
            return carried
        e.store(e.sub(e.load(old_sum, j), moved), old_sum, j)
        far = e.sub(z, e.load(old_centre, j))
        return [e.minus_square(near, e.fmuladd(far, far, carried[0]))]

    fall = e.loop(stride, [e.constant(0.0)], block, step=e.width)[0]
    e.store(e.fmuladd(w, fall, e.load(gain)), gain)
