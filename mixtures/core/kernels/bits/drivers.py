"""Layer 3 on rows of bits: the range driver, and the tables of a sweep.

`space` is what `workspace` of `compiled.py` returns: the values of a block by row and by
component, tables of subset sums, sums by feature, and the row weights and log-norms of a block.
"""

from __future__ import annotations

import numpy as np

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..respond import GIVEN, SUMS, mode_of, respond
from ..rows import to_rows
from ..steps import inline
from .lookup import AHEAD, WORD, look_up_features, look_up_rows, subset_sums

TABLES = 3584  # doubles, 28 KiB, of tables that are used together: they stay in the level-1 cache


@inline
def pair_sums(slopes, offsets, j, c, out):
    """What the four values of bits j and j + 1, as far as there are such, add to component c."""
    d = len(slopes)
    for m in range(4):
        out[m] = 0.0
        if j < d:
            out[m] = slopes[j, c] if m % 2 else offsets[j, c]
        if j + 1 < d:
            out[m] += slopes[j + 1, c] if m // 2 else offsets[j + 1, c]


def tables_of(
    slopes, offsets,  # IN, (d, k)
    tiles,  # IN, (tiles + 1,): the components at which tiles begin, and the end
    tables,  # OUT, flat: (ceil(d / 4), 16, lanes of the tile) for each tile
):  # fmt: skip
    """What each value of each nibble of a row adds to the components' discriminants.

    Sums of two bits first, then of two such sums: half the additions, and none for -inf to meet
    +inf in.
    """
    d, k = slopes.shape
    low, high, at = np.empty(4), np.empty(4), 0
    for tile in range(len(tiles) - 1):
        size = tiles[tile + 1] - tiles[tile]
        for q in range((d + 3) // 4):
            for lane in range(size):
                c = tiles[tile] + lane
                if c < k:
                    pair_sums(slopes, offsets, 4 * q, c, low)
                    pair_sums(slopes, offsets, 4 * q + 2, c, high)
                else:
                    low[:], high[:] = 0.0, 0.0
                for m in range(16):
                    tables[at + m * size + lane] = low[m % 4] + high[m // 4]
            at += 16 * size


def columns_of(nibbles, columns):  # IN (n, Q); OUT (ceil(n / 4), up(d, 8)), zeros
    """Four rows of a feature to a byte: the nibbles of four rows, transposed."""
    n, width = nibbles.shape
    for g in range(columns.shape[0]):
        for i in range(4 * g, min(4 * g + 4, n)):
            for q in range(width):
                code = nibbles[i, q]
                for t in range(4):
                    columns[g, 4 * q + t] |= ((code >> t) & 1) << (i - 4 * g)


@inline
def score_block(nibbles, columns, start, size, tiles, tables, bias, values, turned):
    """Discriminant values of a block: by row in `values`, by component in `turned`.

    On the way the next block is asked for, its rows first and then its columns.
    """
    width, line, most = nibbles.shape[1], values.shape[1], turned.shape[1]
    for s in range(size):
        for c in range(line):
            values[s, c] = bias[c]
    later, asked = (start + size) * width, 0
    ahead = address(nibbles) + later
    for tile in range(len(tiles) - 1):
        first, lanes = tiles[tile], tiles[tile + 1] - tiles[tile]
        most_codes = TABLES // (16 * lanes) // WORD * WORD
        q = 0
        while q < width:
            count = min(most_codes, width - q)
            if width - q - count < WORD:  # a few more are cheaper than another turn
                count = width - q
            look_up_rows(
                lanes, address(tables) + 8 * 16 * (first * width + q * lanes), count,
                address(nibbles) + start * width + q, width, size, address(values) + 8 * first,
                line, ahead,
            )  # fmt: skip
            q += count
            asked += AHEAD * size
            ahead = address(nibbles) + later + asked
            if asked >= size * width:
                ahead = address(columns) + (start + size) // 4 * columns.shape[1]
                ahead += asked - size * width
    padded = (size + W - 1) // W * W
    to_rows(0, address(values), line, padded, line, address(turned), most)


@inline
def sum_block(columns, start, size, tiles, turned, k, values, subsets, sums, counts):
    """Add what a block's responsibilities, by component in `turned`, give to the features."""
    features, line, most = columns.shape[1], values.shape[1], turned.shape[1]
    padded, groups = (size + W - 1) // W * W, (size + 3) // 4
    for c in range(k, line):
        for s in range(padded):
            turned[c, s] = 0.0
    to_rows(0, address(turned), most, line, padded, address(values), line)
    for s in range(size):  # one addition a row for whole vectors of components
        for c in range(line):
            counts[c] += values[s, c]
    for tile in range(len(tiles) - 1):
        first, lanes = tiles[tile], tiles[tile + 1] - tiles[tile]
        room = len(subsets) // (16 * lanes)
        for g in range(0, groups, room):
            here = min(room, groups - g)
            subset_sums(
                lanes, address(values) + 8 * (4 * g * line + first), line, here, address(subsets)
            )
            look_up_features(
                lanes, address(subsets), here, address(columns) + (start // 4 + g) * features,
                features, address(sums) + 8 * features * first,
            )  # fmt: skip


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
    values, turned, subsets, sums, own, w, norm, total = space
    k, block = len(counts), values.shape[0]
    mode = mode_of(beta, hard)
    gather = task in (SUMS, GIVEN)
    total[:] = 0.0
    if gather:
        sums[:], own[:] = 0.0, 0.0
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
            score_block(nibbles, columns, start, size, tiles, tables, bias, values, turned)
            respond(
                task, mode, beta, turned, k, size, weight, start, w, norm, total, resp, log_norm,
                start - lo,
            )  # fmt: skip
            if not gather:
                continue
        sum_block(columns, start, size, tiles, turned, k, values, subsets, sums, own)
    if gather:
        for tile in range(len(tiles) - 1):
            begin, end = tiles[tile], tiles[tile + 1]
            at = begin * columns.shape[1]
            for c in range(begin, min(end, k)):
                if task == SUMS:
                    counts[c] += own[c]
                for j in range(first.shape[1]):
                    first[c, j] += sums[at + j * (end - begin) + c - begin]
    return total.sum()
