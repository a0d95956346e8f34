"""Layer 3: the range driver, from rows lo..hi to accumulated statistics or responsibilities.

One function serves every discriminant, assignment and kind of moment: it chooses at run time,
once per block, so that every micro-kernel is compiled once.

The sums over rows come by one of two paths:

- *dense*: the table of lines and pairs, about the frame's centre, shifted to the reference at
  the end of the range. The shift cancels: a covariance loses about the square of the component's
  distance from the centre in units of its width. So it is for well-conditioned components only.
- *stable*: centred at the reference before anything is squared. For separated components, where
  it is needed, most responsibilities are zero and the queue skips them. So the queue also serves
  for many features when few responsibilities matter: it is then the faster of the two.
"""

from __future__ import annotations

from . import scratch as S
from .assignment import BULK, HARD, SOFT, TEMPERED, responsibilities
from .microkernel import WIDTH as W
from .microkernel import address
from .moments import TABLE_ALIGN, sum_lanes
from .normalise import add_values, take_given
from .rows import fill, norms
from .scratch import DIAGONAL_MOMENTS, FULL_MOMENTS, NORM
from .steps import (
    DENSE_FEATURES,
    GIVEN,
    POSTERIOR,
    SPARSE_FEATURES,
    VALUES,
    begin_queues,
    centred_out,
    discriminants,
    empty_queues,
    enqueue_block,
    ill_conditioned,
    load_block,
    queue_out,
    share_that_matters,
    shift_to_reference,
    sum_centred_block,
    sum_table,
)
from .tiles import VECTORS

AUTOMATIC, DENSE, STABLE = -1, 0, 1


def sweep(
    rows,  # IN, (5,) integers: n, address and itemsize of X, of the row weights (0: all one)
    lo, hi,  # IN
    centre, scale,  # IN, (d,)
    kind, slopes, offsets, bias, reference,  # IN, see `Discriminants`
    beta, hard,  # IN, see `Assignment`
    moments,  # IN, see `core/statistics.py`, or POSTERIOR or VALUES
    path,  # IN, AUTOMATIC, DENSE or STABLE
    counts, first, second,  # IN-OUT, (k,), (k, d), flat
    resp, log_norm,  # OUT, (hi - lo, k), (hi - lo,), for POSTERIOR; (k, hi - lo) of VALUES, GIVEN
    buffer, plan,  # IN-OUT, the workspace
):  # fmt: skip
    """Add the statistics of rows lo..hi, or write their responsibilities; return sum w log-norm.

    A model of several kinds of columns takes the steps one by one: the values that these columns
    contribute are added to `resp`, and sums are taken under responsibilities made of all of them.
    """
    n, x, itemsize, weights, weight_size = rows[0], rows[1], rows[2], rows[3], rows[4]
    d, k, ld, block, stride = plan[S.D], plan[S.K], plan[S.LD], plan[S.BLOCK], plan[S.STRIDE]
    base, tables = address(buffer), address(plan)
    Zs, values = base + 8 * plan[S.Z], base + 8 * plan[S.VALUES]
    sums, total = base + 8 * plan[S.SUMS], base + 8 * plan[S.TOTAL]
    weight, norm, tail = (
        base + 8 * plan[S.WEIGHT],
        base + 8 * plan[S.LOG_NORM],
        base + 8 * plan[S.TAIL],
    )
    unit = base + 8 * plan[S.UNIT]
    for j in range(d):
        buffer[plan[S.CENTRE] + j], buffer[plan[S.SCALE] + j] = centre[j], scale[j]

    posterior = moments <= POSTERIOR
    stable = path == STABLE
    if path == AUTOMATIC:
        stable = ill_conditioned(kind, moments, offsets, reference, d, k)
    queue = moments == FULL_MOMENTS and (stable or plan[S.HAS_TABLE] == 0)
    centred = stable and moments in (NORM, DIAGONAL_MOMENTS)
    per = plan[S.LINES] + plan[S.PRODUCTS]
    if queue:
        per = TABLE_ALIGN
    elif centred:
        per = TABLE_ALIGN + 2 * d
    if not posterior:
        fill(0, sums, 0, k * per * W)
    fill(0, total, 0, W)
    look = path == AUTOMATIC and moments == FULL_MOMENTS and not queue and d >= SPARSE_FEATURES
    if queue or look:
        begin_queues(buffer, plan, base, reference, d, k, stride)

    mode = SOFT
    if hard:
        mode = HARD
    elif beta != 1.0:
        mode = TEMPERED
    bulk = mode == SOFT and weights == 0 and not posterior
    weighted = weights != 0 and not posterior
    ask = VECTORS * W * itemsize

    for start in range(lo, hi, block):
        size = min(block, hi - start)
        padded = (size + VECTORS * W - 1) // (VECTORS * W) * (VECTORS * W)
        frame = base + 8 * plan[S.CENTRE], base + 8 * plan[S.SCALE]
        load_block(x, itemsize, n, d, start, size, padded, frame[0], frame[1], Zs, ld, tail)
        if kind == GIVEN:
            take_given(resp, start - lo, size, padded, k, buffer[plan[S.VALUES] :], ld)
        else:
            discriminants(
                kind, address(slopes), address(offsets), address(bias), k, Zs, ld, d, padded,
                values, x + (start + block) * d * itemsize, ask,
            )  # fmt: skip
        if moments == VALUES:
            add_values(buffer[plan[S.VALUES] :], ld, k, size, resp, start - lo)
            continue
        block_mode = mode
        if bulk and size == padded and not (queue or look):
            block_mode = BULK
        else:
            if weighted:
                load_block(
                    weights, weight_size, n, 1, start, size, padded, unit, unit + 64, weight, ld,
                    tail,
                )  # fmt: skip
            else:
                for s in range(size):
                    buffer[plan[S.WEIGHT] + s] = 1.0
            for s in range(size, padded):
                buffer[plan[S.WEIGHT] + s] = 0.0
        if kind != GIVEN:
            responsibilities(block_mode, values, ld, k, padded, beta, weight, norm, total)
        if posterior:
            for s in range(size):
                log_norm[start - lo + s] = buffer[plan[S.LOG_NORM] + s]
                for c in range(k):
                    resp[start - lo + s, c] = buffer[plan[S.VALUES] + c * ld + s]
            continue
        if moments == NORM and not centred:
            norms(0, Zs, ld, d, padded, base + 8 * plan[S.NORMS])
        if look:  # the first block tells; a range's result depends on the range alone
            look = False
            if share_that_matters(buffer, plan, k, ld, size) < d / DENSE_FEATURES:
                queue, per = True, TABLE_ALIGN
        sum_table(plan, Zs, values, sums, tables, k, ld, padded, per * W, queue or centred)
        if queue:
            enqueue_block(buffer, plan, base, d, k, ld, size, padded, stride)
        elif centred:
            sum_centred_block(Zs, values, address(reference), sums, d, k, ld, padded, per * W)

    if not posterior:
        sum_lanes(0, sums, (k * per + W - 1) // W * W, sums)
        a = buffer[plan[S.SUMS] :]
        if queue:
            empty_queues(plan, base, d, k, stride)
            queue_out(a, buffer[plan[S.QUEUE_SUMS] :], per, counts, first, second, d, k, stride)
        elif centred:
            centred_out(a, per, moments, counts, first, second, d, k)
        else:
            shift_to_reference(
                a, per, plan[S.LINES], moments, reference, counts, first, second, d, k
            )
    result = 0.0
    for lane in range(W):
        result += buffer[plan[S.TOTAL] + lane]
    return result
