"""Layer 2 on rows of bits: sums are looked up, four bits at a time, and never multiplied.

A nibble has sixteen values. For the E-step there is, for each nibble of a row, a table of what each
value adds to the components' discriminants: a row costs d / 4 additions a component. For the
M-step it is the other way round (the four Russians' way to multiply by a matrix of bits): there is,
for each four rows, a table of the sums of each subset of their responsibilities, and four rows of a
feature are one value.

Vectors run over components, of which there may be few: they are of at most four doubles, which
leaves fewer lanes idle, and a CPU that loads one vector of eight loads two of four in that time.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import WIDTH, Bytes, Count, Doubles, micro_kernel
from ..vectors import INT, Emitter

LANES = min(WIDTH, 4)
HEIGHT = 3  # vectors of a tile of components: fewer of more tables fit into the level-1 cache
REGISTERS = 24 if WIDTH == 8 else 12  # for sums under way


def side_by_side(height: int) -> int:
    """Rows or features, a power of two, whose sums of `height` vectors fill the registers."""
    count = 8
    while count > 1 and count * height > REGISTERS:
        count //= 2
    return count


def _entry(e: Emitter, codes: ir.Value, at: ir.Value, height: int) -> ir.Value:
    """Where in its table the entry of the code at `at` is, in doubles."""
    code = e.builder.zext(e.scalar(codes, at), INT)
    return e.times(code, height * e.width)


@micro_kernel(range(1, HEIGHT + 1), width=LANES)
def look_up_rows(
    e: Emitter,
    height: int,
    tables: Doubles,  # IN, (count, 16, height * LANES)
    count: Count,
    nibbles: Bytes,  # IN, (rows, stride), at the first of `count` in a row
    stride: Count,
    rows: Count,
    out: Doubles,  # IN-OUT, (rows, line), at the tile's first component
    line: Count,
) -> None:
    """``out += sum_q tables[q, nibbles[:, q]]``"""
    size = height * e.width

    def several(group: int):
        def body(r: ir.Value, _: list) -> list:
            slots = [
                e.at(e.times(e.at(r, i), line), v * e.width)
                for i in range(group)
                for v in range(height)
            ]
            begin = [e.times(e.at(r, i), stride) for i in range(group)]

            def nibble(q: ir.Value, sums: list) -> list:
                table, found = e.times(q, 16 * size), []
                for i in range(group):
                    entry = e.at(table, _entry(e, nibbles, e.at(begin[i], q), height))
                    for v in range(height):
                        value = e.load(tables, entry, v * e.width)
                        found.append(e.add(sums[i * height + v], value))
                return found

            sums = e.loop(count, [e.load(out, slot) for slot in slots], nibble)
            for slot, value in zip(slots, sums, strict=True):
                e.store(value, out, slot)
            return []

        return body

    group = side_by_side(height)
    whole = e.builder.and_(rows, e.int(-group))
    e.loop(whole, [], several(group), step=group)
    e.loop(rows, [], several(1), start=whole)


@micro_kernel(range(1, HEIGHT + 1), width=LANES)
def subset_sums(
    e: Emitter,
    height: int,
    R: Doubles,  # IN, (4 groups, line), at the tile's first component
    line: Count,
    groups: Count,
    tables: Doubles,  # OUT, (groups, 16, height * LANES)
) -> None:
    """``tables[g, m] = sum of R[4 g + t] over the bits t of m``"""
    size = height * e.width

    def group(g: ir.Value, _: list) -> list:
        for v in range(height):
            rows = [e.load(R, e.times(e.at(e.times(g, 4), t), line), v * e.width) for t in range(4)]
            sums = [e.constant(0.0)]
            for row in rows:
                sums += [row, *(e.add(known, row) for known in sums[1:])]
            for m, value in enumerate(sums):
                e.store(value, tables, e.times(g, 16 * size), m * size + v * e.width)
        return []

    e.loop(groups, [], group)


@micro_kernel(range(1, HEIGHT + 1), width=LANES)
def look_up_features(
    e: Emitter,
    height: int,
    tables: Doubles,  # IN, (groups, 16, height * LANES)
    groups: Count,
    columns: Bytes,  # IN, (groups, features): bit t of a byte is row 4 g + t
    features: Count,  # a multiple of 8
    sums: Doubles,  # IN-OUT, (features, height * LANES)
) -> None:
    """``sums += sum_g tables[g, columns[g]]``"""
    size, group = height * e.width, side_by_side(height)

    def several(j: ir.Value, _: list) -> list:
        slots = [
            e.at(e.times(e.at(j, i), size), v * e.width)
            for i in range(group)
            for v in range(height)
        ]

        def one(g: ir.Value, totals: list) -> list:
            table, begin, found = e.times(g, 16 * size), e.at(e.times(g, features), j), []
            for i in range(group):
                entry = e.at(table, _entry(e, columns, e.at(begin, i), height))
                for v in range(height):
                    value = e.load(tables, entry, v * e.width)
                    found.append(e.add(totals[i * height + v], value))
            return found

        totals = e.loop(groups, [e.load(sums, slot) for slot in slots], one)
        for slot, value in zip(slots, totals, strict=True):
            e.store(value, sums, slot)
        return []

    e.loop(features, [], several, step=group)
