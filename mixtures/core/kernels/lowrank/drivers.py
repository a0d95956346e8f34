"""Layer 3: rows lo..hi under low-rank components, to values, responsibilities or statistics."""

from __future__ import annotations

import numpy as np

from ..assignment import SOFT
from ..microkernel import WIDTH as W
from ..microkernel import address
from ..respond import GIVEN, SUMS, respond
from ..rows import to_rows
from ..steps import NEGLIGIBLE, inline, load_block
from ..tiles import VECTORS
from .products import (
    PROJECT_HEIGHT,
    REST,
    SQUARES,
    SUM_HEIGHT,
    finish,
    project,
    rest,
    sum_factors,
    sum_features,
)


@inline
def component(slopes, offsets, bias, c, exact, Z, ld, d, q, padded, u, squares, value):
    """One component's coordinates u and values of a block; all but the last three are read."""
    S, o, line = address(slopes) + 8 * c * d * (q + 1), address(offsets) + 8 * c * (d + q), q + 1
    tiles = max((q + PROJECT_HEIGHT - 1) // PROJECT_HEIGHT, 1)
    i = 0
    for t in range(tiles):
        h = (q - i) // (tiles - t)
        project(h, S, line, i + 1, o, Z, ld, d, padded, u + 8 * i * ld, squares)
        i += h
    if exact:
        rest(0, S, line, o, Z, ld, d, q, padded, u, squares)
        finish(REST, bias[c], o + 8 * d, q, padded, u, ld, squares, value)
    else:
        finish(SQUARES, bias[c], o + 8 * d, q, padded, u, ld, squares, value)


@inline
def sum_block(turned, w, u, index, weight, T, by_row, stride, reference, A, k, d, q, size):
    """Rows of a block to the sums of the components they matter to."""
    vectors, ld = stride // W, turned.shape[1]
    for c in range(k):
        count = 0
        for s in range(size):
            r = turned[c, s]
            if r > NEGLIGIBLE * w[s]:
                index[count], weight[count] = s * stride, r
                for i in range(q):
                    T[count, i] = r * u[(c * q + i) * ld + s]
                count += 1
        if count == 0:
            continue
        m, sums = address(reference) + 8 * c * stride, address(A) + 8 * c * (q + 2) * stride
        rows = address(by_row)
        sum_features(
            0, rows, address(index), count, m, vectors, address(weight), sums, stride
        )  # fmt: skip
        tiles = (q + SUM_HEIGHT - 1) // SUM_HEIGHT
        i = 0
        for t in range(tiles):
            h = (q - i) // (tiles - t)
            sum_factors(
                h, rows, address(index), count, m, vectors, address(T) + 8 * i, q,
                sums + 8 * (2 + i) * stride, stride,
            )  # fmt: skip
            i += h


def sweep(
    rows,  # IN, (5,) integers: n, address and itemsize of X
    sample_weight,  # IN, (n,), or (0,): all one
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    slopes, offsets, bias, reference,  # IN, (k, d, 1 + q), (k, d + q), (k,), (k, d); see `plain`
    exact,  # IN, whether what the factors leave must be summed by itself
    beta, hard, mode,  # IN, see `Assignment`, and `respond`
    task,  # IN, SUMS, POSTERIOR, VALUES or GIVEN
    counts, first, second,  # IN-OUT, (k,), (k, d), (k, 1 + q, d)
    resp, log_norm,  # OUT; (hi - lo, k) of POSTERIOR, (k, hi - lo) of VALUES; IN, of GIVEN
    space,  # IN-OUT, the workspace
):  # fmt: skip
    """Add the statistics of rows lo..hi, or write responsibilities; return sum w log-norm."""
    Z, by_row, turned, u, squares, w, norm, total, frame, points, A, index, weight, T, tail = space
    n, x, itemsize = rows[0], rows[1], rows[2]
    (k, d), q = reference.shape, slopes.shape[2] - 1
    stride, ld = by_row.shape[1], turned.shape[1]
    block = ld - 8
    for j in range(d):
        frame[0, j], frame[1, j] = centre[j], scale[j]
    for c in range(k):
        for j in range(d):
            points[c, j] = reference[c, j]
    if task in (SUMS, GIVEN):
        A[:] = 0.0
    total[:] = 0.0
    own = np.zeros(k)
    for start in range(lo, hi, block):
        size = min(block, hi - start)
        padded = (size + VECTORS * W - 1) // (VECTORS * W) * (VECTORS * W)
        load_block(
            x, itemsize, n, d, start, size, padded, address(frame), address(frame[1]), address(Z),
            ld, address(tail),
        )  # fmt: skip
        for c in range(k):
            component(
                slopes, offsets, bias, c, exact, address(Z), ld, d, q, padded,
                address(u) + 8 * c * q * ld, address(squares), address(turned) + 8 * c * ld,
            )  # fmt: skip
        if task == GIVEN:
            for s in range(size):
                w[s] = 0.0  # any weight of a row that is not zero counts
                for c in range(k):
                    turned[c, s] = resp[c, start - lo + s]
        else:
            respond(
                task, mode, beta, turned, k, size, sample_weight, start, w, norm, total, resp,
                log_norm, start - lo,
            )  # fmt: skip
        if task in (SUMS, GIVEN):
            if task == SUMS:
                if mode == SOFT and size % W == 0 and len(sample_weight) == 0:
                    for s in range(size):  # `respond` took them all for one, and did not say so
                        w[s] = 1.0
                for c in range(k):
                    for s in range(size):
                        own[c] += turned[c, s]
            to_rows(0, address(Z), ld, stride, padded, address(by_row), stride)
            sum_block(
                turned, w, u, index, weight, T, by_row, stride, points, A, k, d, q, size
            )  # fmt: skip
    if task in (SUMS, GIVEN):
        for c in range(k):  # one addition an entry: adding to sums is then merging partial sums
            if task == SUMS:
                counts[c] += own[c]
            for j in range(d):
                first[c, j] += A[c, 0, j]
                for i in range(q + 1):
                    second[c, i, j] += A[c, i + 1, j]
    return total.sum()
