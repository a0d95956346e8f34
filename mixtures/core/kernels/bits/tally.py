"""Layer 2 on rows of bits: rows that surely belong to one component are counted, not summed.

Where features are many, the other components' responsibilities together are below 2**-53 for
nearly every row: the largest is 1, to the last bit. Such rows add ones to the sums of their own
component, so bytes can count them, many features at a time; what they would add to the sums of
the others, 1e-16 of a row, is left out.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import Bytes, Count, Doubles, Labels, micro_kernel
from ..vectors import BYTE, INT32, Emitter

STEPS = 32, 8, 1  # nibbles that are counted together, as long as there are so many left
FULL = 255  # rows that a byte can count


@micro_kernel([0])
def find_sure(
    e: Emitter,
    variant: int,
    R: Doubles,  # IN, (k, ld)
    ld: Count,
    k: Count,
    rows: Count,  # a multiple of W
    found: Labels,  # OUT, (rows,)
) -> None:
    """``found = where(R.max(axis=0) == 1, R.argmax(axis=0), -1)``"""
    integers = ir.VectorType(INT32, e.width)

    def block(t: ir.Value, _: list) -> list:
        def component(c: ir.Value, best: list) -> list:
            index = e.splat(e.builder.sitofp(c, e.element))
            sure = e.equal(e.load(R, e.times(c, ld), t), e.constant(1.0))
            return [e.select(sure, index, best[0])]

        where = e.loop(k, [e.constant(-1.0)], component)[0]
        e.store(e.builder.fptosi(where, integers), found, t)
        return []

    e.loop(rows, [], block, step=e.width)


@micro_kernel([0])
def tally_rows(
    e: Emitter,
    variant: int,
    nibbles: Bytes,  # IN, (rows, width)
    width: Count,
    found: Labels,  # IN, (rows,), a row's component, or -1
    rows: Count,
    tally: Bytes,  # IN-OUT, (k, 4, stride), with room for `rows` more in each byte
    stride: Count,  # at least width
) -> None:
    """``tally[found, t] += (nibbles >> t) & 1`` for t < 4, row by row"""
    b = e.builder

    def count(step: int, source: ir.Value, target: ir.Value) -> None:
        """Add the four bits of what is at `source` to the four planes at `target`."""
        kind = ir.VectorType(BYTE, step)

        def constant(value: int) -> ir.Value:
            return ir.Constant(kind, [value] * step)

        def at(base: ir.Value, offset: ir.Value) -> ir.Value:
            return b.bitcast(b.gep(base, [offset]), kind.as_pointer())

        bits = b.load(at(nibbles, source), align=1)
        for t in range(4):
            place = at(tally, e.at(target, e.times(stride, t)))
            one = b.and_(b.lshr(bits, constant(t)), constant(1))
            b.store(b.add(b.load(place, align=1), one), place, align=1)

    def row(r: ir.Value, _: list) -> list:
        c = b.sext(e.scalar(found, r), e.int(0).type)
        with b.if_then(b.icmp_signed(">=", c, e.int(0))):
            begin, line = e.times(r, width), e.times(c, e.times(stride, 4))

            done: ir.Value = e.int(0)
            for step in STEPS:

                def some(q: ir.Value, _: list, step: int = step) -> list:
                    count(step, e.at(begin, q), e.at(line, q))
                    return []

                end = b.and_(width, e.int(-step))
                e.loop(end, [], some, step=step, start=done)
                done = end
        return []

    e.loop(rows, [], row)
