"""``numba.cuda.fp16`` on a CPU, and what ``math`` makes of a float16.

The names are those of CUDA's header for half precision, with and without its two underscores. Each function converts
its arguments to the header's types first and rounds its result to float16 once.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

from workbench.executors.cpu import float32, floats, sines
from workbench.executors.cpu.float16 import SIGN

OPTIONS = {"error_model": "numpy", "forceinline": True, "_nrt": False}

_compiled = njit(**OPTIONS)

f16, f32, f64 = types.float16, types.float32, types.float64


def _same_bits(kind: types.Type, source: types.Type) -> Any:
    """The conversion of one type of 16 bits to another that leaves the bits as they are."""

    @intrinsic
    def convert(typing_context, x):
        def generate(context, builder, signature, arguments):
            value = context.cast(builder, arguments[0], x, source)
            return builder.bitcast(value, ir.IntType(16))

        return kind(x), generate

    return _compiled(lambda x: convert(x))


as_ushort, as_short = _same_bits(types.uint16, f16), _same_bits(types.int16, f16)
from_ushort, from_short = _same_bits(f16, types.uint16), _same_bits(f16, types.int16)

# -- arithmetic and comparisons


@_compiled
def fma(a, b, c):
    # a product of float16 is exact in float64; where a sum is not, what it lacks is too small to matter
    return f16(f64(f16(a)) * f64(f16(b)) + f64(f16(c)))


@_compiled
def saturated(x):
    return f16(floats.saturate(f32(x)))


@_compiled
def relu(x):
    return f16(0) if x < f16(0) else x


@_compiled
def isnan(x):
    return f16(x) != f16(x)


@_compiled
def isinf(x):
    """The sign of an infinity, zero for any other value."""
    return np.int32(f32(f16(x)) == f32(np.inf)) - np.int32(f32(f16(x)) == f32(-np.inf))


@_compiled
def maximum(a, b):
    """The other one if one is NaN; a positive zero is more than a negative one."""
    a, b = f16(a), f16(b)
    if a == b:
        return from_ushort(as_ushort(a) & as_ushort(b))
    return a if a > b or isnan(b) else b


@_compiled
def minimum(a, b):
    a, b = f16(a), f16(b)
    if a == b:
        return from_ushort(as_ushort(a) | as_ushort(b))
    return a if a < b or isnan(b) else b


@_compiled
def maximum_nan(a, b):
    return f16(np.nan) if isnan(a) or isnan(b) else maximum(a, b)


@_compiled
def minimum_nan(a, b):
    return f16(np.nan) if isnan(a) or isnan(b) else minimum(a, b)


def _of_two(operation: Any) -> Any:
    return _compiled(lambda a, b: operation(f16(a), f16(b)))


def _saturating(operation: Any) -> Any:
    return _compiled(lambda a, b: saturated(operation(f16(a), f16(b))))


def _or_unordered(operation: Any) -> Any:
    return _compiled(lambda a, b: isnan(a) or isnan(b) or operation(f16(a), f16(b)))


@_compiled
def not_equal(a, b):
    """Also false where one is NaN."""
    return f16(a) < f16(b) or f16(a) > f16(b)


ARITHMETIC = {"add": operator.add, "sub": operator.sub, "mul": operator.mul}
COMPARISONS = {c: getattr(operator, c) for c in ("eq", "lt", "le", "gt", "ge")}

FUNCTIONS = {
    **{f"h{n}": _of_two(f) for n, f in ARITHMETIC.items()},
    **{f"h{n}_rn": _of_two(f) for n, f in ARITHMETIC.items()},
    **{f"h{n}_sat": _saturating(f) for n, f in ARITHMETIC.items()},
    **{f"h{n}": _of_two(f) for n, f in COMPARISONS.items()},
    **{f"h{n}u": _or_unordered(f) for n, f in COMPARISONS.items()},
    "hne": not_equal,
    "hneu": _of_two(operator.ne),
    "hdiv": _of_two(operator.truediv),
    "hfma": fma,
    "hfma_sat": _compiled(lambda a, b, c: saturated(fma(a, b, c))),
    "hfma_relu": _compiled(lambda a, b, c: relu(fma(a, b, c))),
    "hneg": _compiled(lambda x: from_ushort(as_ushort(x) ^ SIGN)),
    "habs": _compiled(lambda x: from_ushort(as_ushort(x) & (SIGN - 1))),
    "hisnan": isnan,
    "hisinf": isinf,
    "hmax": maximum,
    "hmin": minimum,
    "hmax_nan": maximum_nan,
    "hmin_nan": minimum_nan,
    "half_as_short": as_short,
    "half_as_ushort": as_ushort,
    "short_as_half": from_short,
    "ushort_as_half": from_ushort,
    "half2float": _compiled(lambda x: f32(f16(x))),
}

# -- functions of one number


def _in_float32(function: Any) -> Any:
    return _compiled(lambda x: f16(function(f32(f16(x)))))


IN_FLOAT32 = {
    "ceil": np.ceil, "cos": sines.cos, "exp": float32.exp, "exp10": floats.exp10, "exp2": float32.exp2,
    "floor": np.floor, "log": float32.log, "log10": float32.log10, "log2": float32.log2, "rcp": floats.reciprocal,
    "rint": np.rint,
    "sin": sines.sin, "sqrt": math.sqrt, "tanh": float32.tanh, "tanh_approx": float32.tanh, "trunc": np.trunc,
}  # fmt: skip

FUNCTIONS |= {f"h{n}": _in_float32(f) for n, f in IN_FLOAT32.items()}
FUNCTIONS["hrsqrt"] = _compiled(lambda x: f16(1.0 / math.sqrt(f64(f16(x)))))

OF_MATH = {
    math.ceil: (floats.ceil, "hceil"),
    math.cos: (sines.cos, "hcos"),
    math.exp: (float32.exp, "hexp"),
    math.exp2: (float32.exp2, "hexp2"),
    math.fabs: (math.fabs, "habs"),
    math.floor: (floats.floor, "hfloor"),
    math.log: (float32.log, "hlog"),
    math.log10: (float32.log10, "hlog10"),
    math.log2: (float32.log2, "hlog2"),
    math.sin: (sines.sin, "hsin"),
    math.sqrt: (math.sqrt, "hsqrt"),
    math.tanh: (float32.tanh, "htanh"),
    math.trunc: (floats.trunc, "htrunc"),
}
"""The functions of ``math`` that make a float16 of one; what the executor calls for them, and the function here."""


def _of_float16(called: Any, function: Any) -> None:
    @overload(called, target="cpu", jit_options=OPTIONS, strict=False)
    def choose(x):
        if x == f16:
            return lambda x: function(x)


for _called, _title in OF_MATH.values():
    _of_float16(_called, FUNCTIONS[_title])

# -- conversions

INTEGERS = {
    "char": types.int8, "uchar": types.uint8, "short": types.int16, "ushort": types.uint16, "int": types.int32,
    "uint": types.uint32, "ll": types.int64, "ull": types.uint64,
}  # fmt: skip
NUMBERS = {**INTEGERS, "float": f32, "double": f64}
ROUNDED = {"rn": np.rint, "rz": np.trunc, "ru": np.ceil, "rd": np.floor}


def _from_number(kind: types.Type, how: str) -> Any:
    """To float16, rounded to the nearest (rn), towards zero (rz), up (ru) or down (rd)."""
    up, down = how == "ru", how == "rd"

    @_compiled
    def convert(x):
        exact = f64(kind(x))
        nearest = f16(exact)
        size, bits = abs(exact), as_ushort(nearest)
        outwards = up if exact > 0 else down
        if f64(abs(nearest)) > size and not outwards:
            return from_ushort(bits - 1)
        if f64(abs(nearest)) < size and outwards:
            return from_ushort(bits + 1)
        return nearest

    return _compiled(lambda x: f16(kind(x))) if how == "rn" else convert


def _to_integer(kind: types.Type, how: str) -> Any:
    """To an integer; beyond the last one, the last one. NaN is zero, and of 64 bits the highest bit alone."""
    rounded = ROUNDED[how]
    of_nan = kind(1 << 63) if kind == types.uint64 else kind(-(1 << 63)) if kind == types.int64 else kind(0)
    return _compiled(lambda x: of_nan if isnan(x) else kind(f16(rounded(f32(f16(x))))))


def meaning(value: Any) -> Any:
    """The CPU's function for one of ``numba.cuda.fp16``, or None for anything else.

    Raises NotImplementedError for one without a counterpart here.
    """
    if not (getattr(value, "__module__", None) or "").endswith(("cuda_fp16", "cuda.fp16")):
        return None
    return _function(value.__name__)


@functools.cache
def _function(title: str) -> Any:
    plain = title.removeprefix("__")
    if plain in FUNCTIONS:
        return FUNCTIONS[plain]
    if found := re.fullmatch(r"(\w+)2half(?:_(rn|rz|ru|rd))?", plain):
        return _from_number(NUMBERS[found[1]], found[2] or "rn")
    if found := re.fullmatch(r"half2(\w+)_(rn|rz|ru|rd)", plain):
        return _to_integer(INTEGERS[found[1]], found[2])
    raise NotImplementedError(f"cuda.fp16.{title}")
