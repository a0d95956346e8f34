"""Layer 3: one pass over a range of rows, block by block.

Both sweeps over a block's lines, for the mixture's density and for the sums, happen while the block
is in the level-2 cache, so memory is read once. The last rows, too few for a vector, are copied to
lines of their own and filled up with rows of weight zero.
"""

from __future__ import annotations

import numpy as np

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..steps import inline
from .lines import (
    FRESH,
    HEIGHT,
    ROOTS,
    TILE,
    dot_lines,
    exp_line,
    largest_of_lines,
    least_of_lines,
    mix_lines,
    scale_line,
    shares_of_rows,
    shares_of_weighted_rows,
    tile_of_products,
)

DOUBLE = 8  # bytes


@inline
def _up(size, multiple):
    return (size + multiple - 1) // multiple * multiple


@inline
def _table(lines, F, mean):
    """Offsets of lines from the first density, in doubles; line K is the mean's."""
    table = np.empty(len(lines), np.int64)
    for q in range(len(lines)):
        table[q] = lines[q] * F.shape[1]
        if lines[q] == len(F):
            table[q] = (address(mean) - address(F)) // DOUBLE
    return table


@inline
def _mix(F, table, p, rows, ahead, u):
    """``u = p @ F[table]``, and half of what comes `ahead` rows later is asked for."""
    for q in range(0, len(table), HEIGHT):
        height = min(HEIGHT, len(table) - q)
        variant = height | FRESH if q == 0 else height
        mix_lines(variant, F, address(table) + DOUBLE * q, address(p) + DOUBLE * q, rows, ahead, u)


@inline
def _dot(F, table, r, rows, ahead, out):
    """``out += F[table] @ r``, and the other half of what comes `ahead` rows later is asked for."""
    for q in range(0, len(table), HEIGHT):
        height = min(HEIGHT, len(table) - q)
        at = address(table) + DOUBLE * q
        dot_lines(height, F, at, r, rows, ahead, address(out) + DOUBLE * q)


@inline
def _products(F, table, q, rows, scaled, ld, out):
    """``Z = F[table] * q; out += Z @ Z.T``, tiles on and below the diagonal."""
    for j in range(len(table)):
        scale_line(0, F + DOUBLE * table[j], q, rows, address(scaled) + DOUBLE * ld * j)
    base = address(scaled)
    for i in range(0, len(out), TILE):
        for j in range(0, i + 1, TILE):
            tile_of_products(
                0, base + DOUBLE * ld * i, base + DOUBLE * ld * j, ld, rows,
                address(out) + DOUBLE * (len(out) * i + j), len(out),
            )  # fmt: skip


@inline
def _copy(F, mean, start, count, last, rest):
    """The last `count` rows, fewer than W, of every line, followed by `rest`."""
    for k in range(len(F) + 1):
        line = F[k] if k < len(F) else mean
        for t in range(W):
            last[k * W + t] = line[start + t] if t < count else rest


def sweep(
    F, mean,  # IN, (K, n), and (n,): the lines, the last one of which is the mean of the others
    weight,  # IN, (n,), or (0,): all one
    lo, hi,
    support, p, columns,  # IN
    block,  # rows, a multiple of W
    gradient, curvature,  # IN-OUT, (columns,), (columns, columns) or (0, 0)
):  # fmt: skip
    """One pass over rows lo..hi; see `plain.sweep`."""
    size = len(columns)
    support_table, column_table = _table(support, F, mean), _table(columns, F, mean)
    padded = _up(size, TILE) if len(curvature) else 0
    products, step = np.zeros((padded, padded)), block + W
    scaled = np.zeros(padded * step)
    u, r, q, w = np.empty(block), np.empty(block), np.empty(block), np.zeros(block)
    sums, total = np.zeros(size), np.zeros(W)
    last = np.empty((len(F) + 1) * W if (hi - lo) % W else 0)
    start = lo
    while start < hi:
        rows = min(block, (hi - start) // W * W)
        base, weights = address(F) + DOUBLE * start, address(weight) + DOUBLE * start
        count = rows
        if rows == 0:  # the last ones
            count, rows = hi - start, W
            _copy(F, mean, start, count, last, 1.0)
            base, weights = address(last), address(w)
            for k in range(len(support)):
                support_table[k] = support[k] * W
            for k in range(size):
                column_table[k] = columns[k] * W
            for t in range(W):
                w[t] = 0.0 if t >= count else weight[start + t] if len(weight) else 1.0
        _mix(base, support_table, p, rows, block, address(u))
        scale = address(r)
        if rows == count and len(weight) == 0:
            shares_of_rows(0, rows, address(u), address(r), address(total))
        else:
            scale = address(q) if padded else scale
            shares_of_weighted_rows(
                ROOTS if padded else 0, weights, rows, address(u), address(r), address(q),
                address(total),
            )  # fmt: skip
        _dot(base, column_table, address(r), rows, block, sums)
        if padded:
            _products(base, column_table, scale, rows, scaled, step, products)
        start += count
    for k in range(size):
        gradient[k] += sums[k]
    if padded:
        for i in range(size):
            for j in range(size):
                curvature[i, j] += products[i, j] if (i // TILE) >= (j // TILE) else products[j, i]
    return total.sum()


def survey(F, lo, hi, block, mean):  # IN; OUT, (n,)
    """Mean density of each row, and the smallest of all; see `plain.survey`."""
    lines = len(F)
    every = np.arange(lines)
    table, p = _table(every, F, mean), np.full(lines, 1.0 / lines)
    least, last, u = np.full(W, np.inf), np.empty((lines + 1) * W), np.empty(block)
    start = lo
    while start < hi:
        rows = min(block, (hi - start) // W * W)
        base, count = address(F) + DOUBLE * start, rows
        if rows == 0:
            count, rows = hi - start, W
            _copy(F, mean, start, count, last, np.inf)
            base = address(last)
            table[:] = every * W
        _mix(base, table, p, rows, block, address(u))
        least_of_lines(0, base, address(table), lines, rows, address(least))
        mean[start : start + count] = u[:count]
        start += count
    return least.min()


def exponentials(A, lo, hi, largest, mean):  # IN-OUT, (K, n); OUT, (n,), (n,)
    """Log-densities to densities, in place; see `plain.exponentials`."""
    lines, ld = A.shape
    share = 1.0 / lines
    last, top, u = np.empty(lines * W), np.empty(W), np.zeros(W)
    whole = (hi - lo) // W * W
    base, at = address(A) + DOUBLE * lo, address(largest) + DOUBLE * lo
    largest_of_lines(0, base, ld, lines, whole, at)
    mean[lo:hi] = 0.0
    for k in range(lines):
        exp_line(0, base + DOUBLE * ld * k, at, whole, address(mean) + DOUBLE * lo, share)
    count, start = hi - lo - whole, lo + whole
    if count == 0:
        return
    for k in range(lines):
        for t in range(W):
            last[k * W + t] = A[k, start + t] if t < count else 0.0
    largest_of_lines(0, address(last), W, lines, W, address(top))
    for k in range(lines):
        exp_line(0, address(last) + DOUBLE * W * k, address(top), W, address(u), share)
        A[k, start : start + count] = last[k * W : k * W + count]
    largest[start : start + count] = top[:count]
    mean[start : start + count] = u[:count]
