"""Layer 3 of the E-step on CSR rows: the range driver.

`rows` and `space` are what `bind` and `workspace` of `compiled.py` return.
"""

from __future__ import annotations

from ..microkernel import WIDTH as W
from ..microkernel import address
from ..respond import GIVEN, SUMS, mode_of, respond
from ..rows import to_rows
from ..sparse.parts import load
from ..steps import inline
from .products import HEIGHT, LANES, multiply_rows, scatter_rows


@inline
def multiply(z, at, begins, count, across, values, k):
    """values += Z @ across, for a block's rows."""
    line = values.shape[1]
    vectors = (k + LANES - 1) // LANES
    tiles = (vectors + HEIGHT - 1) // HEIGHT
    first = 0
    for t in range(tiles):
        h = (vectors - first) // (tiles - t)
        multiply_rows(
            h, address(z), address(at), address(begins), count,
            address(across) + 8 * LANES * first, line, address(values) + 8 * LANES * first,
        )  # fmt: skip
        first += h


@inline
def scatter(z, at, begins, count, R, where, sums, k):
    """sums += Z.T @ R, for a block's rows, which are those from `where` on in R."""
    line = R.shape[1]
    vectors = (k + LANES - 1) // LANES
    tiles = (vectors + HEIGHT - 1) // HEIGHT
    first = 0
    for t in range(tiles):
        h = (vectors - first) // (tiles - t)
        scatter_rows(
            h, address(z), address(at), address(begins), count,
            address(R) + 8 * (where * line + LANES * first), address(sums) + 8 * LANES * first,
            line,
        )  # fmt: skip
        first += h


@inline
def score_block(
    z, at, begins, count, across, bias, needed, marked, needs, values, others, turned, k
):
    """Discriminant values of a block: by row in `values`, by component in `turned`."""
    line, most = values.shape[1], turned.shape[1]
    for s in range(count):
        for c in range(line):
            values[s, c] = bias[c]
    multiply(z, at, begins, count, across, values, k)
    if len(needed):
        for s in range(count):
            for c in range(line):
                others[s, c] = 0.0
            for p in range(begins[s], begins[s + 1]):
                if marked[at[p]]:
                    for c in range(k):
                        others[s, c] += needed[at[p], c]
            for c in range(k):
                if others[s, c] < needs[c]:
                    values[s, c] = -float("inf")
    padded = (count + W - 1) // W * W
    to_rows(0, address(values), line, padded, line, address(turned), most)


def sweep(
    rows, lo, hi,  # IN
    task,  # IN
    across, bias, needed, marked, needs,  # IN, (d, line), (line,), (d, line) or (0, line), (line,)
    beta, hard,  # IN, see `Assignment`
    counts, first,  # IN-OUT, (k,), (k, d), of SUMS and GIVEN
    resp, log_norm,  # OUT, (hi - lo, k), (hi - lo,) of POSTERIOR; (k, hi - lo) of VALUES, GIVEN
    space,  # IN-OUT
):  # fmt: skip
    """Add the statistics of rows lo..hi, or write what `task` asks for; return sum w log-norm.

    `marked` (d,) are the features that any component needs. A strip of rows is scored whole before
    its sums are taken, so that in turn the coefficients and the sums stay in the cache: each is as
    large as it.
    """
    table, indptr, weight = rows
    z, at, begins, values, others, turned, R, sums, own, w, norm, total = space
    k, strip, block, most = len(counts), R.shape[0], values.shape[0], turned.shape[1]
    mode = mode_of(beta, hard)
    gather = task in (SUMS, GIVEN)
    total[:] = 0.0
    if gather:
        sums[:], own[:] = 0.0, 0.0
    for begin in range(lo, hi, strip):
        end = min(begin + strip, hi)
        i = begin
        while i < end and task != GIVEN:
            count = load(table, indptr, i, end, 1.0, z, at, begins, block)
            score_block(
                z, at, begins, count, across, bias, needed, marked, needs, values, others, turned, k
            )
            respond(
                task, mode, beta, turned, k, count, weight, i, w, norm, total, resp, log_norm,
                i - lo,
            )  # fmt: skip
            if gather:
                padded, line = (count + W - 1) // W * W, values.shape[1]
                for c in range(k, line):
                    for s in range(padded):
                        turned[c, s] = 0.0
                to_rows(0, address(turned), most, line, padded, address(values), line)
                for s in range(count):
                    for c in range(line):
                        R[i - begin + s, c] = values[s, c]
                        own[c] += values[s, c]
            i += count
        if not gather:
            continue
        if task == GIVEN:
            for s in range(end - begin):
                for c in range(k):
                    R[s, c] = resp[c, begin - lo + s]
        i = begin
        while i < end:
            count = load(table, indptr, i, end, 1.0, z, at, begins, block)
            scatter(z, at, begins, count, R, i - begin, sums, k)
            i += count
    if gather:
        if task == SUMS:
            for c in range(k):
                counts[c] += own[c]
        for block in range(0, first.shape[1], W):  # lines of both stay in the cache
            for c in range(k):
                for j in range(block, min(block + W, first.shape[1])):
                    first[c, j] += sums[j, c]
    return total.sum()
