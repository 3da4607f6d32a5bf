"""Functions of floats that CUDA has and Numba's CPU target lacks, or types in another way.

As numba-cuda does, they work in float32 where every argument is a float32 or fits into one, else in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}

FIT_FLOAT32 = (types.float16, types.float32, types.int8, types.int16, types.uint8, types.uint16, types.boolean)

_compiled = njit(**OPTIONS)


def float_of(*kinds: types.Type) -> types.Type:
    """The float type that numba-cuda converts arguments of these types to."""
    return types.float32 if all(types.unliteral(kind) in FIT_FLOAT32 for kind in kinds) else types.float64


@intrinsic
def fma(typing_context, a, b, c):
    """``a * b + c``, rounded once."""
    kind = float_of(a, b, c)

    def generate(context, builder, signature, arguments):
        return builder.fma(*(context.cast(builder, v, t, kind) for v, t in zip(arguments, signature.args, strict=True)))

    return kind(a, b, c), generate


fma.wants_wide_vectors = True  # who says it has much to compute


def of_floats(function: Any) -> Any:
    """A function of one or two numbers that converts them to their common float type and calls ``function``."""

    def stub(*numbers):
        """Replaced by the overloads below."""

    @overload(stub, jit_options=OPTIONS)
    def convert(*numbers):
        kind = float_of(*numbers)
        if len(numbers) == 1:
            return lambda *numbers: function(kind(numbers[0]))
        return lambda *numbers: function(kind(numbers[0]), kind(numbers[1]))

    return stub


floor, ceil, trunc, fmod = of_floats(np.floor), of_floats(np.ceil), of_floats(np.trunc), of_floats(np.fmod)
nextafter = of_floats(np.nextafter)


def like(x, number):
    """``number`` in the type of ``x``."""


@overload(like, jit_options=OPTIONS)
def _like(x, number):
    kind = types.unliteral(x)
    return lambda x, number: kind(number)


@of_floats
@_compiled
def modf(x):
    """The fractional and the integral part."""
    whole = np.trunc(x)
    fraction = x - whole if np.isfinite(x) else (x if np.isnan(x) else like(x, 0))
    return np.copysign(fraction, x), whole


@of_floats
@_compiled
def remainder(x, y):
    """``x - n * y`` for the integer ``n`` that is closest to ``x / y``, the even one of two."""
    if np.isnan(x) or np.isnan(y) or np.isinf(x) or y == 0:
        return like(x, np.nan)
    if np.isinf(y):
        return x
    size, step = abs(x), abs(y)
    rest = np.fmod(size, step)
    other = step - rest
    if rest > other:
        rest = -other
    elif rest == other:
        rest = rest - like(x, 2) * np.fmod(like(x, 0.5) * (size - rest), step)
    return np.copysign(like(x, 1), x) * rest


@_compiled
def remquo(x, y):
    """``remainder`` and the low three bits of ``n``, with its sign."""
    rest = remainder(x, y)
    if np.isnan(rest) or np.isinf(y):
        return rest, np.int32(0)
    count = np.int32(np.fmod(np.rint(abs((np.float64(x) - np.float64(rest)) / np.float64(y))), 8.0))
    return rest, (-count if (x < 0) != (y < 0) else count)


@_compiled
def round_half_away(x):
    whole = np.trunc(x)
    return whole + np.copysign(like(x, 1), x) if abs(x - whole) >= like(x, 0.5) else whole


@_compiled
def exp10(x):
    return like(x, 10.0 ** np.float64(x))


@_compiled
def rsqrt(x):
    return like(x, 1) / math.sqrt(x)


@_compiled
def reciprocal(x):
    return like(x, 1) / x


@_compiled
def cbrt(x):
    return np.cbrt(x)


@_compiled
def rcbrt(x):
    return like(x, 1) / np.cbrt(x)


@_compiled
def fdim(x, y):
    if np.isnan(x) or np.isnan(y):
        return like(x, np.nan)
    return x - y if x > y else like(x, 0)


@_compiled
def saturate(x):
    """Held between zero and one; NaN is zero."""
    return like(x, 1) if x > 1 else (x if x > 0 else like(x, 0))


@_compiled
def sinpi(x):
    """``sin(pi * x)``, exact in its zeros."""
    turn = np.fmod(np.float64(x), 2.0)
    if not np.isfinite(turn):
        return like(x, np.nan)
    if turn == np.trunc(turn):
        return np.copysign(like(x, 0), x)
    half = np.rint(2.0 * turn)
    angle = math.pi * (turn - 0.5 * half)
    quarter = np.int64(half) & 3
    value = math.sin(angle) if quarter & 1 == 0 else math.cos(angle)
    return like(x, -value if quarter & 2 else value)


@_compiled
def cospi(x):
    """``cos(pi * x)``, exact in its zeros."""
    turn = np.fmod(abs(np.float64(x)), 2.0)
    if not np.isfinite(turn):
        return like(x, np.nan)
    half = np.rint(2.0 * turn)
    angle = math.pi * (turn - 0.5 * half)
    quarter = (np.int64(half) + 1) & 3
    value = math.sin(angle) if quarter & 1 == 0 else math.cos(angle)
    return like(x, (-value if quarter & 2 else value) + 0.0)  # never minus zero


@_compiled
def sincos(x):
    return math.sin(x), math.cos(x)


@_compiled
def sincospi(x):
    return sinpi(x), cospi(x)


@_compiled
def logb(x):
    """The binary exponent, as a float."""
    if x == 0:
        return like(x, -np.inf)
    return like(x, math.frexp(x)[1] - 1) if np.isfinite(x) else abs(x)


@_compiled
def ilogb(x):
    """The binary exponent, as an integer."""
    if x == 0 or np.isnan(x):
        return np.int32(-(2**31))
    return np.int32(2**31 - 1) if np.isinf(x) else np.int32(math.frexp(x)[1] - 1)


@_compiled
def _erfcinv(p):
    if not 0 < p < 2:
        return np.inf if p == 0 else (-np.inf if p == 2 else np.nan)
    tail = p if p < 1 else 2 - p
    t = math.sqrt(-2 * math.log(tail / 2))
    x = -0.70711 * ((2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)) - t)
    for _ in range(3):  # Halley's method, from an approximation by a rational function
        error = math.erfc(x) - tail
        x += error / (2 / math.sqrt(math.pi) * math.exp(-x * x) - x * error)
    return x if p < 1 else -x


@_compiled
def erfcinv(p):
    """The ``x`` of which ``p`` is the complementary error function."""
    return like(p, _erfcinv(np.float64(p)))


@_compiled
def erfinv(p):
    """The ``x`` of which ``p`` is the error function."""
    if abs(p) > 0.5:
        return like(p, np.copysign(_erfcinv(1 - abs(np.float64(p))), p))
    x = np.float64(p) * math.sqrt(math.pi) / 2
    for _ in range(5):  # Newton's method
        x -= (math.erf(x) - p) / (2 / math.sqrt(math.pi) * math.exp(-x * x))
    return like(p, x)


@_compiled
def normcdf(x):
    """The distribution function of the standard normal distribution."""
    return like(x, 0.5 * math.erfc(-np.float64(x) / math.sqrt(2.0)))


@_compiled
def normcdfinv(p):
    """The quantiles of the standard normal distribution."""
    return like(p, -math.sqrt(2.0) * _erfcinv(2 * np.float64(p)))


@_compiled
def scale(x, exponent):
    """``x * 2 ** exponent``."""
    return like(x, math.ldexp(x, exponent))
