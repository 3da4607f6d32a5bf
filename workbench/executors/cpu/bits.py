"""libdevice's functions of integers, of the bits of floats, and of one number type's values in another."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

_compiled = njit(error_model="numpy")

INTEGERS = {
    "int": (np.int32, -(2**31), 2**31 - 1),
    "uint": (np.uint32, 0, 2**32 - 1),
    "ll": (np.int64, -(2**63), 2**63 - 1),
    "ull": (np.uint64, 0, 2**64 - 1),
}
"""The integers that libdevice converts floats to and from: type, least and largest value, by its name for them."""

ROUNDED = {"rn": np.rint, "rz": np.trunc, "ru": np.ceil, "rd": np.floor}
"""Rounding to an integer, by the end of the name: to the nearest, towards zero, up, down."""


def to_integer(kind: str, how: str, source: str):
    """The conversion of a float, ``"float"`` or ``"double"``, which ends at the least and the largest value."""
    integer, least, largest = INTEGERS[kind]
    rounded = ROUNDED[how]
    below, above = float(least), float(largest + 1)
    wide = source == "double" or kind in ("ll", "ull")
    least, largest = integer(least), integer(largest)
    of_nan = (
        integer((1 if kind.startswith("u") else -1) * 2 ** (8 * np.dtype(integer).itemsize - 1)) if wide else integer(0)
    )

    @_compiled
    def convert(x):
        if np.isnan(x):
            return of_nan
        y = rounded(np.float64(x))
        return least if y <= below else (largest if y >= above else integer(y))

    return convert


def from_integer(kind: str, result):
    """The conversion to a float type, to the nearest."""
    integer = INTEGERS[kind][0]
    return _compiled(lambda x: result(integer(x)))


@intrinsic
def _as_bits_of(typing_context, x, kind):
    """The value of type ``kind`` that has the bits of ``x``."""
    result = kind.dtype

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(result))

    return result(x, kind), generate


def _reinterpreting(kind):
    return _compiled(lambda x: _as_bits_of(x, kind))


double_as_longlong, longlong_as_double = _reinterpreting(types.int64), _reinterpreting(types.float64)
float_as_int, int_as_float = _reinterpreting(types.int32), _reinterpreting(types.float32)


@_compiled
def double2hiint(x):
    return np.int32(double_as_longlong(x) >> 32)


@_compiled
def double2loint(x):
    return np.int32(double_as_longlong(x))


@_compiled
def hiloint2double(high, low):
    return longlong_as_double((np.int64(high) << 32) | np.int64(np.uint32(low)))


@_compiled
def signbit(x):
    return np.int32(np.signbit(x))


@_compiled
def hadd(x, y):
    return (np.int64(x) + np.int64(y)) >> 1


@_compiled
def rhadd(x, y):
    return (np.int64(x) + np.int64(y) + 1) >> 1


@_compiled
def uhadd(x, y):
    return hadd(np.uint32(x), np.uint32(y))


@_compiled
def urhadd(x, y):
    return rhadd(np.uint32(x), np.uint32(y))


@_compiled
def mul24(x, y):
    """The product of the low 24 bits, with their sign."""
    return np.int64(np.int32(x << 8) >> 8) * np.int64(np.int32(y << 8) >> 8)


@_compiled
def umul24(x, y):
    return np.int64(x & 0xFFFFFF) * np.int64(y & 0xFFFFFF)


@_compiled
def mulhi(x, y):
    return (np.int64(x) * np.int64(y)) >> 32


@_compiled
def umulhi(x, y):
    return (np.uint64(np.uint32(x)) * np.uint64(np.uint32(y))) >> np.uint64(32)


def _high_half(signed: bool):
    """The high 64 bits of the product of two 64-bit integers."""

    @intrinsic
    def high_half(typing_context, x, y):
        def generate(context, builder, signature, arguments):
            wide = ir.IntType(128)
            x, y = ((builder.sext if signed else builder.zext)(v, wide) for v in arguments)
            return builder.trunc(builder.lshr(builder.mul(x, y), ir.Constant(wide, 64)), ir.IntType(64))

        return types.int64(types.int64, types.int64), generate

    return _compiled(lambda x, y: high_half(x, y))


mul64hi, umul64hi = _high_half(True), _high_half(False)


@_compiled
def sad(x, y, z):
    """``abs(x - y) + z``."""
    return abs(np.int64(x) - np.int64(y)) + z


@_compiled
def usad(x, y, z):
    return abs(np.int64(np.uint32(x)) - np.int64(np.uint32(y))) + z


@_compiled
def byte_perm(x, y, selector):
    """Four of the eight bytes of ``x`` and ``y``, each chosen by three bits of ``selector``."""
    both = (np.uint64(np.uint32(y)) << np.uint64(32)) | np.uint64(np.uint32(x))
    result = np.uint64(0)
    for k in range(4):
        byte = (both >> np.uint64(8 * ((selector >> (4 * k)) & 7))) & np.uint64(255)
        result |= byte << np.uint64(8 * k)
    return result


@_compiled
def umax(x, y):
    return max(np.uint32(x), np.uint32(y))


@_compiled
def umin(x, y):
    return min(np.uint32(x), np.uint32(y))


@_compiled
def ullmax(x, y):
    return max(np.uint64(x), np.uint64(y))


@_compiled
def ullmin(x, y):
    return min(np.uint64(x), np.uint64(y))


# without fused multiply-add, as libdevice has it
@_compiled
def add(x, y):
    return x + y


@_compiled
def subtract(x, y):
    return x - y


@_compiled
def multiply(x, y):
    return x * y


@_compiled
def divide(x, y):
    return x / y
