"""Layer 2: discriminant values of one block to responsibilities, in place.

With top = max_k v_k, every exponent is at most zero and one of them is zero: nothing overflows,
and the sum lies between 1 and k. A row whose values are all -inf belongs to no component: its
responsibilities are 0 and its log-norm is -inf. A NaN stays a NaN, so that it can be seen.
"""

from __future__ import annotations

from llvmlite import ir

from .microkernel import Count, Doubles, Real, micro_kernel
from .vectors import Emitter

BULK, SOFT, TEMPERED, HARD = 0, 1, 2, 3
PRODUCT = 16  # sums multiplied before their logarithm is taken: k^16 does not overflow


def _top(e: Emitter, v: ir.Value, ld: ir.Value, k: ir.Value, t: ir.Value) -> ir.Value:
    """Largest value of each row."""

    def component(c: ir.Value, best: list) -> list:
        return [e.larger(e.load(v, e.times(c, ld), t), best[0])]

    return e.loop(k, [e.constant(-float("inf"))], component)[0]


def _exponentials(e, v, ld, k, t, top, beta) -> tuple[ir.Value, ir.Value]:
    """``v = exp(beta (v - top))`` in place; sums over k of exp(v - top) and of the new v."""
    finite = e.builder.fcmp_ordered(">", top, e.constant(-float("inf")))
    top = e.select(finite, top, e.constant(0.0))

    def component(c: ir.Value, sums: list) -> list:
        line = e.times(c, ld)
        exponent = e.sub(e.load(v, line, t), top)
        plain = e.exp(exponent)
        used = plain if beta is None else e.exp(e.mul(beta, exponent))
        e.store(used, v, line, t)
        return [e.add(s, x) for s, x in zip(sums, (plain, used), strict=False)]

    zero = e.constant(0.0)
    sums = e.loop(k, [zero] if beta is None else [zero, zero], component)
    return sums[0], sums[-1]


def _normalise(e, v, ld, k, t, weight, total) -> None:
    """``v *= weight / total``, or 0 where the total is 0."""
    zero = e.constant(0.0)
    factor = e.select(e.equal(total, zero), zero, e.div(weight, total))

    def component(c: ir.Value, _: list) -> list:
        line = e.times(c, ld)
        e.store(e.mul(e.load(v, line, t), factor), v, line, t)
        return []

    e.loop(k, [], component)


def _one_hot(e, v, ld, k, t, weight) -> ir.Value:
    """``v = weight * (arange(k) == v.argmax())``; returns the largest value."""
    least, zero = e.constant(-float("inf")), e.constant(0.0)

    def compare(c: ir.Value, best: list) -> list:
        top, where, seen = best
        value = e.load(v, e.times(c, ld), t)
        index = e.splat(e.builder.sitofp(c, value.type.element))
        better = e.builder.fcmp_ordered(">", value, top)
        return [e.select(better, value, top), e.select(better, index, where), e.add(seen, value)]

    top, where, seen = e.loop(k, [least, zero, zero], compare)

    def mark(c: ir.Value, _: list) -> list:
        index = e.splat(e.builder.sitofp(c, v.type.pointee))
        e.store(e.select(e.equal(index, where), weight, zero), v, e.times(c, ld), t)
        return []

    e.loop(k, [], mark)
    # A sum that is NaN says that a value was (or +inf and -inf met, which no discriminant does).
    return e.select(e.builder.fcmp_unordered("uno", seen, seen), seen, top)


@micro_kernel([BULK, SOFT, TEMPERED, HARD])
def responsibilities(
    e: Emitter,
    variant: int,
    v: Doubles,  # IN-OUT, (k, ld): values to responsibilities times row weights
    ld: Count,
    k: Count,
    rows: Count,  # a multiple of W
    beta: Real,
    weight: Doubles,  # IN, (rows,), 0 for padding; BULK takes all weights for 1
    log_norm: Doubles,  # OUT, (rows,), not by BULK
    total: Doubles,  # IN-OUT, (W,), sum of weight * log_norm, by lanes
) -> None:
    """``log_norm = logsumexp(v, 0); v = softmax(beta * v, 0) * weight``, or the one-hot argmax.

    BULK, the default fit's, saves most logarithms: sum log s_i = log prod s_i, 16 rows at a time.
    """
    W = e.width
    if variant == BULK:
        one = e.constant(1.0)

        def few(t: ir.Value, carried: list) -> list:
            log_sum, product = carried
            top = _top(e, v, ld, k, t)
            norm, used = _exponentials(e, v, ld, k, t, top, None)
            _normalise(e, v, ld, k, t, one, used)
            return [e.add(log_sum, top), e.mul(product, norm)]

        def many(t: ir.Value, carried: list) -> list:
            left = e.builder.sub(rows, t)
            full = e.builder.icmp_signed("<", left, e.int(PRODUCT * W))
            count = e.builder.select(full, left, e.int(PRODUCT * W))
            inner = e.builder.add(t, count)
            log_sum, product = e.loop(inner, [carried[0], one], few, step=W, start=t)
            return [e.add(log_sum, e.log(product))]

        e.store(e.loop(rows, [e.load(total)], many, step=PRODUCT * W)[0], total)
        return

    def block(t: ir.Value, carried: list) -> list:
        w = e.load(weight, t)
        if variant == HARD:
            norm = _one_hot(e, v, ld, k, t, w)
        else:
            top = _top(e, v, ld, k, t)
            sharp = e.splat(beta) if variant == TEMPERED else None
            plain, used = _exponentials(e, v, ld, k, t, top, sharp)
            _normalise(e, v, ld, k, t, w, used)
            norm = e.add(top, e.log(plain))
        e.store(norm, log_norm, t)
        gain = e.select(e.equal(w, e.constant(0.0)), w, e.mul(w, norm))
        return [e.add(carried[0], gain)]

    e.store(e.loop(rows, [e.load(total)], block, step=W)[0], total)
