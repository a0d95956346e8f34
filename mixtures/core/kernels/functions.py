"""Layer 1: exponentials and logarithms of vectors of doubles, as part of an emitter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

# exp(r) = 1 + r + r^2 q(r) for |r| <= log(2)/2, and log((1+s)/(1-s)) = 2s + s z g(z), z = s^2,
# for m = (1+s)/(1-s) between sqrt(1/2) and sqrt(2): Chebyshev interpolants of q and g, computed
# with 200 bits and rounded. Fixing the leading terms makes exp(0) = 1 and log(1) = 0 exact.
EXP_COEFFICIENTS = [
    float.fromhex("0x1.0000000000001p-1"),
    float.fromhex("0x1.5555555555556p-3"),
    float.fromhex("0x1.5555555553d63p-5"),
    float.fromhex("0x1.11111111109b3p-7"),
    float.fromhex("0x1.6c16c1788bd90p-10"),
    float.fromhex("0x1.a01a01a7c41d5p-13"),
    float.fromhex("0x1.a019b90d2ae7ap-16"),
    float.fromhex("0x1.71de0dae63bb3p-19"),
    float.fromhex("0x1.289185613a3d6p-22"),
    float.fromhex("0x1.af38a9b0ec855p-26"),
]
LOG_COEFFICIENTS = [
    float.fromhex("0x1.5555555555558p-1"),
    float.fromhex("0x1.99999999952d7p-2"),
    float.fromhex("0x1.2492492df281ap-2"),
    float.fromhex("0x1.c71c62e3f11e6p-3"),
    float.fromhex("0x1.7462b51cb66b1p-3"),
    float.fromhex("0x1.39fe51a7c18f9p-3"),
    float.fromhex("0x1.2b5900de53b32p-3"),
]
LOG2 = float.fromhex("0x1.62e42fefa39efp-1")
LOG2_HIGH = float.fromhex("0x1.62e42fef00000p-1")  # 33 bits: its product with an exponent is exact
LOG2_LOW = float.fromhex("0x1.473de6af278edp-34")
LOG2_E = float.fromhex("0x1.71547652b82fep+0")
ROUNDER = 1.5 * 2.0**52  # adding it leaves the nearest integer in the low bits of the sum
SMALLEST_EXPONENT = -708.0  # just above log of the smallest normal double


class Functions:
    """What an :class:`~.vectors.Emitter` knows of functions that no instruction computes."""

    def _polynomial(self, x: Any, square: Any, coefficients: Sequence[float]) -> Any:
        """Even and odd powers by Horner's rule side by side: no operation more than Horner's,
        as the square of x is wanted elsewhere too, in half the time from first to last."""

        def horner(terms: Sequence[float]) -> Any:
            value = self.constant(terms[-1])
            for c in reversed(terms[:-1]):
                value = self.fmuladd(value, square, self.constant(c))
            return value

        return self.fmuladd(horner(coefficients[1::2]), x, horner(coefficients[::2]))

    def exp(self, x: Any) -> Any:
        """exp of x <= 700, to 1.1 + |x|/3 ulp; exactly 0 below `SMALLEST_EXPONENT`, NaN of NaN.

        x = m log 2 + r with an integer m, so exp x = 2^m exp r; 2^m is added to the exponent bits.
        The error that grows with |x| is that of a log 2 of 53 bits, a third of what rounding has
        already done to any x that is a difference of two numbers; a second term would be in vain.
        CPUs with vectors of two may lack the fused product that keeps m log 2 exact: two terms.
        """
        least = self.constant(SMALLEST_EXPONENT)
        tiny = self.builder.fcmp_ordered("<", x, least)
        x = self.select(tiny, least, x)
        shifted = self.fmuladd(x, self.constant(LOG2_E), self.constant(ROUNDER))
        m = self.sub(shifted, self.constant(ROUNDER))
        terms = (LOG2,) if self.width > 2 else (LOG2_HIGH, LOG2_LOW)
        r = x
        for term in terms:
            r = self.fmuladd(m, self.constant(-term), r)
        square = self.mul(r, r)
        q = self._polynomial(r, square, EXP_COEFFICIENTS)
        p = self.add(self.fmuladd(square, q, r), self.constant(1.0))
        bits = self.builder.bitcast(shifted, self.integers)
        exponent = self.builder.shl(bits, ir.Constant(self.integers, [52] * self.width))
        scaled = self.builder.add(self.builder.bitcast(p, self.integers), exponent)
        value = self.builder.bitcast(scaled, self.vector)
        return self.select(tiny, self.constant(0.0), value)

    def log(self, x: Any) -> Any:
        """log of a normal x > 0, within 1 ulp; -inf of 0, x itself of +inf and NaN.

        x = 2^m (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); with s = f / (2 + f),
        log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2 g(s^2))), which loses nothing near x = 1.
        """
        builder, integers = self.builder, self.integers
        every = [1] * self.width
        root_half = ir.Constant(integers, [0x3FE6A09E667F3BCD * e for e in every])
        bits = builder.sub(builder.bitcast(x, integers), root_half)
        power = builder.ashr(bits, ir.Constant(integers, [52 * e for e in every]))
        mantissa = builder.and_(bits, ir.Constant(integers, [(1 << 52) - 1] * self.width))
        f = builder.bitcast(builder.add(mantissa, root_half), self.vector)
        f = self.sub(f, self.constant(1.0))
        # An exponent fits in the low bits of ROUNDER: integer to double without AVX-512DQ.
        rounder = self.constant(ROUNDER)
        shifted = builder.add(power, builder.bitcast(rounder, integers))
        m = self.sub(builder.bitcast(shifted, self.vector), rounder)
        s = self.div(f, self.add(f, self.constant(2.0)))
        z = self.mul(s, s)
        half_square = self.mul(self.mul(f, self.constant(0.5)), f)
        g = self.mul(z, self._polynomial(z, self.mul(z, z), LOG_COEFFICIENTS))
        low = self.fmuladd(s, self.add(half_square, g), self.mul(m, self.constant(LOG2_LOW)))
        value = self.sub(f, self.sub(half_square, low))
        value = self.fmuladd(m, self.constant(LOG2_HIGH), value)
        infinity = self.constant(float("inf"))
        value = self.select(builder.fcmp_ordered("<", x, infinity), value, x)
        return self.select(self.equal(x, self.constant(0.0)), self.constant(-float("inf")), value)
