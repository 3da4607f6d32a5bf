"""exp, log and log1p of float32 that vectorise: no table, no branch, no float64.

Numba's CPU target calls the C library for each element, which no loop over threads can be vectorised around. Here the
argument is reduced to a short interval, on which a polynomial gives the function: exp x = 2ⁿ · exp r with
r = x - n ln 2, and log x = e ln 2 + log m with m between √½ and √2. The coefficients make the largest error small.
Errors are below 1.05 ulp for exp, 1 ulp for log and 2.5 ulp for log1p; other dtypes go to the C library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic, overload

# put in place of each call, since a loop around a call is not vectorised
OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True, "_nrt": False}

_compiled = njit(nogil=True, **OPTIONS)

f32 = np.float32

LOG2_E = f32(1.4426950216293335)
LN2_HIGH, LN2_LOW = f32(0.69287109375), f32(0.0002760868228506297)  # the high part has no digits that n could push out
ROUND = f32(12582912.0)  # adding 1.5 · 2²³ and taking it away again rounds to an integer
ONE_BITS = np.int32(0x3F800000)


def _bit_cast(kind, bits):
    @intrinsic
    def cast(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_data_type(kind))

        return kind(bits), generate

    return cast


_bits_of = _bit_cast(types.int32, types.float32)
_from_bits = _bit_cast(types.float32, types.int32)


@_compiled
def exp_float32(x):
    """e to the x, of a float32."""
    # Beyond these the result is 0 or infinity all the same; NaN is neither less nor greater, and stays. At the lower
    # one a factor below is 0: a product that underflows would take a processor a hundred times as long.
    inside = f32(-175.3) if x < f32(-175.3) else x
    inside = f32(89.0) if inside > f32(89.0) else inside
    rounded = inside * LOG2_E + ROUND
    n = rounded - ROUND
    r = (inside - n * LN2_HIGH) - n * LN2_LOW
    p = f32(0.0013814547564834356)
    p = p * r + f32(0.008368747308850288)
    p = p * r + f32(0.04166838899254799)
    p = p * r + f32(0.1666651964187622)
    p = p * r + f32(0.4999999403953552)
    p = (p * (r * r) + r) + f32(1.0)
    # 2ⁿ in two factors, so that neither overflows where their product with p does not; n is in the low bits of rounded,
    # and the shift moves it to where a float has its exponent
    bits = _bits_of(rounded)
    half = np.int32(np.int32(bits >> 1) << 23)
    rest = np.int32(np.int32(bits << 23) - half)
    return p * _from_bits(np.int32(half + ONE_BITS)) * _from_bits(np.int32(rest + ONE_BITS))


@_compiled
def log_float32(x):
    """The natural logarithm of a float32."""
    subnormal = x < f32(1.1754943508222875e-38)
    scaled = x * f32(8388608.0) if subnormal else x
    bits = _bits_of(scaled)
    # the exponent that leaves a mantissa between √½ and √2
    e = np.int32((bits - np.int32(0x3F3504F3)) >> 23)
    m = _from_bits(np.int32(bits - np.int32(e << 23)))
    f = m - f32(1.0)
    p = f32(0.06971611827611923)
    p = p * f + f32(-0.11479733884334564)
    p = p * f + f32(0.11685419827699661)
    p = p * f + f32(-0.12425687164068222)
    p = p * f + f32(0.14249058067798615)
    p = p * f + f32(-0.1666780263185501)
    p = p * f + f32(0.20000715553760529)
    p = p * f + f32(-0.2499999701976776)
    p = p * f + f32(0.3333333134651184)
    n = f32(e) - (f32(23.0) if subnormal else f32(0.0))
    square = f * f
    result = (n * LN2_LOW + (p * f * square - f32(0.5) * square)) + f + n * LN2_HIGH
    result = f32(-np.inf) if x == f32(0.0) else result
    result = x if x == f32(np.inf) else result
    return f32(np.nan) if (x < f32(0.0) or x != x) else result


@_compiled
def log1p_float32(x):
    """log(1 + x) of a float32: log(u) · x / (u - 1) with u = 1 + x as it is rounded (W. Kahan)."""
    u = f32(1.0) + x
    rounded = u - f32(1.0)
    log_u = log_float32(u)
    result = log_u * (x / rounded)
    result = x if rounded == f32(0.0) else result
    return log_u if (u <= f32(0.0) or u == f32(np.inf)) else result


@intrinsic
def use_wide_vectors(typing_context):
    """Have the function that calls this use the widest vectors that the processor has.

    LLVM prefers those of 256 bits, since on some processors wider ones lower the clock; work as dense as these
    polynomials is a third faster with 512 all the same.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite lists the attributes that it knows, and this is none of them
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


def exp(x):
    """``math.exp`` in a kernel."""


def log(x):
    """``math.log`` in a kernel."""


def log1p(x):
    """``math.log1p`` in a kernel."""


def _of_float32(stub, fast, exact):
    @overload(stub, jit_options=OPTIONS)
    def choose(x):
        if x == types.float32:
            return lambda x: fast(x)
        return lambda x: exact(x)


_of_float32(exp, exp_float32, math.exp)
_of_float32(log, log_float32, math.log)
_of_float32(log1p, log1p_float32, math.log1p)


for _stub in (exp, log, log1p):
    _stub.wants_wide_vectors = True


def wants_wide_vectors(namespace: dict[str, Any]) -> bool:
    """Whether what is compiled in a namespace calls these functions, or one that is marked as calling them."""
    return any(getattr(value, "wants_wide_vectors", False) is True for value in namespace.values())
