"""``numba.cuda.libdevice`` on the CPU executor, against Python's own mathematics in double precision."""

import math
import struct
from statistics import NormalDist

import numpy as np
import pytest
from dialect import INF, NAN, rows
from numba.cuda import libdevice

import workbench as wb

NORMAL = NormalDist()

OF_ONE = {
    "acos": math.acos, "acosh": lambda x: math.acosh(x + 1), "asin": math.asin, "asinh": math.asinh,
    "atan": math.atan, "atanh": math.atanh, "cbrt": math.cbrt, "ceil": math.ceil, "cos": math.cos, "cosh": math.cosh,
    "cospi": lambda x: math.cos(math.pi * x), "erf": math.erf, "erfc": math.erfc, "exp": math.exp,
    "exp10": lambda x: 10.0**x, "exp2": math.exp2, "expm1": math.expm1, "fabs": abs, "floor": math.floor,
    "lgamma": math.lgamma, "log": math.log, "log10": math.log10, "log1p": math.log1p, "log2": math.log2,
    "logb": lambda x: math.frexp(x)[1] - 1, "nearbyint": round, "rint": round, "rcbrt": lambda x: 1 / math.cbrt(x),
    "round": lambda x: math.floor(x + 0.5), "rsqrt": lambda x: x**-0.5, "sin": math.sin, "sinh": math.sinh,
    "sinpi": lambda x: math.sin(math.pi * x), "sqrt": math.sqrt, "tan": math.tan, "tanh": math.tanh,
    "tgamma": math.gamma, "trunc": math.trunc, "normcdf": NORMAL.cdf, "normcdfinv": NORMAL.inv_cdf,
    "erfinv": lambda x: NORMAL.inv_cdf((1 + x) / 2) / math.sqrt(2),
    "erfcinv": lambda x: -NORMAL.inv_cdf(x / 2) / math.sqrt(2),
}  # fmt: skip
"""Functions of a number between 0 and 1, in float64 and, with an ``f`` at the end, in float32."""

OF_TWO = {
    "atan2": math.atan2, "copysign": math.copysign, "fdim": lambda x, y: max(x - y, 0), "fmax": max, "fmin": min,
    "fmod": math.fmod, "hypot": math.hypot, "pow": math.pow, "remainder": math.remainder,
}  # fmt: skip

FAST = ("cosf", "exp10f", "expf", "log10f", "log2f", "logf", "sinf", "tanf")

X = np.array([0.1, 0.3, 0.5, 0.7, 0.95])
Y = np.array([0.2, 0.7, 0.3, 0.1, 0.4])


def shifted(name):
    return "x_ + 1" if name == "acosh" else "x_"


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_functions_of_doubles():
    found = rows([f"l.{n}({shifted(n)})" for n in OF_ONE], names={"l": libdevice}, x=X)
    for name, row in zip(OF_ONE, found, strict=True):
        close(row, [OF_ONE[name](x) for x in X.tolist()], 1e-13)
    found = rows([f"l.{n}(x_, y_)" for n in OF_TWO], names={"l": libdevice}, x=X, y=Y)
    for name, row in zip(OF_TWO, found, strict=True):
        close(row, [OF_TWO[name](x, y) for x, y in zip(X.tolist(), Y.tolist(), strict=True)], 1e-13)


def test_functions_of_floats_return_floats():
    """Also where a float64 is handed in, which is converted first."""
    x, y = X.astype(np.float32), Y.astype(np.float32)
    one = [(n, f"l.{n}f(np.float64({shifted(n)}))") for n in OF_ONE]
    one += [(n[:-1], f"l.fast_{n}(x_)") for n in FAST]
    found = rows([e for _, e in one], names={"l": libdevice}, x=x)
    for (name, _), row in zip(one, found, strict=True):
        assert np.array_equal(row, row.astype(np.float32)), name
        close(row, [OF_ONE[name](v) for v in x.tolist()], 5e-6)
    found = rows([f"l.{n}f(x_, y_)" for n in OF_TWO], names={"l": libdevice}, x=x, y=y)
    for name, row in zip(OF_TWO, found, strict=True):
        assert np.array_equal(row, row.astype(np.float32)), name
        close(row, [OF_TWO[name](a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)], 1e-6)


def bits_of(x):
    return struct.unpack("<q", struct.pack("<d", x))[0]


SPECIAL = {
    # bits
    "l.brev(1)": -(2**31), "l.brevll(2)": 2**62, "l.clz(1)": 31, "l.clzll(1)": 63, "l.ffs(8)": 4, "l.ffsll(0)": 0,
    "l.popc(-1)": 32, "l.popcll(-1)": 64, "l.byte_perm(0x03020100, 0x07060504, 0x7531)": 0x07050301,
    # integers
    "l.abs(-3)": 3, "l.llabs(-(2**40))": 2**40, "l.max(-1, 2)": 2, "l.min(-1, 2)": -1, "l.umax(-1, 2)": -1,
    "l.umin(-1, 2)": 2, "l.llmax(-1, 2)": 2, "l.llmin(-1, 2)": -1, "l.ullmax(-1, 2)": -1, "l.ullmin(-1, 2)": 2,
    "l.hadd(-3, -2)": -3, "l.rhadd(-3, -2)": -2, "l.uhadd(-1, 1)": -(2**31), "l.urhadd(-1, 1)": -(2**31),
    "l.mul24(-3, 5)": -15, "l.umul24(0x1000003, 5)": 15, "l.mulhi(-(2**31), 4)": -2, "l.umulhi(-(2**31), 4)": 2,
    "l.mul64hi(-(2**62), 8)": -2, "l.umul64hi(-1, 2)": 1, "l.sad(-3, 4, 5)": 12, "l.usad(-1, 2**31 - 1, 5)": 5 - 2**31,
    # the bits of floats
    "l.double_as_longlong(x_)": bits_of(-2.5), "l.longlong_as_double(4611686018427387904)": 2.0,
    "l.float_as_int(1.0)": 0x3F800000, "l.int_as_float(0x3F800000)": 1.0, "l.double2hiint(x_)": bits_of(-2.5) >> 32,
    "l.double2loint(x_)": 0, "l.hiloint2double(1073741824, 0)": 2.0, "l.signbitd(x_)": 1, "l.signbitf(2.0)": 0,
    "l.isnand(x_ - x_)": 0, "l.isnanf(nan)": 1, "l.isinfd(inf)": 1, "l.isinff(x_)": 0, "l.isfinited(inf)": 0,
    "l.finitef(x_)": 1, "l.ilogb(x_)": 1, "l.ilogbf(x_)": 1,
    # conversions, which end at the integers' limits
    "l.float2int_rn(x_)": -2, "l.float2int_rz(x_)": -2, "l.float2int_ru(x_)": -2, "l.float2int_rd(x_)": -3,
    "l.double2int_rd(1e10)": 2**31 - 1, "l.double2uint_rz(x_)": 0, "l.double2uint_rz(3e9)": 3000000000 - 2**32,
    "l.double2ll_rn(1e300)": 2**63 - 1, "l.float2ll_rn(x_)": -2, "l.double2ull_ru(2.5)": 3, "l.float2int_rn(nan)": 0,
    "l.int2double_rn(-1)": -1.0, "l.uint2double_rn(-1)": 2.0**32 - 1, "l.ll2float_rn(16777217)": 16777216.0,
    "l.ull2double_rn(-1)": 2.0**64, "l.double2float_rn(0.1)": float(np.float32(0.1)), "l.llrint(2.5)": 2,
    "l.llround(x_)": -3, "l.llroundf(2.5)": 3, "l.round(x_)": -3.0,
    # arithmetic rounded to the nearest
    "l.dadd_rn(x_, 1.0)": -1.5, "l.fadd_rn(16777216.0, 1.0)": 16777216.0, "l.fsub_rn(x_, 1.0)": -3.5,
    "l.fmul_rn(x_, 2.0)": -5.0, "l.dmul_rn(x_, 2.0)": -5.0, "l.ddiv_rn(x_, 2.0)": -1.25, "l.fdiv_rn(x_, 2.0)": -1.25,
    "l.drcp_rn(4.0)": 0.25, "l.frcp_rn(4.0)": 0.25, "l.dsqrt_rn(4.0)": 2.0, "l.fsqrt_rn(4.0)": 2.0,
    "l.frsqrt_rn(4.0)": 0.5, "l.fma(x_, 2.0, 1.0)": -4.0, "l.fma_rn(x_, 2.0, 1.0)": -4.0, "l.fmaf(x_, 2.0, 1.0)": -4.0,
    "l.fmaf_rn(x_, 2.0, 1.0)": -4.0, "l.fast_fdividef(x_, 2.0)": -1.25, "l.fast_powf(2.0, 3.0)": 8.0,
    # special values and powers of two
    "l.fmin(nan, x_)": -2.5, "l.fmaxf(x_, nan)": -2.5, "l.saturatef(x_)": 0.0, "l.saturatef(nan)": 0.0,
    "l.saturatef(0.5)": 0.5, "l.ldexp(x_, 3)": -20.0, "l.scalbnf(x_, -1)": -1.25, "l.powi(x_, 2)": 6.25,
    "l.powif(x_, -1)": float(np.float32(-0.4)), "l.nextafter(1.0, 2.0)": math.nextafter(1, 2),
    "l.nextafterf(1.0, 2.0)": float(np.nextafter(np.float32(1), np.float32(2))), "l.erfinv(1.0)": INF,
    "l.normcdfinv(0.0)": -INF, "l.sinpi(3.0)": 0.0, "l.cospi(0.5)": 0.0, "l.sinpi(inf)": NAN,
    "l.remainder(inf, 1.0)": NAN,
    # several results, the second one times 1000
    "both(l.modf(x_))": -0.5 - 2000, "both(l.frexp(x_))": -0.625 + 2000, "both(l.frexpf(x_))": -0.625 + 2000,
    "both(l.sincospi(0.5))": 1.0, "both(l.remquo(7.0, 2.0))": -1.0 + 4000, "both(l.modff(-inf))": -INF,
}  # fmt: skip
"""Expressions of ``x_``, which is -2.5, and their values."""


def both(pair):
    return pair[0] + 1000 * pair[1]


def test_other_functions():
    from numba import cuda

    integers = {e: v for e, v in SPECIAL.items() if isinstance(v, int)}
    others = {e: v for e, v in SPECIAL.items() if isinstance(v, float)}
    names = {"l": libdevice, "nan": NAN, "inf": INF, "both": cuda.jit(both, device=True)}
    for table, dtype in ((integers, np.int64), (others, np.float64)):
        found = rows(table, dtype, names, x=np.array([-2.5]))
        for (expression, value), row in zip(table.items(), found, strict=True):
            np.testing.assert_equal(row[0], dtype(value), expression)
    found = rows(["both(l.sincos(x_))", "both(l.fast_sincosf(x_))"], names=names, x=np.array([-2.5]))
    close(found[:, 0], [math.sin(-2.5) + 1000 * math.cos(-2.5)] * 2, 1e-4)


@pytest.mark.parametrize("name", ["j0", "y1f", "erfcx", "dadd_ru", "float2half_rn", "int2float_rz"])
def test_a_function_without_a_counterpart(name):
    call = "(1.0, 1.0)" if name == "dadd_ru" else "(x_)"
    with pytest.raises(wb.CompileError, match=rf"line \d+: the CPU executor does not cover cuda.libdevice.{name}"):
        rows([f"l.{name}{call}"], names={"l": libdevice}, x=X)
