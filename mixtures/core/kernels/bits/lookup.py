"""Layer 2 on rows of bits: sums are looked up, four bits at a time, and never multiplied.

A nibble has sixteen values. For the E-step there is, for each nibble of a row, a table of what each
value adds to the components' discriminants: a row costs d / 4 additions a component. For the
M-step it is the other way round (the four Russians' way to multiply by a matrix of bits): there is,
for each four rows, a table of the sums of each subset of their responsibilities, and four rows of a
feature are one value.

A tile is of eight components, so that an entry of a table is one cache line, or of four where four
are left. Tables are read as fast as the CPU can load, so everything else must be little: a word of
eight codes is loaded at a time, and tables that are used together fit into the level-1 cache.
"""

from __future__ import annotations

from llvmlite import ir

from ..microkernel import WIDTH, Bytes, Count, Doubles, micro_kernel
from ..vectors import INT, Emitter

TILE, HALF = 8, 4  # components
WORD = 8  # codes
AHEAD, LINE = 16, 64  # bytes; a burst of requests would find no free line buffers
ROWS = 8 if WIDTH == 8 else 4  # whose sums are under way at a time


def _codes(e: Emitter, bytes_: ir.Value, at: ir.Value, count: int) -> list[ir.Value]:
    """Some consecutive codes, of a byte each, by one load."""
    b, word = e.builder, ir.IntType(8 * count)
    loaded = b.load(b.bitcast(b.gep(bytes_, [at]), word.as_pointer()), align=1)
    loaded = loaded if count == 8 else b.zext(loaded, INT)
    return [b.and_(b.lshr(loaded, e.int(8 * i)), e.int(15)) for i in range(count)]


@micro_kernel([HALF, TILE])
def look_up_rows(
    e: Emitter,
    lanes: int,
    tables: Doubles,  # IN, (count, 16, lanes)
    count: Count,
    nibbles: Bytes,  # IN, (rows, stride), at the first of `count` in a row
    stride: Count,
    rows: Count,
    out: Doubles,  # IN-OUT, (rows, line), at the tile's first component
    line: Count,
    ahead: Bytes,  # IN, what will be read soon: `AHEAD` bytes a row of it are asked for
) -> None:
    """``out += sum_q tables[q, nibbles[:, q]]``"""
    e = Emitter(e.builder, lanes)
    words = e.builder.and_(count, e.int(-WORD))

    def several(group: int):
        def body(r: ir.Value, _: list) -> list:
            for offset in range(0, group * AHEAD, LINE):
                e.prefetch(ahead, e.at(e.times(r, AHEAD), offset))
            slots = [e.times(e.at(r, i), line) for i in range(group)]
            begin = [e.times(e.at(r, i), stride) for i in range(group)]

            def looked_up(many: int):
                def step(q: ir.Value, sums: list) -> list:
                    here, sums = e.builder.gep(tables, [e.times(q, 16 * lanes)]), list(sums)
                    for i in range(group):
                        for t, code in enumerate(_codes(e, nibbles, e.at(begin[i], q), many)):
                            entry = e.load(here, e.times(code, lanes), t * 16 * lanes)
                            sums[i] = e.add(sums[i], entry)
                    return sums

                return step

            sums = e.loop(words, [e.load(out, slot) for slot in slots], looked_up(WORD), step=WORD)
            sums = e.loop(count, sums, looked_up(1), start=words)
            for slot, value in zip(slots, sums, strict=True):
                e.store(value, out, slot)
            return []

        return body

    whole = e.builder.and_(rows, e.int(-ROWS))
    e.loop(whole, [], several(ROWS), step=ROWS)
    e.loop(rows, [], several(1), start=whole)


@micro_kernel([HALF, TILE])
def subset_sums(
    e: Emitter,
    lanes: int,
    R: Doubles,  # IN, (4 groups, line), at the tile's first component
    line: Count,
    groups: Count,
    tables: Doubles,  # OUT, (groups, 16, lanes)
) -> None:
    """``tables[g, m] = sum of R[4 g + t] over the bits t of m``"""
    e = Emitter(e.builder, lanes)

    def group(g: ir.Value, _: list) -> list:
        sums = [e.constant(0.0)]
        for t in range(4):
            row = e.load(R, e.times(e.at(e.times(g, 4), t), line))
            sums += [row, *(e.add(known, row) for known in sums[1:])]
        for m, value in enumerate(sums):
            e.store(value, tables, e.times(g, 16 * lanes), m * lanes)
        return []

    e.loop(groups, [], group)


@micro_kernel([HALF, TILE])
def look_up_features(
    e: Emitter,
    lanes: int,
    tables: Doubles,  # IN, (groups, 16, lanes)
    groups: Count,
    columns: Bytes,  # IN, (groups, features): bit t of a byte is row 4 g + t
    features: Count,  # a multiple of 8
    sums: Doubles,  # IN-OUT, (features, lanes)
) -> None:
    """``sums += sum_g tables[g, columns[g]]``"""
    e = Emitter(e.builder, lanes)

    def several(j: ir.Value, _: list) -> list:
        slots = [e.times(e.at(j, i), lanes) for i in range(ROWS)]

        def one(g: ir.Value, totals: list) -> list:
            here = e.builder.gep(tables, [e.times(g, 16 * lanes)])
            codes = _codes(e, columns, e.at(e.times(g, features), j), ROWS)
            return [
                e.add(total, e.load(here, e.times(code, lanes)))
                for total, code in zip(totals, codes, strict=True)
            ]

        totals = e.loop(groups, [e.load(sums, slot) for slot in slots], one)
        for slot, value in zip(slots, totals, strict=True):
            e.store(value, sums, slot)
        return []

    e.loop(features, [], several, step=ROWS)
