"""Layer 2 of the E-step on CSR rows: stored numbers times a line of coefficients, and back.

Coefficients have one line per feature, a vector of components: what a row stores meets only the
lines of its own features. Vectors are of at most four doubles, which leaves fewer lanes idle.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import WIDTH, Count, Doubles, Integers, micro_kernel
from ..vectors import Emitter

LANES = min(WIDTH, 4)
HEIGHT = 6 if WIDTH == 8 else 4  # vectors of a tile of components


@micro_kernel(range(1, HEIGHT + 1), width=LANES)
def multiply_rows(
    e: Emitter,
    height: int,
    z: Doubles,  # IN, numbers of all rows
    at: Integers,  # IN, their features
    begins: Integers,  # IN, (rows + 1,), where each row begins, then where the last one ends
    rows: Count,
    across: Doubles,  # IN, (d, stride), at the tile's first component
    stride: Count,
    values: Doubles,  # IN-OUT, (rows, stride), at the tile's first component
) -> None:
    """``values += Z @ across``"""

    def row(r: ir.Value, _: list) -> list:
        slots = [e.at(e.times(r, stride), v * e.width) for v in range(height)]

        def number(p: ir.Value, sums: list) -> list:
            x, line = e.broadcast(z, p), e.times(e.scalar(at, p), stride)
            return [
                e.fmuladd(x, e.load(across, line, v * e.width), total)
                for v, total in enumerate(sums)
            ]

        begin, end = e.scalar(begins, r), e.scalar(begins, r, 1)
        sums = e.loop(end, [e.load(values, slot) for slot in slots], number, start=begin)
        for slot, value in zip(slots, sums, strict=True):
            e.store(value, values, slot)
        return []

    e.loop(rows, [], row)


@micro_kernel(range(1, HEIGHT + 1), width=LANES)
def scatter_rows(
    e: Emitter,
    height: int,
    z: Doubles,  # IN, numbers of all rows
    at: Integers,  # IN, their features
    begins: Integers,  # IN, (rows + 1,)
    rows: Count,
    R: Doubles,  # IN, (rows, stride), at the tile's first component
    sums: Doubles,  # IN-OUT, (d, stride), at the tile's first component
    stride: Count,
) -> None:
    """``sums += Z.T @ R``"""

    def row(r: ir.Value, _: list) -> list:
        weights = [e.load(R, e.times(r, stride), v * e.width) for v in range(height)]

        def number(p: ir.Value, _: list) -> list:
            x, line = e.broadcast(z, p), e.times(e.scalar(at, p), stride)
            for v, weight in enumerate(weights):
                slot = e.at(line, v * e.width)
                e.store(e.fmuladd(x, weight, e.load(sums, slot)), sums, slot)
            return []

        e.loop(e.scalar(begins, r, 1), [], number, start=e.scalar(begins, r))
        return []

    e.loop(rows, [], row)
