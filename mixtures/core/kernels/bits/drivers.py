"""Layer 3 on rows of bits: the range driver, and the tables of a sweep.

`space` is what `workspace` of `compiled.py` returns: the values of a block by row and by
component, tables of subset sums, sums by feature, and the row weights and log-norms of a block.
"""

from __future__ import annotations

from numba import njit

from ..assignment import BULK, HARD, SOFT, TEMPERED, responsibilities
from ..microkernel import WIDTH as W
from ..microkernel import address
from ..rows import to_rows
from ..steps import inline
from .lookup import LANES, look_up_features, look_up_rows, subset_sums
from .tally import FULL, find_sure, tally_rows

TABLES = 3072  # doubles, 24 KiB, of tables that are used together: they stay in the level-1 cache
SUMS, POSTERIOR, VALUES, GIVEN = 0, 1, 2, 3  # what a sweep is for


def tables_of(
    slopes, offsets,  # IN, (d, k)
    tiles,  # IN, (tiles + 1,): the vectors at which tiles of components begin, and the end
    tables,  # OUT, flat: (ceil(d / 4), 16, lanes of the tile) for each tile
):  # fmt: skip
    """What each value of each nibble of a row adds to the components' discriminants."""
    d, k = slopes.shape
    at = 0
    for tile in range(len(tiles) - 1):
        first, size = tiles[tile] * LANES, (tiles[tile + 1] - tiles[tile]) * LANES
        wide = min(size, k - first)
        for q in range((d + 3) // 4):
            for m in range(16):
                for c in range(size):
                    tables[at + c] = 0.0
                for j in range(4 * q, min(4 * q + 4, d)):
                    if (m >> (j - 4 * q)) & 1:
                        for c in range(wide):
                            tables[at + c] += slopes[j, first + c]
                    else:
                        for c in range(wide):
                            tables[at + c] += offsets[j, first + c]
                at += size


@njit(error_model="numpy")
def columns_of(nibbles, columns):  # IN (n, Q); OUT (ceil(n / 4), up(d, 8)), zeros
    """Four rows of a feature to a byte: the nibbles of four rows, transposed."""
    n, width = nibbles.shape
    for g in range((n + 3) // 4):
        for i in range(4 * g, min(4 * g + 4, n)):
            for q in range(width):
                code = nibbles[i, q]
                for t in range(4):
                    columns[g, 4 * q + t] |= ((code >> t) & 1) << (i - 4 * g)


@inline
def score_block(nibbles, start, size, tiles, tables, bias, values, turned):
    """Discriminant values of a block: by row in `values`, by component in `turned`."""
    width, line, most = nibbles.shape[1], values.shape[1], turned.shape[1]
    for s in range(size):
        for c in range(line):
            values[s, c] = bias[c]
    for tile in range(len(tiles) - 1):
        first, height = tiles[tile] * LANES, tiles[tile + 1] - tiles[tile]
        chunk = max(TABLES // (16 * height * LANES), 1)
        for q in range(0, width, chunk):
            look_up_rows(
                height, address(tables) + 8 * 16 * (first * width + q * height * LANES),
                min(chunk, width - q), address(nibbles) + start * width + q, width, size,
                address(values) + 8 * first, line,
            )  # fmt: skip
    padded = (size + W - 1) // W * W
    to_rows(0, address(values), line, padded, line, address(turned), most)


@inline
def by_row(turned, size, k, values, counts):
    """Responsibilities of a block by row, and added up."""
    line, most = values.shape[1], turned.shape[1]
    padded = (size + W - 1) // W * W
    for c in range(k, line):
        for s in range(padded):
            turned[c, s] = 0.0
    to_rows(0, address(turned), most, line, padded, address(values), line)
    for s in range(size):  # one addition a row for whole vectors of components
        for c in range(line):
            counts[c] += values[s, c]


@inline
def sum_rows(columns, group, size, tiles, R, subsets, sums):
    """Add what the responsibilities R of rows give to the features, from one group of four on."""
    features, line = columns.shape[1], R.shape[1]
    groups = (size + 3) // 4
    for s in range(size, 4 * groups):
        for c in range(line):
            R[s, c] = 0.0
    for tile in range(len(tiles) - 1):
        first, height = tiles[tile] * LANES, tiles[tile + 1] - tiles[tile]
        room = len(subsets) // (16 * height * LANES)
        for g in range(0, groups, room):
            here = min(room, groups - g)
            subset_sums(
                height, address(R) + 8 * (4 * g * line + first), line, here, address(subsets)
            )
            look_up_features(
                height, address(subsets), here, address(columns) + (group + g) * features,
                features, address(sums) + 8 * features * first,
            )  # fmt: skip


@inline
def sure_rows(turned, size, k, found):
    """Name the component of each row that surely has one; how many rows do."""
    padded = (size + W - 1) // W * W
    find_sure(0, address(turned), turned.shape[1], k, padded, address(found))
    sure = 0
    for s in range(size):
        sure += found[s] >= 0
    return sure


@inline
def count_sure(nibbles, start, size, found, tally, tallied, tiles, sums, features, R, waiting):
    """Count the sure rows of a block, and queue the others; how many wait."""
    rest, room, coded = waiting
    width = nibbles.shape[1]
    tally_rows(
        0, address(nibbles) + start * width, width, address(found), size, address(tally),
        tally.shape[2],
    )  # fmt: skip
    m = rest
    for s in range(size):
        if found[s] >= 0:
            tallied[found[s]] += 1
            continue
        for c in range(R.shape[1]):
            room[m, c] = R[s, c]
        for q in range(width):
            coded[m, q] = nibbles[start + s, q]
        m += 1
    for c in range(len(tallied)):
        if tallied[c] > FULL - len(found):
            empty_tally(c, tally, tallied, tiles, sums, features)
    return m


@inline
def sum_queue(coded, waiting, columns, tiles, queue, subsets, sums):
    """Add what the rows that wait give to the features."""
    columns[:] = 0
    columns_of(coded[:waiting], columns)
    sum_rows(columns, 0, waiting, tiles, queue, subsets, sums)


@inline
def empty_tally(c, tally, tallied, tiles, sums, features):
    """Add a component's counted ones to its sums, and begin anew."""
    tile = 0
    while tiles[tile + 1] * LANES <= c:
        tile += 1
    begin, end = tiles[tile] * LANES, tiles[tile + 1] * LANES
    at = begin * features + c - begin
    for q in range(min(tally.shape[2], features // 4)):
        for t in range(4):
            sums[at + (4 * q + t) * (end - begin)] += tally[c, t, q]
    tally[c] = 0
    tallied[c] = 0


def sweep(
    nibbles, columns, weight,  # IN, (n, Q), (ceil(n / 4), up(d, 8)), (n,) or (0,)
    lo, hi,  # IN, lo a multiple of 4
    task,  # IN
    tiles, tables, bias,  # IN, see `tables_of`; (line,)
    beta, hard,  # IN, see `Assignment`
    counts, first,  # IN-OUT, (k,), (k, d), of SUMS and GIVEN
    resp, log_norm,  # OUT, (hi - lo, k), (hi - lo,) of POSTERIOR; (k, hi - lo) of VALUES, GIVEN
    space,  # IN-OUT
):  # fmt: skip
    """Add the statistics of rows lo..hi, or write what `task` asks for; return sum w log-norm."""
    values, turned, w, norm, total, found = space[0]  # of a block
    queue, coded, mine = space[1]  # of rows that wait
    subsets, sums, own, tally, tallied = space[2]
    k, block, most = len(counts), values.shape[0], turned.shape[1]
    mode = SOFT
    if hard:
        mode = HARD
    elif beta != 1.0:
        mode = TEMPERED
    weighted = len(weight) > 0 and task == SUMS
    gather = task in (SUMS, GIVEN)
    total[:] = 0.0
    if gather:
        sums[:], own[:], tally[:], tallied[:] = 0.0, 0.0, 0, 0
    waiting = 0
    look = task == SUMS and not weighted
    for start in range(lo, hi, block):
        size = min(block, hi - start)
        padded = (size + W - 1) // W * W
        if task == GIVEN:
            for c in range(k):
                for s in range(size):
                    turned[c, s] = resp[c, start - lo + s]
                for s in range(size, padded):
                    turned[c, s] = 0.0
        else:
            score_block(nibbles, start, size, tiles, tables, bias, values, turned)
            if task == VALUES:
                for c in range(k):
                    for s in range(size):
                        resp[c, start - lo + s] += turned[c, s]
                continue
            kind = mode
            if mode == SOFT and size == padded and task == SUMS and not weighted:
                kind = BULK
            else:
                for s in range(padded):
                    w[s] = 0.0
                    if s < size:
                        w[s] = 1.0
                        if weighted:
                            w[s] = weight[start + s]
            responsibilities(
                kind, address(turned), most, k, padded, beta, address(w), address(norm),
                address(total),
            )  # fmt: skip
            if task == POSTERIOR:
                for s in range(size):
                    log_norm[start - lo + s] = norm[s]
                    for c in range(k):
                        resp[start - lo + s, c] = turned[c, s]
                continue
        sure = 0
        if look:
            sure = sure_rows(turned, size, k, found)
        by_row(turned, size, k, values, own)
        if 2 * sure < size:
            sum_rows(columns, start // 4, size, tiles, values, subsets, sums)
            continue
        waiting = count_sure(
            nibbles, start, size, found, tally, tallied, tiles, sums, columns.shape[1], values,
            (waiting, queue, coded),
        )  # fmt: skip
        if waiting > len(queue) - block:
            sum_queue(coded, waiting, mine, tiles, queue, subsets, sums)
            waiting = 0
    if waiting:
        sum_queue(coded, waiting, mine, tiles, queue, subsets, sums)
    if gather:
        for c in range(k):
            empty_tally(c, tally, tallied, tiles, sums, columns.shape[1])
        for tile in range(len(tiles) - 1):
            begin, end = tiles[tile] * LANES, tiles[tile + 1] * LANES
            at = begin * columns.shape[1]
            for c in range(begin, min(end, k)):
                if task == SUMS:
                    counts[c] += own[c]
                for j in range(first.shape[1]):
                    first[c, j] += sums[at + j * (end - begin) + c - begin]
    return total.sum()
