"""exp, log and their kin of float32 that vectorise: no table, no branch, no float64.

Numba's CPU target calls the C library for each element, which no loop over threads can be vectorised around. Here the
argument is reduced to a short interval, on which a polynomial gives the function: exp x = 2ⁿ · exp r with
r = x - n ln 2, and log x = e ln 2 + log m with m between √½ and √2. The coefficients make the largest error small.
Errors are below 1.1 ulp for exp, exp2, log, log2 and log10, 1.5 ulp for expm1, cosh and erf, and 2.5 ulp for log1p,
tanh and sinh; other dtypes go to the C library.
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
LOG2_E_HIGH, LOG2_E_LOW = f32(1.4423828125), f32(0.00031222839606925845)
LOG10_E = f32(0.4342944920063019)
LOG10_E_HIGH, LOG10_E_LOW = f32(0.43408203125), f32(0.0002124506572727114)
LOG10_2_HIGH, LOG10_2_LOW = f32(0.301025390625), f32(4.605039066518657e-06)
LN2 = f32(0.6931471824645996)
LN2_HIGH, LN2_LOW = f32(0.69287109375), f32(0.0002760868228506297)  # the high part has no digits that n could push out
ROUND = f32(12582912.0)  # adding 1.5 · 2²³ and taking it away again rounds to an integer
ONE_BITS = np.int32(0x3F800000)
TINY = f32(2.0**-24)  # below it x is as good as e to the x, less 1


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
def reduced(x):
    """n, which the low bits of an int32 are, and r of x = n ln 2 + r."""
    rounded = x * LOG2_E + ROUND
    n = rounded - ROUND
    return _bits_of(rounded), (x - n * LN2_HIGH) - n * LN2_LOW


@_compiled
def exp_less_one(r):
    """exp r - 1 for |r| up to half of ln 2."""
    p = f32(0.0013814547564834356)
    p = p * r + f32(0.008368747308850288)
    p = p * r + f32(0.04166838899254799)
    p = p * r + f32(0.1666651964187622)
    p = p * r + f32(0.4999999403953552)
    return p * (r * r) + r


@_compiled
def times_power_of_two(x, n):
    """x · 2ⁿ, of which the low bits of n count."""
    # in two factors, so that neither overflows where their product with x does not; the shift moves n to where a float
    # has its exponent
    half = np.int32(np.int32(n >> 1) << 23)
    rest = np.int32(np.int32(n << 23) - half)
    return x * _from_bits(np.int32(half + ONE_BITS)) * _from_bits(np.int32(rest + ONE_BITS))


@_compiled
def within(x, low, high):
    """x, or the end that it is beyond; NaN is neither less nor greater, and stays."""
    x = low if x < low else x
    return high if x > high else x


@_compiled
def exp_float32(x):
    """e to the x, of a float32."""
    # Beyond these the result is 0 or infinity all the same. At the lower one a factor below is 0: a product that
    # underflows would take a processor a hundred times as long.
    n, r = reduced(within(x, f32(-175.3), f32(89.0)))
    return times_power_of_two(exp_less_one(r) + f32(1.0), n)


@_compiled
def half_exp_float32(x):
    """Half of e to the x, which is finite where e to the x just is not."""
    n, r = reduced(within(x, f32(-175.3), f32(90.0)))
    return times_power_of_two(exp_less_one(r) + f32(1.0), np.int32(n - 1))


@_compiled
def exp2_float32(x):
    """2 to the x, of a float32."""
    inside = within(x, f32(-252.0), f32(129.0))
    rounded = inside + ROUND
    r = (inside - (rounded - ROUND)) * LN2
    return times_power_of_two(exp_less_one(r) + f32(1.0), _bits_of(rounded))


@_compiled
def expm1_float32(x):
    """e to the x, less 1, of a float32: 2 · (h · (exp r - 1) + h - ½), where h is half of 2ⁿ."""
    n, r = reduced(within(x, f32(-30.0), f32(89.0)))
    half = times_power_of_two(f32(0.5), n)
    result = f32(2.0) * (half * exp_less_one(r) + (half - f32(0.5)))
    return x if abs(x) < TINY else result


@_compiled
def tanh_float32(x):
    """The hyperbolic tangent of a float32: e / (e + 2) with e = exp 2|x| - 1."""
    e = expm1_float32(within(f32(2.0) * abs(x), f32(0.0), f32(40.0)))
    return np.copysign(e / (e + f32(2.0)), x)


@_compiled
def cosh_float32(x):
    """The hyperbolic cosine of a float32."""
    half = half_exp_float32(abs(x))
    return half + f32(0.25) / half


@_compiled
def sinh_float32(x):
    """The hyperbolic sine of a float32: near zero from e = exp |x| - 1, as (e + e / (e + 1)) / 2."""
    size = abs(x)
    e = expm1_float32(within(size, f32(0.0), f32(1.0)))
    half = half_exp_float32(size)
    result = f32(0.5) * (e + e / (e + f32(1.0))) if size < f32(1.0) else half - f32(0.25) / half
    return np.copysign(result, x)


@_compiled
def erf_float32(x):
    """The error function of a float32: near zero a polynomial, and 1 - exp(-|x| · a polynomial) beyond 1."""
    square = x * x
    q = f32(7.889119297033176e-05)
    q = q * square + f32(-0.0008020841050893068)
    q = q * square + f32(0.005189535208046436)
    q = q * square + f32(-0.026854444295167923)
    q = q * square + f32(0.11283600330352783)
    q = q * square + f32(-0.3761262595653534)
    q = q * square + f32(0.12837916612625122)
    size = within(abs(x), f32(0.0), f32(4.0))
    p = f32(1.3962444427306764e-05)
    p = p * size + f32(-0.00035059204674325883)
    p = p * size + f32(0.003757476806640625)
    p = p * size + f32(-0.024010069668293)
    p = p * size + f32(0.10653086751699448)
    p = p * size + f32(0.6349695324897766)
    p = p * size + f32(1.1286942958831787)
    beyond = np.copysign(f32(1.0) - exp_float32(-size * p), x)
    return x + x * q if abs(x) < f32(1.0) else beyond


@_compiled
def taken_apart(x):
    """n, f and g of a float32 x = 2ⁿ · (1 + f) with 1 + f between √½ and √2, and log(1 + f) = f + g."""
    subnormal = x < f32(1.1754943508222875e-38)
    scaled = x * f32(8388608.0) if subnormal else x
    bits = _bits_of(scaled)
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
    return n, f, p * f * square - f32(0.5) * square


@_compiled
def logarithm_or_limit(x, logarithm):
    """A logarithm of x where it has a finite one, and what it has elsewhere."""
    result = f32(-np.inf) if x == f32(0.0) else logarithm
    result = x if x == f32(np.inf) else result
    return f32(np.nan) if (x < f32(0.0) or x != x) else result


@_compiled
def log_float32(x):
    """The natural logarithm of a float32."""
    n, f, g = taken_apart(x)
    return logarithm_or_limit(x, (n * LN2_LOW + g) + f + n * LN2_HIGH)


@_compiled
def log2_float32(x):
    """The logarithm to base 2 of a float32."""
    n, f, g = taken_apart(x)
    return logarithm_or_limit(x, f * LOG2_E_HIGH + (f * LOG2_E_LOW + g * LOG2_E) + n)


@_compiled
def log10_float32(x):
    """The logarithm to base 10 of a float32."""
    n, f, g = taken_apart(x)
    return logarithm_or_limit(
        x, f * LOG10_E_HIGH + (n * LOG10_2_LOW + (f * LOG10_E_LOW + g * LOG10_E)) + n * LOG10_2_HIGH
    )


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


def of_float32(fast: Any, exact: Any) -> Any:
    """What stands for a function in a kernel: ``fast`` where its argument is a float32, and else ``exact``."""

    def stub(x):
        """Replaced by the overload below."""

    @overload(stub, jit_options=OPTIONS)
    def choose(x):
        if x == types.float32:
            return lambda x: fast(x)
        return lambda x: exact(x)

    stub.wants_wide_vectors = True
    return stub


exp = of_float32(exp_float32, math.exp)
exp2 = of_float32(exp2_float32, math.exp2)
expm1 = of_float32(expm1_float32, math.expm1)
log = of_float32(log_float32, math.log)
log1p = of_float32(log1p_float32, math.log1p)
log2 = of_float32(log2_float32, math.log2)
log10 = of_float32(log10_float32, math.log10)
tanh = of_float32(tanh_float32, math.tanh)
sinh = of_float32(sinh_float32, math.sinh)
cosh = of_float32(cosh_float32, math.cosh)
erf = of_float32(erf_float32, math.erf)


def wants_wide_vectors(namespace: dict[str, Any]) -> bool:
    """Whether what is compiled in a namespace calls these functions, or one that is marked as calling them."""
    return any(getattr(value, "wants_wide_vectors", False) is True for value in namespace.values())
