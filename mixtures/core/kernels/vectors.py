"""Layer 1: vector primitives, as emitters of LLVM instructions.

numba's automatic vectoriser reaches a quarter of what the micro-kernels need, and BLAS does not
pay on blocks of a few columns. So the kernels say themselves which values live in which vector:
an :class:`Emitter` appends instructions on ``<W x double>`` vectors to a function under
construction, and LLVM picks the registers. LLVM legalises any width for any CPU (a vector of
eight is one AVX-512 register or four of SSE2), so the width decides speed and little else.

An emitter runs when numba compiles, once; what it returns are handles of future values, not
numbers. Offsets count elements of the base pointer's type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from .functions import Functions

INT = ir.IntType(64)
INT32 = ir.IntType(32)
BYTE = ir.IntType(8)
FLOAT = ir.FloatType()
DOUBLE = ir.DoubleType()

Value = ir.Value


class Emitter(Functions):
    """Appends instructions on vectors of `width` numbers to the function under construction.

    The numbers are doubles or, for filters whose results are checked, floats: twice as many.
    """

    def __init__(self, builder: ir.IRBuilder, width: int, element: ir.Type = DOUBLE) -> None:
        self.builder = builder
        self.width = width
        self.element = element
        self.bits = 64 if element is DOUBLE else 32
        self.vector = ir.VectorType(element, width)
        self.integers = ir.VectorType(ir.IntType(self.bits), width)

    # -- integers and constants ---------------------------------------------------------------

    def int(self, value: int) -> Value:
        return ir.Constant(INT, value)

    def at(self, *terms: Value | int) -> Value:
        """Sum of offsets, each a value or a Python integer."""
        fixed = sum(t for t in terms if isinstance(t, int))
        total = None
        for term in terms:
            if not isinstance(term, int):
                total = term if total is None else self.builder.add(total, term)
        if total is None:
            return self.int(fixed)
        return self.builder.add(total, self.int(fixed)) if fixed else total

    def times(self, a: Value, b: Value | int) -> Value:
        return self.builder.mul(a, self.int(b) if isinstance(b, int) else b)

    def constant(self, value: float) -> Value:
        return ir.Constant(self.vector, [value] * self.width)

    # -- memory -------------------------------------------------------------------------------

    def _vector_at(self, base: Value, offset: Value, vector: ir.Type) -> Value:
        return self.builder.bitcast(self.builder.gep(base, [offset]), vector.as_pointer())

    def load(self, base: Value, *offset: Value | int) -> Value:
        """Vector at base[offset]; floats and doubles become the emitter's own numbers."""
        element = base.type.pointee
        vector = ir.VectorType(element, self.width)
        size = 8 if element is DOUBLE else 4
        value = self.builder.load(self._vector_at(base, self.at(*offset), vector), align=size)
        return self._convert(value, self.element)

    def store(self, value: Value, base: Value, *offset: Value | int) -> None:
        """Write a vector of numbers or integers to base[offset], numbers in the base's type."""
        element = base.type.pointee
        if not isinstance(element, ir.IntType):
            value = self._convert(value, element)
        size = 8 if element in (DOUBLE, INT) else 4
        self.builder.store(value, self._vector_at(base, self.at(*offset), value.type), align=size)

    def _convert(self, value: Value, element: ir.Type) -> Value:
        if value.type.element is element:
            return value
        vector = ir.VectorType(element, self.width)
        widen = element is DOUBLE
        return self.builder.fpext(value, vector) if widen else self.builder.fptrunc(value, vector)

    def scalar(self, base: Value, *offset: Value | int) -> Value:
        return self.builder.load(self.builder.gep(base, [self.at(*offset)]))

    def broadcast(self, base: Value, *offset: Value | int) -> Value:
        return self.splat(self.scalar(base, *offset))

    def splat(self, x: Value) -> Value:
        """A vector of one number or integer; numbers become the emitter's own."""
        kind = x.type
        if not isinstance(kind, ir.IntType) and kind is not self.element:
            kind = self.element
            x = self.builder.fpext(x, kind) if kind is DOUBLE else self.builder.fptrunc(x, kind)
        nothing = ir.Constant(ir.VectorType(kind, self.width), ir.Undefined)
        first = self.builder.insert_element(nothing, x, ir.Constant(INT32, 0))
        return self.shuffle(first, nothing, [0] * self.width)

    def load_integers(self, base: Value, *offset: Value | int) -> Value:
        """Vector of 32-bit integers at base[offset]."""
        vector = ir.VectorType(INT32, self.width)
        return self.builder.load(self._vector_at(base, self.at(*offset), vector), align=4)

    def prefetch(self, base: Value, offset: Value) -> None:
        """Ask for the cache line at base[offset]; any address will do, it is a hint."""
        kinds = [BYTE.as_pointer(), INT32, INT32, INT32]
        function = self._function("llvm.prefetch.p0", ir.VoidType(), kinds)
        address = self.builder.bitcast(self.builder.gep(base, [offset]), BYTE.as_pointer())
        read, keep_in_l2, data = (ir.Constant(INT32, v) for v in (0, 2, 1))
        self.builder.call(function, [address, read, keep_in_l2, data])

    def _function(self, name: str, result: ir.Type, arguments: Sequence[ir.Type]) -> ir.Function:
        module = self.builder.module
        known = module.globals.get(name)
        return known or ir.Function(module, ir.FunctionType(result, list(arguments)), name)

    # -- arithmetic ---------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.builder.fadd(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self.builder.fsub(a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self.builder.fmul(a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self.builder.fdiv(a, b)

    def fmuladd(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c, fused where the CPU can (`llvm.fma` would call a library where it cannot)."""
        name = f"llvm.fmuladd.v{self.width}f{self.bits}"
        return self.builder.call(self._function(name, self.vector, [self.vector] * 3), [a, b, c])

    def sqrt(self, x: Value) -> Value:
        name = f"llvm.sqrt.v{self.width}f{self.bits}"
        return self.builder.call(self._function(name, self.vector, [self.vector]), [x])

    def minus_square(self, y: Value, c: Value) -> Value:
        """c - y^2"""
        return self.fmuladd(self.builder.fneg(y), y, c)

    def larger(self, a: Value, b: Value) -> Value:
        """a where a > b, else b: one instruction on x86; a NaN in a is passed over."""
        return self.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def smaller(self, a: Value, b: Value) -> Value:
        """a where a < b, else b."""
        return self.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        return self.builder.select(condition, a, b)

    def equal(self, a: Value, b: Value) -> Value:
        return self.builder.fcmp_ordered("==", a, b)

    # -- shuffles -----------------------------------------------------------------------------

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Lanes of a (0..W-1) and b (W..2W-1)."""
        kind = ir.VectorType(INT32, len(lanes))
        return self.builder.shuffle_vector(a, b, ir.Constant(kind, list(lanes)))

    def transpose(self, rows: Sequence[Value]) -> list[Value]:
        """W vectors of W lanes, rows to columns: log2(W) rounds that swap off-diagonal halves."""
        width, rows, half = self.width, list(rows), 1
        while half < width:
            for i in (i for i in range(width) if not i & half):
                upper = [lane if not lane & half else width + lane - half for lane in range(width)]
                lower = [lane + half if not lane & half else width + lane for lane in range(width)]
                a, b = rows[i], rows[i + half]
                rows[i], rows[i + half] = self.shuffle(a, b, upper), self.shuffle(a, b, lower)
            half *= 2
        return rows

    def deinterleave(self, vectors: Sequence[Value]) -> list[Value]:
        """m vectors of consecutive records of m fields (m a power of two) to one vector a field."""
        if len(vectors) == 1:
            return list(vectors)
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        lanes = range(2 * self.width)
        even = self.deinterleave([self.shuffle(a, b, lanes[0::2]) for a, b in pairs])
        odd = self.deinterleave([self.shuffle(a, b, lanes[1::2]) for a, b in pairs])
        return [field for couple in zip(even, odd, strict=True) for field in couple]

    # -- control ------------------------------------------------------------------------------

    def loop(
        self,
        count: Value,
        carried: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value]],
        step: int = 1,
        start: int | Value = 0,
    ) -> list[Value]:
        """``for i in range(start, count, step): carried = body(i, carried)``, in registers."""
        builder = self.builder
        before = builder.block
        head, inside, after = (builder.append_basic_block(n) for n in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(INT)
        index.add_incoming(self.int(start) if isinstance(start, int) else start, before)
        values = [builder.phi(v.type) for v in carried]
        for phi, value in zip(values, carried, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", index, count), inside, after)
        builder.position_at_end(inside)
        results = body(index, list(values))
        last = builder.block
        index.add_incoming(builder.add(index, self.int(step)), last)
        for phi, value in zip(values, results or [], strict=True):
            phi.add_incoming(value, last)
        builder.branch(head)
        builder.position_at_end(after)
        return list(values)
