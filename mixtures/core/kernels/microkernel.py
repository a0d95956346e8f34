"""How an emitter becomes a function that the drivers can call.

``@micro_kernel`` turns ``emit(e, variant, x, n, ...)`` into a numba intrinsic with one more
leading argument, the number of the variant (say, the height of a register tile). Every variant
becomes one LLVM function, and the intrinsic a call of a dispatcher that switches among them, so
a call site costs a call and a jump however many variants there are, and each variant is compiled
once however many call sites there are.

Addresses travel through numba as plain integers. No array is unpacked on the way to a kernel,
and neither read-only data nor float32 data make a second version of anything.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba import config
from numba.core import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from .vectors import BYTE, DOUBLE, FLOAT, INT, INT32, Emitter


def vector_width() -> int:
    """Doubles per vector: 8 with AVX-512, 4 with AVX2, 2 otherwise; MIXTURES_VECTOR_WIDTH wins.

    The features asked for are those numba compiles for: NUMBA_CPU_FEATURES, or the features of
    NUMBA_CPU_NAME as far as the name tells, or the host's.
    """
    chosen = os.environ.get("MIXTURES_VECTOR_WIDTH")
    if chosen:
        if chosen not in ("2", "4", "8"):
            raise ValueError(f"MIXTURES_VECTOR_WIDTH must be 2, 4 or 8, not {chosen!r}.")
        return int(chosen)
    name, features = config.CPU_NAME, config.CPU_FEATURES  # from NUMBA_CPU_NAME and so on
    if features is None and name is not None:
        if name.startswith(("skylake-avx512", "icelake", "sapphire", "znver4", "x86-64-v4")):
            return 8
        return 4 if name.startswith(("haswell", "broadwell", "znver", "x86-64-v3")) else 2
    if features is None:
        features = get_host_cpu_features()
    enabled = features.split(",")
    return 8 if "+avx512f" in enabled else 4 if "+avx2" in enabled else 2


WIDTH = vector_width()

# Argument kinds: the name of an annotation, its LLVM type inside the kernel, numba's outside.
_KINDS: dict[str, tuple[ir.Type, types.Type]] = {
    "Count": (INT, types.intp),  # a number of rows, features, ... or a stride in elements
    "Real": (DOUBLE, types.float64),
    "Doubles": (DOUBLE.as_pointer(), types.intp),  # an address
    "Floats": (FLOAT.as_pointer(), types.intp),
    "Integers": (INT.as_pointer(), types.intp),
    "Labels": (INT32.as_pointer(), types.intp),
    "Bytes": (BYTE.as_pointer(), types.intp),
}
Count = Real = Numbers = Doubles = Floats = Integers = Labels = Bytes = ir.Value


def _define(
    module: ir.Module, name: str, kinds: list[ir.Type], body: Callable[..., None]
) -> ir.Function:
    """An internal function of the module under construction, defined on first use."""
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        body(builder, *function.args)
        builder.ret_void()
    return function


def micro_kernel(
    variants: Iterable[int],
    single: bool = False,
    numbers: ir.Type = DOUBLE,
    width: int = WIDTH,
) -> Callable[[Callable[..., None]], Any]:
    """Decorate an emitter whose arguments are annotated with the kinds above.

    A `single` one works with vectors of floats, of twice the width; `numbers` is what arguments of
    the kind Numbers point to. `width` is for kernels that are faster with narrower vectors.
    """
    kinds = {**_KINDS, "Numbers": (numbers.as_pointer(), types.intp)}
    suffix = ".single" * single + ".float" * (numbers is FLOAT)
    variants = list(variants)

    def decorate(emit: Callable[..., None]) -> Any:
        parameters = list(inspect.signature(emit).parameters.values())[2:]
        inner, outer = zip(*(kinds[str(p.annotation)] for p in parameters), strict=True)

        def variant_body(variant: int) -> Callable[..., None]:
            def body(builder: ir.IRBuilder, *arguments: ir.Value) -> None:
                e = Emitter(builder, 2 * width, FLOAT) if single else Emitter(builder, width)
                emit(e, variant, *arguments)

            return body

        def dispatch(builder: ir.IRBuilder, chosen: ir.Value, *arguments: ir.Value) -> None:
            module = builder.module
            done = builder.append_basic_block("done")
            switch = builder.switch(chosen, done)
            for v in variants:
                block = builder.append_basic_block(f"variant_{v}")
                switch.add_case(v, block)
                builder.position_at_end(block)
                name = f"mixtures.{emit.__name__}{suffix}.{v}"
                builder.call(_define(module, name, list(inner), variant_body(v)), arguments)
                builder.branch(done)
            builder.position_at_end(done)

        def lower(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            name = f"mixtures.{emit.__name__}{suffix}"
            function = _define(builder.module, name, [INT, *inner], dispatch)
            arguments = [
                builder.inttoptr(value, kind) if kind.is_pointer else value
                for value, kind in zip(values[1:], inner, strict=True)
            ]
            builder.call(function, [values[0], *arguments])
            return context.get_dummy_value()

        def typing(context: Any, *arguments: Any) -> Any:
            return types.void(types.intp, *outer), lower

        # numba reads the names of an intrinsic's arguments from its signature.
        names = ["context", "variant", *(p.name for p in parameters)]
        typing.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
        )
        typing.__name__ = typing.__qualname__ = emit.__name__
        typing.__doc__ = emit.__doc__
        return intrinsic(typing)

    return decorate


@intrinsic
def address(context: Any, array: Any) -> Any:
    """Address of an array's first element."""

    def lower(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, INT)

    return types.intp(array), lower
