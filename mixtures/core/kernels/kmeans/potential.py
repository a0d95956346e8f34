"""Layers 2 and 3 of seeding: what each of a few candidates would leave of the potential."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from ..microkernel import WIDTH as W
from ..microkernel import Bytes, Count, Doubles, Floats, Real, address, micro_kernel
from ..rows import copy_tail
from ..scratch import CACHE, aligned, up
from ..steps import inline, load_block
from ..tiles import LINEAR_HEIGHT, VECTORS
from ..vectors import Emitter
from .dots import DOT_HEIGHT, FLOAT_ROWS, ROWS, SQUARED, dot_tile
from .scratch import AUTOMATIC, LENGTHWISE, choose

NEW_SEED = 16
"""Flag of the tile whose first candidate is the seed to take into account."""

# Places in the plan. Sizes:
D, K, BLOCK, LD, PATH = range(5)
# Offsets in the buffer, in doubles:
Z, CLOSEST, WEIGHT, CENTRE, SCALE, UNIT, TAIL, CANDIDATES, SUMS, MASK = range(5, 15)
HEADER = 15


@micro_kernel([f | h for f in (0, NEW_SEED) for h in range(1, LINEAR_HEIGHT + 1)])
def price_tile(
    e: Emitter,
    variant: int,
    candidates: Doubles,  # IN, (d, k) at the tile's first candidate
    k: Count,
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    weight: Doubles,  # IN, (rows,), zero for padding
    closest: Floats,  # IN-OUT, (rows,), squared distance to the nearest seed
    sums: Doubles,  # IN-OUT, (height, W), by lanes
    ahead: Bytes,  # IN, the next block
    step: Count,  # bytes to ask for per feature and strip
) -> None:
    """``closest = min(closest, squared[0]); sums += minimum(closest, squared) @ weight``"""
    height = variant & ~NEW_SEED

    def strip(t: ir.Value, carried: list) -> list:
        (line,) = carried

        def feature(j: ir.Value, squared: list) -> list:
            offset = e.at(line, e.times(j, step))
            e.prefetch(ahead, offset)
            e.prefetch(ahead, e.at(offset, 64))
            z = [e.load(Z, e.times(j, ld), t, v * e.width) for v in range(VECTORS)]
            at = e.times(j, k)
            c = [x for n in range(height) for x in [e.broadcast(candidates, at, n)] * VECTORS]
            terms = [e.sub(z[n % VECTORS], x) for n, x in enumerate(c)]
            return [e.fmuladd(x, x, total) for x, total in zip(terms, squared, strict=True)]

        squared = e.loop(d, [e.constant(0.0)] * (VECTORS * height), feature)
        for v in range(VECTORS):
            at = e.at(t, v * e.width)
            nearest, w = e.load(closest, at), e.load(weight, at)
            if variant & NEW_SEED:
                nearest = e.smaller(squared[v], nearest)
                e.store(nearest, closest, at)
            for n in range(height):
                price, slot = e.smaller(squared[VECTORS * n + v], nearest), e.int(n * e.width)
                e.store(e.fmuladd(w, price, e.load(sums, slot)), sums, slot)
        return [e.at(line, e.times(d, step))]

    e.loop(rows, [e.int(0)], strip, step=VECTORS * e.width)


@micro_kernel([0])
def price_lines(
    e: Emitter,
    variant: int,
    values: Doubles,  # IN, (k, ld), squared distances
    ld: Count,
    k: Count,
    rows: Count,  # a multiple of W
    factor: Real,
    weight: Doubles,  # IN, (rows,), zero for padding
    closest: Floats,  # IN-OUT, (rows,), squared distance to the nearest seed
    sums: Doubles,  # IN-OUT, (k, W), by lanes
) -> None:
    """As `price_tile`, of ``factor * values``."""
    scale = e.splat(factor)

    def block(t: ir.Value, _: list) -> list:
        nearest = e.smaller(e.mul(e.load(values, t), scale), e.load(closest, t))
        w = e.load(weight, t)
        e.store(nearest, closest, t)

        def candidate(c: ir.Value, _: list) -> list:
            price = e.smaller(e.mul(e.load(values, e.times(c, ld), t), scale), nearest)
            slot = e.times(c, e.width)
            e.store(e.fmuladd(w, price, e.load(sums, slot)), sums, slot)
            return []

        e.loop(k, [], candidate)
        return []

    e.loop(rows, [], block, step=e.width)


class SeedingWorkspace:
    """Scratch memory of one thread; see `seeding_workspace`."""

    __slots__ = ("buffer", "plan", "shape")

    def __init__(self, d: int, k: int, path: int = AUTOMATIC) -> None:
        stride = up(d + 1, max(W, 8))
        path = choose(d, k) if path == AUTOMATIC else path
        block = min(max(CACHE // (8 * (d + 8)) // 32 * 32, 32), 256)
        ld = block + 8
        sizes = {
            Z: max(stride, k) * ld, CLOSEST: ld, WEIGHT: ld,
            CENTRE: stride, SCALE: stride, UNIT: 16,
            TAIL: 4 * W * d + 2 * W + stride, CANDIDATES: stride * k, SUMS: k * W, MASK: stride,
        }  # fmt: skip
        self.plan = np.zeros(HEADER, np.int64)
        self.plan[: PATH + 1] = d, k, block, ld, path
        end = 0
        for place, size in sizes.items():
            self.plan[place] = end
            end = up(end + size, 8)
        self.buffer = aligned(end)
        self.buffer[self.plan[MASK] : self.plan[MASK] + d] = 1.0
        unit = self.plan[UNIT]
        self.buffer[unit + 8 : unit + 16] = 1.0
        self.shape = (k, d)


@inline
def price_block(k, d, ld, Z, candidates, weight, closest, sums, padded, ahead, step):
    """All candidates' prices of a block, tile by tile; the first tile fetches the next block."""
    tiles = (k + LINEAR_HEIGHT - 1) // LINEAR_HEIGHT
    first, flag = 0, NEW_SEED
    for t in range(tiles):
        h = (k - first) // (tiles - t)
        price_tile(flag | h, candidates + 8 * first, k, Z, ld, d, padded, weight, closest,
                   sums + 8 * W * first, ahead, step)  # fmt: skip
        first, flag, step = first + h, 0, 0


@inline
def price_lengthwise(x, itemsize, n, start, size, padded, weight, closest, sums, buffer, plan):
    """All candidates' prices of a block, from rows as they lie."""
    d, k, ld, base = plan[D], plan[K], plan[LD], address(buffer)
    stride = (d + W - 1) // W * W
    values, tail, mask = base + 8 * plan[Z], base + 8 * plan[TAIL], base + 8 * plan[MASK]
    frame, at = base + 8 * plan[CENTRE], base + 8 * plan[CANDIDATES]
    tiles = (k + DOT_HEIGHT - 2) // (DOT_HEIGHT - 1)
    row_bytes = d * itemsize
    flag = SQUARED
    if itemsize == 4:
        flag += FLOAT_ROWS
    for s in range(0, padded, ROWS):
        source = x + (start + s) * row_bytes
        if (n - start - s) * d < (ROWS - 1) * d + stride or s + ROWS > size:
            there = max(min(size - s, ROWS), 0)
            copy_tail(0, source, there * row_bytes, tail, ((ROWS - 1) * d + stride) * itemsize)
            source = tail
        ahead, first = source + ROWS * row_bytes, 0
        for t in range(tiles):
            h = (k - first) // (tiles - t)
            dot_tile(
                flag | h, source, d, frame, at + 8 * first * stride, stride, mask,
                values + 8 * (first * ld + s), ld, values, ahead, row_bytes,
            )  # fmt: skip
            first += h
            ahead = ahead + 2 * row_bytes if t == 0 else source
    scale = buffer[plan[SCALE]]
    price_lines(0, values, ld, k, padded, scale * scale, weight, closest, sums)


def potentials(
    rows,  # IN, (5,) integers, see `sweep`
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    candidates,  # IN, (k, d)
    closest,  # IN-OUT, (hi - lo,), float32
    sums,  # IN-OUT, (k,)
    buffer, plan,  # IN-OUT, the workspace
):  # fmt: skip
    """See `plain.potentials`."""
    n, x, itemsize, weights, weight_size = rows[0], rows[1], rows[2], rows[3], rows[4]
    d, k, ld, block, base = plan[D], plan[K], plan[LD], plan[BLOCK], address(buffer)
    Zs, weight, tail = base + 8 * plan[Z], base + 8 * plan[WEIGHT], base + 8 * plan[TAIL]
    unit, frame, scales = base + 8 * plan[UNIT], base + 8 * plan[CENTRE], base + 8 * plan[SCALE]
    near, prices, at = base + 8 * plan[CLOSEST], base + 8 * plan[SUMS], base + 8 * plan[CANDIDATES]
    stride = (d + W - 1) // W * W
    for j in range(d):
        buffer[plan[CENTRE] + j], buffer[plan[SCALE] + j] = centre[j], scale[j]
        for c in range(k):
            if plan[PATH] == LENGTHWISE:
                buffer[plan[CANDIDATES] + c * stride + j] = candidates[c, j] / scale[j]
            else:
                buffer[plan[CANDIDATES] + j * k + c] = candidates[c, j]
    for i in range(k * W):
        buffer[plan[SUMS] + i] = 0.0
    for s in range(block):
        buffer[plan[WEIGHT] + s] = 1.0
    for start in range(lo, hi, block):
        size = min(block, hi - start)
        padded = (size + VECTORS * W - 1) // (VECTORS * W) * (VECTORS * W)
        if weights != 0:
            load_block(weights, weight_size, n, 1, start, size, padded, unit, unit + 64, weight, ld,
                       tail)  # fmt: skip
        for s in range(size, padded):
            buffer[plan[WEIGHT] + s] = 0.0
        mine = address(closest) + 4 * (start - lo)
        copy_tail(0, mine, 4 * size, near, 4 * padded)
        if plan[PATH] == LENGTHWISE:
            price_lengthwise(
                x, itemsize, n, start, size, padded, weight, near, prices, buffer, plan
            )
        else:
            load_block(x, itemsize, n, d, start, size, padded, frame, scales, Zs, ld, tail)
            price_block(k, d, ld, Zs, at, weight, near, prices, padded,
                        x + (start + block) * d * itemsize, VECTORS * W * itemsize)  # fmt: skip
        copy_tail(0, near, 4 * size, mine, 4 * size)
    for c in range(k):
        for lane in range(W):
            sums[c] += buffer[plan[SUMS] + c * W + lane]
