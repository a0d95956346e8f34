"""Layer 2: discriminant values of one block, a tile of components at a time.

A tile of `height` components times two vectors of rows stays in registers while the features go
by; one coefficient is broadcast against two vectors. The heights fill the register file: 32
vector registers with AVX-512, 16 otherwise. While they compute, the kernels ask the memory for
the next block, two cache lines per step: a burst of requests would find no free line buffers.
"""

from __future__ import annotations

from llvmlite import ir

from .microkernel import WIDTH, Bytes, Count, Doubles, micro_kernel
from .vectors import Emitter

VECTORS = 2  # of rows, in every tile
LARGE = WIDTH == 8
TRIANGULAR_HEIGHT = 6 if LARGE else 3  # 2 x 2 x height registers: sums of squares and terms
DIAGONAL_HEIGHT = 8 if LARGE else 5
LINEAR_HEIGHT = 12 if LARGE else 6


def _each_strip(e: Emitter, rows: ir.Value, ahead: ir.Value, step: ir.Value, d: ir.Value, body):
    """Run `body(t, ask)` for every strip of rows; `ask(j)` prefetches what strip t needs next."""
    width = VECTORS * e.width

    def strip(t: ir.Value, carried: list) -> list:
        (line,) = carried

        def ask(j: ir.Value) -> None:
            offset = e.at(line, e.times(j, step))
            e.prefetch(ahead, offset)
            e.prefetch(ahead, e.at(offset, 64))

        body(t, ask)
        return [e.at(line, e.times(d, step))]

    e.loop(rows, [e.int(0)], strip, step=width)


def _rows(e: Emitter, Z: ir.Value, line: ir.Value, t: ir.Value) -> list[ir.Value]:
    return [e.load(Z, line, t, v * e.width) for v in range(VECTORS)]


def _spread(e: Emitter, height: int, base: ir.Value, *offset: ir.Value) -> list[ir.Value]:
    """One coefficient per component of the tile, for each of its vectors of rows."""
    return [c for k in range(height) for c in [e.broadcast(base, *offset, k)] * VECTORS]


def _store(e: Emitter, tile: list, out: ir.Value, ld: ir.Value, t: ir.Value) -> None:
    for i, value in enumerate(tile):
        e.store(value, out, e.times(ld, i // VECTORS), t, i % VECTORS * e.width)


@micro_kernel(range(1, TRIANGULAR_HEIGHT + 1))
def triangular_tile(
    e: Emitter,
    height: int,
    slopes: Doubles,  # IN, (d(d+1)/2, k) at the tile's first component, as all that follow
    offsets: Doubles,  # IN, (d, k)
    bias: Doubles,  # IN, (k,)
    k: Count,
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    values: Doubles,  # OUT, (height, ld)
    ahead: Bytes,  # IN, the next block
    step: Count,  # bytes to ask for per feature and strip
) -> None:
    """``values[c] = bias[c] - ((offsets[:, c, None] + tril(slopes[c]) @ Z) ** 2).sum(axis=0)``

    All components of the tile walk through the triangle together, so it needs no padding; terms
    are formed before they are squared, so errors grow with the distance, not with its square.
    """

    def body(t: ir.Value, ask) -> None:
        def line(i: ir.Value, carried: list) -> list:
            ask(i)
            at, sums = carried[0], carried[1:]
            terms = _spread(e, height, offsets, e.times(i, k))

            def column(j: ir.Value, carried: list) -> list:
                at, terms = carried[0], carried[1:]
                z = _rows(e, Z, e.times(j, ld), t)
                u = _spread(e, height, slopes, at)
                terms = [e.fmuladd(u[n], z[n % VECTORS], term) for n, term in enumerate(terms)]
                return [e.at(at, k), *terms]

            at, *terms = e.loop(e.at(i, 1), [at, *terms], column)
            return [at, *(e.minus_square(y, s) for y, s in zip(terms, sums, strict=True))]

        _store(e, e.loop(d, [e.int(0), *_spread(e, height, bias)], line)[1:], values, ld, t)

    _each_strip(e, rows, ahead, step, d, body)


@micro_kernel(range(1, DIAGONAL_HEIGHT + 1))
def diagonal_tile(
    e: Emitter,
    height: int,
    slopes: Doubles,  # IN, (d, k) at the tile's first component, as all that follow
    offsets: Doubles,  # IN, (d, k)
    bias: Doubles,  # IN, (k,)
    k: Count,
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    values: Doubles,  # OUT, (height, ld)
    ahead: Bytes,  # IN, the next block
    step: Count,  # bytes to ask for per feature and strip
) -> None:
    """``values[c] = bias[c] - ((slopes[:, [c]] * Z + offsets[:, [c]]) ** 2).sum(axis=0)``"""

    def body(t: ir.Value, ask) -> None:
        def feature(j: ir.Value, sums: list) -> list:
            ask(j)
            z = _rows(e, Z, e.times(j, ld), t)
            line = e.times(j, k)
            s, o = _spread(e, height, slopes, line), _spread(e, height, offsets, line)
            return [
                e.minus_square(e.fmuladd(s[n], z[n % VECTORS], o[n]), total)
                for n, total in enumerate(sums)
            ]

        _store(e, e.loop(d, _spread(e, height, bias), feature), values, ld, t)

    _each_strip(e, rows, ahead, step, d, body)


@micro_kernel(range(1, LINEAR_HEIGHT + 1))
def linear_tile(
    e: Emitter,
    height: int,
    slopes: Doubles,  # IN, (d, k) at the tile's first component, as all that follow
    bias: Doubles,  # IN, (k,)
    k: Count,
    Z: Doubles,  # IN, (d, ld)
    ld: Count,
    d: Count,
    rows: Count,  # a multiple of 2W
    values: Doubles,  # OUT, (height, ld)
    ahead: Bytes,  # IN, the next block
    step: Count,  # bytes to ask for per feature and strip
) -> None:
    """``values[c] = bias[c] + slopes[:, c] @ Z``"""

    def body(t: ir.Value, ask) -> None:
        def feature(j: ir.Value, sums: list) -> list:
            ask(j)
            z = _rows(e, Z, e.times(j, ld), t)
            s = _spread(e, height, slopes, e.times(j, k))
            return [e.fmuladd(s[n], z[n % VECTORS], total) for n, total in enumerate(sums)]

        _store(e, e.loop(d, _spread(e, height, bias), feature), values, ld, t)

    _each_strip(e, rows, ahead, step, d, body)
