"""Arithmetic where CUDA's meaning differs from the one that Numba gives the same Python on a CPU.

- ``min`` and ``max`` of floats ignore a NaN operand (CUDA Math API, fmin and fmax), where Python's propagate it;
- ``math.floor``, ``ceil`` and ``trunc`` are floats, where Numba's CPU target returns integers;
- a float raised to an integer power keeps its type, and ``0.0 ** -1`` is infinite, where the CPU target raises.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

from workbench.executors.cpu import float32, floats, sines

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}


def _ignoring_nan(name: str) -> Any:
    @intrinsic
    def pick(typing_context, a, b):
        both = typing_context.unify_types(a, b)

        def generate(context, builder, signature, arguments):
            a, b = (context.cast(builder, v, t, both) for v, t in zip(arguments, signature.args, strict=True))
            function = builder.module.declare_intrinsic(name, [a.type], ir.FunctionType(a.type, [a.type] * 2))
            return builder.call(function, [a, b])

        return both(a, b), generate

    return pick


_float_minimum = _ignoring_nan("llvm.minnum")
_float_maximum = _ignoring_nan("llvm.maxnum")


def minimum(a, b):
    """CUDA's ``min`` of two values; read writes out more."""


def maximum(a, b):
    """CUDA's ``max`` of two values; read writes out more."""


def _of_numbers(stub: Any, floats: Any, builtin: Any) -> None:
    @overload(stub, jit_options=OPTIONS)
    def of_two(a, b):
        # numba-cuda compares two float16 as Python does
        if any(isinstance(kind, types.Float) and kind != types.float16 for kind in (a, b)):
            return lambda a, b: floats(a, b)
        return lambda a, b: builtin(a, b)


_of_numbers(minimum, _float_minimum, min)
_of_numbers(maximum, _float_maximum, max)


def power(base, exponent):
    """CUDA's ``**``."""


@overload(power, jit_options=OPTIONS)
def _power(base, exponent):
    if base == types.float16:
        return lambda base, exponent: power(types.float32(base), exponent)
    if not (isinstance(base, types.Float) and isinstance(exponent, types.Integer)):
        return lambda base, exponent: base**exponent
    one = np.float32(1) if base == types.float32 else np.float64(1)

    def by_squaring(base, exponent):
        result, square, remaining = one, base, abs(exponent)
        while remaining:
            if remaining & 1:
                result = result * square
            square = square * square
            remaining >>= 1
        return one / result if exponent < 0 else result

    return by_squaring


def math_power(base, exponent):
    """CUDA's ``math.pow``, of which a float32 to an int32 is a float32."""


@overload(math_power, jit_options=OPTIONS)
def _math_power(base, exponent):
    if base in (types.float16, types.float32) and isinstance(exponent, types.Integer) and exponent.bitwidth <= 32:
        return lambda base, exponent: power(base, exponent)
    return lambda base, exponent: math.pow(base, exponent)


cbrt = floats.of_floats(floats.cbrt)
fma = floats.fma


def unsigned_of(kind: types.Type) -> types.Type:
    """The unsigned type that numba-cuda converts an integer of this type to: of 32 bits, unless it is a uint64."""
    return types.uint64 if kind == types.uint64 else types.uint32


def _of_bits(operation: str, *flags: int, unsigned: bool = False) -> Any:
    """An operation on the bits of an integer, by LLVM's intrinsic ``operation`` with the given flags.

    The result is of the integer's own type, or of the unsigned one that it is converted to.
    """

    @intrinsic
    def of_bits(typing_context, x):
        kind = unsigned_of(x) if unsigned else x if isinstance(x, types.Integer) else types.int64

        def generate(context, builder, signature, arguments):
            value = context.cast(builder, arguments[0], signature.args[0], kind)
            more = [ir.Constant(ir.IntType(1), flag) for flag in flags]
            function_type = ir.FunctionType(value.type, [value.type, *(m.type for m in more)])
            function = builder.module.declare_intrinsic(operation, [value.type], function_type)
            return builder.call(function, [value, *more])

        return kind(x), generate

    return of_bits


popc = _of_bits("llvm.ctpop")
brev = _of_bits("llvm.bitreverse", unsigned=True)
clz = _of_bits("llvm.ctlz", 0)
_trailing_zeros = _of_bits("llvm.cttz", 0)


@njit(**OPTIONS)
def ffs(x):
    return np.uint32(0) if x == 0 else np.uint32(_trailing_zeros(x) + 1)


@njit(**OPTIONS)
def lanemask_lt(lane):
    """The lanes before this one, as bits."""
    return np.uint32((1 << lane) - 1)


@njit(**OPTIONS)
def selp(test, a, b):
    return a if test else b


MEANINGS = {
    builtins.min: minimum,
    builtins.max: maximum,
    builtins.pow: power,
    math.floor: floats.floor,
    math.ceil: floats.ceil,
    math.trunc: floats.trunc,
    math.fmod: floats.fmod,
    math.modf: floats.modf,
    math.exp: float32.exp,
    math.exp2: float32.exp2,
    math.expm1: float32.expm1,
    math.log: float32.log,
    math.log1p: float32.log1p,
    math.log2: float32.log2,
    math.log10: float32.log10,
    math.tanh: float32.tanh,
    math.sinh: float32.sinh,
    math.cosh: float32.cosh,
    math.erf: float32.erf,
    math.sin: sines.sin,
    math.cos: sines.cos,
    math.tan: sines.tan,
    math.pow: math_power,
    math.nextafter: floats.nextafter,
    math.remainder: floats.remainder,
}
"""What the executor calls in the place of what the kernel names."""
