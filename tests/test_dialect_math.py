"""``math`` and NumPy's functions and types in a kernel: values as Python's, result types as numba-cuda's."""

import math

import numpy as np
import pytest
from dialect import INF, NAN, kernel, rows
from numba import cuda

import workbench as wb

ONE = (
    "acos", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "degrees", "erf", "erfc", "exp", "exp2", "expm1",
    "fabs", "floor", "gamma", "lgamma", "log", "log10", "log1p", "log2", "radians", "sin", "sinh", "sqrt", "tan",
    "tanh", "trunc",
)  # fmt: skip
TWO = (
    "atan2", "copysign", "fmod", "hypot", "pow", "remainder", "nextafter",
)  # fmt: skip
X = np.array([0.1, 0.3, 0.7, 0.95])
Y = np.array([0.7, -0.2, 0.3, 2.0])

NUMPY_ONE = (
    "abs", "absolute", "fabs", "sqrt", "square", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10",
    "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh", "floor",
    "ceil", "trunc", "rint", "sign", "deg2rad", "rad2deg", "degrees", "radians", "negative",
)  # fmt: skip
NUMPY_TWO = (
    "add", "multiply", "true_divide", "minimum", "maximum", "fmin", "fmax", "arctan2", "hypot", "fmod", "copysign",
    "power", "logaddexp",
)  # fmt: skip


def of_dtype(row, dtype):
    """Whether the float64 values of a row came out of a computation in that dtype."""
    return np.array_equal(row, row.astype(dtype), equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_math(dtype):
    """A float32 makes a float32: its values, in a float64 array, are float32 numbers."""
    x, y = X.astype(dtype), Y.astype(dtype)
    names = [*ONE, *TWO]
    found = rows([f"math.{n}(x_)" for n in ONE] + [f"math.{n}(x_, y_)" for n in TWO], x=x, y=y)
    for name, row in zip(names, found, strict=True):
        arguments = [x.tolist()] if name in ONE else [x.tolist(), y.tolist()]
        function = getattr(math, name)
        if name == "nextafter":
            function, arguments = np.nextafter, [x, y]
        expected = [function(*pair) for pair in zip(*arguments, strict=True)]
        np.testing.assert_allclose(row, expected, rtol=2e-6 if dtype == np.float32 else 1e-13, err_msg=name)
        assert of_dtype(row, dtype), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_functions(dtype):
    x, y = X.astype(dtype), abs(Y).astype(dtype)
    expressions = [f"np.{n}(x_)" for n in NUMPY_ONE] + [f"np.{n}(x_, y_)" for n in NUMPY_TWO]
    found = rows(expressions, x=x, y=y)
    for name, row in zip([*NUMPY_ONE, *NUMPY_TWO], found, strict=True):
        expected = getattr(np, name)(x) if name in NUMPY_ONE else getattr(np, name)(x, y)
        np.testing.assert_allclose(row, expected, rtol=1e-6 if dtype == np.float32 else 1e-13, err_msg=name)
        assert of_dtype(row, dtype), name


SPECIAL = {
    "both(math.modf(x_))": (-0.5 - 2000, INF * 1000, NAN, 1000),
    "both(math.frexp(abs(x_) if x_ == -2.5 else 1.0))": (2000.625, 1000.5, 1000.5, 1000.5),
    "math.ldexp(x_, 3)": (-20, INF, NAN, 8),
    "math.isnan(x_)": (0, 0, 1, 0),
    "math.isinf(x_)": (0, 1, 0, 0),
    "math.isfinite(x_)": (1, 0, 0, 1),
    "math.floor(x_)": (-3, INF, NAN, 1),
    "math.trunc(x_)": (-2, INF, NAN, 1),
    "math.sqrt(x_)": (NAN, INF, NAN, 1),
    "math.log(x_ - x_)": (-INF, NAN, NAN, -INF),
    "math.remainder(x_, 2.0)": (-0.5, NAN, NAN, 1),
    "math.remainder(3.0, x_)": (0.5, 3, NAN, 0),
    "math.fmod(x_, 0.0)": (NAN, NAN, NAN, NAN),
    "math.pi + math.e + math.tau": (math.pi + math.e + math.tau,) * 4,
    "min(x_, math.inf)": (-2.5, INF, INF, 1),
    "max(x_, math.nan)": (-2.5, INF, NAN, 1),
    "round(2.5)": (2,) * 4,
    "round(0.125, 2)": (0.12,) * 4,
    "np.isnan(x_) + 2 * np.isinf(x_) + 4 * np.isfinite(x_)": (4, 2, 1, 4),
    "np.sign(x_)": (-1, 1, NAN, 1),
    "np.signbit(x_)": (1, 0, 0, 0),
    "abs(x_)": (2.5, INF, NAN, 1),
    "np.pi + np.inf": (INF,) * 4,
    "cuda.selp(x_ > 0, x_, 7.0)": (7, INF, 7, 1),
    "cuda.cbrt(x_ * 8)": (2 * np.cbrt(-2.5), INF, NAN, 2),
    "cuda.fma(1.0 + 2.0**-30, 1.0 - 2.0**-30, -1.0)": (-(2.0**-60),) * 4,
}
"""Expressions of a number, and their values for the numbers -2.5, infinity, NaN and 1."""


def both(pair):
    return pair[0] + 1000 * pair[1]


def test_special_values():
    names = {"both": cuda.jit(both, device=True)}
    found = rows(SPECIAL, names=names, x=np.array([-2.5, INF, NAN, 1.0]))
    for (expression, values), row in zip(SPECIAL.items(), found, strict=True):
        if expression.startswith("both(math.modf"):
            row[1], values = INF, (values[0], INF, *values[2:])  # infinity's fraction is zero
        np.testing.assert_allclose(row, values, rtol=1e-15, err_msg=expression)


INTEGERS = {
    "math.floor(n_) / 2": -3.5,
    "math.ceil(n_) / 2": -3.5,
    "math.trunc(n_) / 2": -3.5,
    "math.fmod(n_, 2)": -1.0,
    "math.sqrt(-n_)": math.sqrt(7),
    "math.fabs(n_) / 2": 3.5,
    "math.pow(n_, 2)": 49.0,
    "math.hypot(n_, 24)": 25.0,
    "math.isnan(n_)": 0,
    "np.sqrt(-n_)": math.sqrt(7),
    "np.abs(n_)": 7,
}
"""Expressions of the integer -7."""


def test_integers_become_float64():
    found = rows(INTEGERS, n=np.array([-7], np.int32))
    np.testing.assert_allclose(found[:, 0], list(INTEGERS.values()), rtol=1e-15)


BITS = {
    "cuda.popc(n_)": lambda n: bin(n).count("1"),
    "cuda.brev(n_)": lambda n: int(f"{n:032b}"[::-1], 2),
    "cuda.clz(n_)": lambda n: 32 - n.bit_length(),
    "cuda.ffs(n_)": lambda n: (n & -n).bit_length(),
    "cuda.brev(m_)": lambda n: int(f"{n:032b}"[::-1], 2),
    "cuda.clz(w_)": lambda n: 64 - n.bit_length(),
    "cuda.brev(w_)": lambda n: int(f"{n:032b}"[::-1], 2),
    "cuda.brev(u_)": lambda n: int(f"{n:064b}"[::-1], 2) - (2**64 if n & 1 else 0),
    "cuda.popc(w_)": lambda n: bin(n).count("1"),
    "cuda.ffs(w_)": lambda n: (n & -n).bit_length(),
}


def test_bits():
    """``brev`` is of 32 bits, of an int64 too: numba-cuda takes its low ones."""
    n = np.array([0, 1, 6, 0x7FFFFFFF, 0x12345678], np.uint32)
    found = rows(BITS, np.int64, n=n, m=n.astype(np.int32), w=n.astype(np.int64), u=n.astype(np.uint64))
    for (expression, function), row in zip(BITS.items(), found, strict=True):
        assert row.tolist() == [function(v) for v in n.tolist()], expression


INDICES = {
    "cuda.clz(cuda.threadIdx.x)": lambda t: 32 - t.bit_length(),
    "cuda.clz(t)": lambda t: 32 - t.bit_length(),
    "cuda.brev(t)": lambda t: int(f"{t:032b}"[::-1], 2),
    "cuda.brev(cuda.laneid)": lambda t: int(f"{t % 32:032b}"[::-1], 2),
    "cuda.clz(cuda.blockDim.x)": lambda t: 32 - 6,
    "cuda.popc(t)": lambda t: t.bit_count(),
    "cuda.ffs(cuda.threadIdx.x)": lambda t: (t & -t).bit_length(),
    "cuda.clz(wide)": lambda t: 64 - t.bit_length(),
    "cuda.clz(at)": lambda t: 64 - t.bit_length(),
    "cuda.clz(t + 1)": lambda t: 64 - (t + 1).bit_length(),
    "cuda.clz(rebound)": lambda t: 64 - (2 * t).bit_length(),
}
"""Expressions of an index, which has 32 bits, and of what is computed from one, which has 64."""


def test_the_bits_of_an_index():
    lines = ["def table(out):", "    at = cuda.grid(1)", "    t = cuda.threadIdx.x", "    wide = cuda.threadIdx.x + 0"]
    lines += ["    rebound = cuda.threadIdx.x", "    rebound += t"]
    lines += [f"    out[{k}, t] = {expression}" for k, expression in enumerate(INDICES)]
    out = np.zeros((len(INDICES), 40), np.int64)
    wb.launch(kernel("\n".join(lines))[1, 40], out)
    for (expression, function), row in zip(INDICES.items(), out, strict=True):
        assert row.tolist() == [function(t) for t in range(40)], expression


def test_the_least_of_an_index_and_an_int32_is_an_int32():
    out = np.zeros((2, 2), np.int64)
    table = kernel("""
        def table(x, out):
            t = cuda.threadIdx.x
            out[0, t] = -min(x[0], t)
            out[1, t] = -max(x[0], cuda.threadIdx.x, t)
    """)
    wb.launch(table[1, 2], np.array([-(2**31)], np.int32), out)
    assert out.tolist() == [[-(2**31)] * 2, [0, -1]]


TYPES = {
    "np.float32(x_)": np.float32(0.1),
    "np.float64(np.float32(x_)) * 3": np.float64(np.float32(0.1)) * 3,
    "np.float32(x_) * np.float32(3)": np.float32(0.1) * np.float32(3),
    "np.int32(x_ * 50)": 5,
    "np.uint8(300 + np.int64(x_))": 44,
    "np.int8(200)": -56,
    "np.int16(40000)": 40000 - 2**16,
    "np.uint16(-1)": 65535,
    "np.uint32(-1)": 2**32 - 1,
    "np.int64(2.9)": 2,
    "np.bool_(x_)": 1,
    "int(-x_ * 25)": -2,
    "float(3) / 2": 1.5,
    "bool(x_)": 1,
    "f4(x_)": np.float32(0.1),
    "i4(2**32 + 5)": 5,
    "abs(np.complex64(3 + 4j))": 5,
    "complex(x_, 2.0).imag": 2,
}
"""Expressions of 0.1, and their values."""


def test_types_convert():
    from numba import float32, int32

    found = rows(TYPES, names={"f4": float32, "i4": int32}, x=np.array([0.1]))
    for (expression, value), row in zip(TYPES.items(), found, strict=True):
        assert row[0] == value, expression
