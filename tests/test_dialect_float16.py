"""float16 in a kernel: every value converted, arithmetic to the last bit, ``cuda.fp16``, ``math``, memory."""

import math
from fractions import Fraction

import numba
import numpy as np
import pytest
import torch
from dialect import INF, NAN, kernel, rows
from everyday import everyday
from numba import cuda
from numba.cuda import fp16
from numba.types import float16

import workbench as wb

EVERY = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = EVERY[np.isfinite(EVERY)]


def same(found, expected):
    """Bit for bit, but for the bits of NaN."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(expected[~np.isnan(expected)]))


def one_by_one(expression, result, **columns):
    """An expression of the columns' elements as an array of the given dtype, of as many as there are."""
    given = ", ".join(columns)
    text = f"def each({given}, out):\n    at = cuda.grid(1)\n    if at < out.size:\n"
    text += "".join(f"        {name}_ = {name}[at]\n" for name in columns) + f"        out[at] = {expression}\n"
    out = np.full(next(iter(columns.values())).size, 99, result)
    wb.launch(kernel(text, float16=float16)[wb.blocks(out.size), 256], *columns.values(), out)
    return out


def pairs(count=200_000):
    """Random pairs of float16: any bits, and close in size so that sums lose digits."""
    random = np.random.default_rng(7)
    x = random.integers(0, 1 << 16, count, dtype=np.uint16)
    y = random.integers(0, 1 << 16, count, dtype=np.uint16)
    y[::2] = x[::2] ^ random.integers(0, 1 << 12, y[::2].size, dtype=np.uint16)
    return x.view(np.float16), y.view(np.float16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_value_becomes_a_wider_float(dtype):
    same(one_by_one("x_", dtype, x=EVERY), EVERY.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_value_comes_back(dtype):
    """And what lies halfway between two values, or next to that, is rounded to the closer one, or the even one."""
    values = np.sort(FINITE).astype(dtype)
    halfway = (values[1:] + values[:-1]) / 2
    beyond = np.array([65504, 65519.99, 65520, 65536, 1e30, 1e-30, INF, 5.9e-8, 2.98e-8, 2.99e-8, 1e-45])
    x = np.concatenate([values, halfway, np.nextafter(halfway, dtype(INF)), np.nextafter(halfway, dtype(-INF))])
    x = np.concatenate([x, beyond, -beyond, [NAN]]).astype(dtype)
    with np.errstate(over="ignore"):
        same(one_by_one("x_", np.float16, x=x), x.astype(np.float16))


def test_a_float64_is_rounded_once():
    x = np.array([1 + 2.0**-11 + 2.0**-40, 1 + 3 * 2.0**-11 - 2.0**-40, 2.0**-25 + 2.0**-60])
    assert one_by_one("x_", np.float16, x=x).tolist() == [1 + 2.0**-10, 1 + 2.0**-10, 2.0**-24]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_integers(dtype):
    """From an integer to the nearest; to an integer also, as numba-cuda does, and to the last one beyond it."""
    limits = np.iinfo(dtype)
    n = [*range(-3000, 3000), *range(65000, 65600), int(limits.min), int(limits.max)]
    n = np.array([k for k in n if limits.min <= k <= limits.max], dtype)
    with np.errstate(over="ignore"):
        same(one_by_one("n_", np.float16, n=n), n.astype(np.float64).astype(np.float16))
    expected = [max(limits.min, min(limits.max, round(x))) for x in FINITE.tolist()]
    assert one_by_one("x_", dtype, x=FINITE).tolist() == expected
    ends = one_by_one("x_", dtype, x=np.array([INF, -INF, NAN], np.float16))
    assert ends.tolist() == [limits.max, limits.min, 0]


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_arithmetic(operator):
    x, y = pairs()
    with np.errstate(all="ignore"):
        expected = eval(f"x {operator} y")
    same(one_by_one(f"x_ {operator} y_", np.float16, x=x, y=y), expected)
    # in float64, which shows that the result was a float16
    same(one_by_one(f"x_ {operator} y_", np.float64, x=x, y=y), expected.astype(np.float64))


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_comparisons(operator):
    x, y = pairs()
    y[::5] = x[::5]
    assert one_by_one(f"x_ {operator} y_", np.bool_, x=x, y=y).tolist() == eval(f"x {operator} y").tolist()


X, Y = np.float16(1.2), np.float16(0.7)
h, f, d = np.float16, np.float32, np.float64

RESULTS = {
    "-x_": -X,
    "+x_": X,
    "abs(-x_)": X,
    "float(x_)": X,
    "x_ * y_": X * Y,
    "x_ * b_": h(X * h(3)),
    "b_ / x_": h(h(3) / X),
    "x_ + True": X + h(1),
    "x_ * s_": f(X) * f(1001),
    "x_ * u_": f(X) * f(201),
    "x_ * i_": d(X) * 1001,
    "x_ * f_": f(X) * f(0.3),
    "f_ - x_": f(0.3) - f(X),
    "x_ * d_": d(X) * 0.3,
    "2 * x_": 2 * d(X),
    "0.1 * x_": 0.1 * d(X),
    "x_ ** 2": f(X) * f(X),
    "x_ ** n_": f(X) * f(X) * f(X),
    "x_ // y_": f(1),
    "max(x_, y_)": X,
    "min(x_, y_, x_)": Y,
    "max(x_, f_)": f(X),
    "float16(f_)": h(f(0.3)),
    "np.float16(d_)": h(0.3),
    "np.float32(x_) * f_": f(X) * f(0.3),
    "x_ if x_ > y_ else y_": X,
    "not x_": 0,
    "bool(x_) and x_ < 2": 1,
    "int(x_ + x_)": 2,
    "HALF * x_": h(0.1) * X,
    "TABLE[1] * x_": h(0.7) * X,
    "math.isnan(x_)": 0,
    "math.tan(x_)": np.tan(f(X)),
    "math.fmod(x_, y_)": np.fmod(f(X), f(Y)),
    "math.pow(x_, n_)": f(X) * f(X) * f(X),
    "cuda.fma(x_, y_, x_)": f(d(X) * d(Y) + d(X)),
    "cuda.selp(x_ > 1, x_, y_)": X,
}
"""Expressions of a float16 and numbers of other types, and their values in the type that numba-cuda gives them."""


def test_result_types():
    columns = {"b": np.int8(3), "s": np.int16(1001), "u": np.uint8(201), "i": np.int32(1001), "n": np.int32(3)}
    columns |= {"f": f(0.3), "d": d(0.3)}
    columns = {name: np.array([value]) for name, value in columns.items()}
    names = {"float16": float16, "HALF": h(0.1), "TABLE": np.array([0.1, 0.7], h)}
    found = rows(RESULTS, names=names, x=np.array([X]), y=np.array([Y]), **columns)
    for (expression, value), row in zip(RESULTS.items(), found, strict=True):
        tolerance = 2e-7 if "tan" in expression else 0
        np.testing.assert_allclose(row[0], np.float64(value), rtol=tolerance, err_msg=expression)


def test_result_types_are_those_that_numba_cuda_infers():
    """Without a GPU it infers them too, but for what CUDA's own header computes."""
    kinds = {"x": float16, "y": float16, "b": numba.int8, "s": numba.int16, "u": numba.uint8, "i": numba.int32}
    kinds |= {"n": numba.int32, "f": numba.float32, "d": numba.float64}
    left_out = ("bool(", "selp", "x_ if", "TABLE")
    for expression, value in RESULTS.items():
        if not any(part in expression for part in left_out):
            given = [f"{name}_" for name in kinds]
            names = {"math": math, "np": np, "cuda": cuda, "float16": float16, "HALF": h(0.1)}
            exec(f"def typed({', '.join(given)}):\n    return {expression}", names)
            _, kind = cuda.compile_ptx(names["typed"], tuple(kinds.values()), device=True, cc=(8, 0))
            expected = numba.typeof(value)
            assert kind == expected or not isinstance(kind, numba.types.Float), (expression, kind)


def nearest(exact):
    """The float16 that is closest to a fraction, of two the even one."""
    near = np.float16(float(exact))
    around = [v for v in (np.nextafter(near, h(-INF)), near, np.nextafter(near, h(INF))) if np.isfinite(v)]
    return min(around, key=lambda v: (abs(Fraction(float(v)) - exact), int(v.view(np.uint16)) & 1))


def test_fma_is_rounded_once():
    random = np.random.default_rng(3)
    a = random.choice(FINITE[abs(FINITE) < 200], 3000)
    b = random.choice(FINITE[abs(FINITE) < 200], 3000)
    c = -(a * b)  # leaves what the product's rounding took away
    c[::3] = random.choice(FINITE[abs(FINITE) < 20000], 1000)
    a[:4], b[:4], c[:4] = h(2049 / 2048), h(2), [2.0**-24, -(2.0**-24), 0, 2.0**-14]
    a[4:6], b[4:6], c[4:6] = h(1025), h(2 + 2.0**-9), [2.0**-24, -(2.0**-24)]
    found = one_by_one("cuda.fp16.hfma(a_, b_, c_)", np.float16, a=a, b=b, c=c)
    exact = [Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r)) for p, q, r in zip(a, b, c, strict=True)]
    assert found.tolist() == [float(nearest(value)) for value in exact]


def at_float32(function):
    return lambda x: function(x.astype(np.float32)).astype(np.float16)


OF_ONE = {
    "habs": np.abs, "hneg": np.negative, "hceil": np.ceil, "hfloor": np.floor, "htrunc": np.trunc, "hrint": np.rint,
    "hcos": at_float32(np.cos), "hsin": at_float32(np.sin), "hexp": at_float32(np.exp), "hexp2": at_float32(np.exp2),
    "hexp10": at_float32(lambda x: 10.0**x), "hlog": at_float32(np.log), "hlog2": at_float32(np.log2),
    "hlog10": at_float32(np.log10), "hsqrt": np.sqrt, "hrcp": lambda x: h(1) / x, "htanh": at_float32(np.tanh),
    "htanh_approx": at_float32(np.tanh), "hrsqrt": lambda x: (1 / np.sqrt(x.astype(d))).astype(h),
}  # fmt: skip
EXACT = ("habs", "hneg", "hceil", "hfloor", "htrunc", "hrint", "hsqrt", "hrcp")


@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one(name):
    """Of every float16; a function that is not exactly rounded may be off by the last digit, at few of them."""
    with np.errstate(all="ignore"):
        expected = OF_ONE[name](EVERY)
    found = one_by_one(f"cuda.fp16.{name}(x_)", np.float16, x=EVERY)
    if name in EXACT:
        same(found, expected)
        return
    wrong = ~((found == expected) | (np.isnan(found) & np.isnan(expected)))
    assert wrong.mean() < 1e-3
    steps = found[wrong].view(np.int16).astype(int) - expected[wrong].view(np.int16)
    assert np.all(abs(steps) == 1)


MATH = {
    "ceil": "hceil", "cos": "hcos", "exp": "hexp", "exp2": "hexp2", "fabs": "habs", "floor": "hfloor", "log": "hlog",
    "log10": "hlog10", "log2": "hlog2", "sin": "hsin", "sqrt": "hsqrt", "tanh": "htanh", "trunc": "htrunc",
}  # fmt: skip


def test_math_makes_a_float16_where_numba_cuda_does():
    x = np.linspace(0.01, 8, 50).astype(np.float16)
    found = rows([f"math.{name}(x_)" for name in MATH], x=x)
    for row, (name, half) in zip(found, MATH.items(), strict=True):
        np.testing.assert_array_equal(row, one_by_one(f"cuda.fp16.{half}(x_)", np.float16, x=x), err_msg=name)
    others = rows(["math.sinh(x_)", "math.atan2(x_, x_)", "math.log1p(x_)"], x=x)
    assert not any(np.array_equal(row, row.astype(np.float16)) for row in others)


Z = [1.5, 0.25, -0.0, 0.0, NAN, 1.0, NAN, 60000, INF]
W = [0.5, -2.0, 0.0, -0.0, 1.0, NAN, NAN, 60000, INF]

OF_TWO = {
    "hadd": [2, -1.75, 0, 0, NAN, NAN, NAN, INF, INF],
    "__hadd_rn": [2, -1.75, 0, 0, NAN, NAN, NAN, INF, INF],
    "__hadd_sat": [1, 0, 0, 0, 0, 0, 0, 1, 1],
    "hsub": [1, 2.25, -0.0, 0, NAN, NAN, NAN, 0, NAN],
    "__hsub_rn": [1, 2.25, -0.0, 0, NAN, NAN, NAN, 0, NAN],
    "__hsub_sat": [1, 1, 0, 0, 0, 0, 0, 0, 0],
    "hmul": [0.75, -0.5, -0.0, -0.0, NAN, NAN, NAN, INF, INF],
    "__hmul_rn": [0.75, -0.5, -0.0, -0.0, NAN, NAN, NAN, INF, INF],
    "__hmul_sat": [0.75, 0, 0, 0, 0, 0, 0, 1, 1],
    "hdiv": [3, -0.125, NAN, NAN, NAN, NAN, NAN, 1, NAN],
    "hmax": [1.5, 0.25, 0, 0, 1, 1, NAN, 60000, INF],
    "hmin": [0.5, -2, -0.0, -0.0, 1, 1, NAN, 60000, INF],
    "__hmax_nan": [1.5, 0.25, 0, 0, NAN, NAN, NAN, 60000, INF],
    "__hmin_nan": [0.5, -2, -0.0, -0.0, NAN, NAN, NAN, 60000, INF],
    "heq": [0, 0, 1, 1, 0, 0, 0, 1, 1],
    "hne": [1, 1, 0, 0, 0, 0, 0, 0, 0],
    "hlt": [0, 0, 0, 0, 0, 0, 0, 0, 0],
    "hle": [0, 0, 1, 1, 0, 0, 0, 1, 1],
    "hgt": [1, 1, 0, 0, 0, 0, 0, 0, 0],
    "hge": [1, 1, 1, 1, 0, 0, 0, 1, 1],
    "__hequ": [0, 0, 1, 1, 1, 1, 1, 1, 1],
    "__hneu": [1, 1, 0, 0, 1, 1, 1, 0, 0],
    "__hltu": [0, 0, 0, 0, 1, 1, 1, 0, 0],
    "__hleu": [0, 0, 1, 1, 1, 1, 1, 1, 1],
    "__hgtu": [1, 1, 0, 0, 1, 1, 1, 0, 0],
    "__hgeu": [1, 1, 1, 1, 1, 1, 1, 1, 1],
}
"""The functions of two, and their values of the pairs in Z and W."""


def test_functions_of_two():
    found = rows([f"cuda.fp16.{name}(x_, y_)" for name in OF_TWO], np.float16, x=h(Z), y=h(W))
    for (name, values), row in zip(OF_TWO.items(), found, strict=True):
        np.testing.assert_array_equal(row, h(values), err_msg=name)
        kept = ~np.isnan(row)
        sign = np.signbit(h(values))[kept] if not name.endswith("sat") else np.zeros(kept.sum(), bool)
        assert np.signbit(row[kept]).tolist() == sign.tolist(), name


OTHER = {
    "fp16.hmul(3, 2.5)": 7.5,
    "fp16.__hfma_sat(x_, x_, x_)": 1,
    "fp16.__hfma_relu(x_, -x_, x_)": 0,
    "fp16.__hisnan(x_) + 2 * fp16.__hisnan(x_ * math.nan)": 2,
    "fp16.__hisinf(x_) + 2 * fp16.__hisinf(-x_ * math.inf)": -2,
    "fp16.__half_as_short(-x_)": np.float16(-1.5).view(np.int16),
    "fp16.__half_as_ushort(-x_)": int(np.float16(-1.5).view(np.uint16)),
    "fp16.__short_as_half(15872)": 1.5,
    "fp16.__ushort_as_half(48640)": -1.5,
    "fp16.__half2float(x_) + np.float32(2.0**-20)": 1.5 + 2.0**-20,
    "fp16.__float2half(0.1)": float(h(0.1)),
    "fp16.__double2half(0.1)": float(h(0.1)),
    "fp16.__half2char_rz(-x_)": -1,
    "fp16.__half2uchar_rz(-x_)": 0,
    "fp16.__half2ll_rn(x_ * math.nan)": -(2**63),
    "fp16.__half2int_rn(x_ * math.nan)": 0,
}
"""Expressions of 1.5."""


def test_other_functions():
    found = rows(OTHER, names={"fp16": fp16}, x=h([1.5]))
    assert dict(zip(OTHER, found[:, 0].tolist(), strict=True)) == OTHER


ROUNDED = {"rn": np.rint, "rz": np.trunc, "ru": np.ceil, "rd": np.floor}
SIGNED = {"short": np.int16, "int": np.int32, "ll": np.int64}
INTEGERS = SIGNED | {"ushort": np.uint16, "uint": np.uint32, "ull": np.uint64}


@pytest.mark.parametrize("how", everyday(ROUNDED, 4))
def test_rounded_to_an_integer(how):
    for name, dtype in INTEGERS.items():
        found = one_by_one(f"cuda.fp16.__half2{name}_{how}(x_)", dtype, x=FINITE)
        limits = np.iinfo(dtype)
        expected = [max(limits.min, min(limits.max, int(v))) for v in ROUNDED[how](FINITE.astype(d)).tolist()]
        assert found.tolist() == expected, name


@pytest.mark.parametrize("how", ["rz", "ru", "rd"])
def test_rounded_in_a_direction(how):
    """The result is on the right side, and the next value in its direction is not."""
    random = np.random.default_rng(5)
    x = random.normal(size=3000).astype(f) * f(10.0) ** random.integers(-9, 6, 3000).astype(f)
    x = np.concatenate([x, f([0, -0.0, 65504, 65505, 1e9, -1e9, 1e-30, -1e-30])])
    found = one_by_one(f"cuda.fp16.__float2half_{how}(x_)", h, x=x)
    towards = {"ru": np.full(x.size, INF), "rd": np.full(x.size, -INF), "rz": np.zeros(x.size)}[how]
    inwards = np.where(towards > x, found >= x, found <= x)
    assert inwards[x != 0].all()
    with np.errstate(over="ignore"):
        back = np.nextafter(found, np.where(towards > x, h(-INF), h(INF)))
    beyond = np.where(towards > x, back < x, back > x)
    exact = found == x
    assert (beyond | exact).all()
    n = np.array([2049, -2049, 65519, -70000])
    expected = {"rz": [2048, -2048, 65504, -65504], "ru": [2050, -2048, INF, -65504], "rd": [2048, -2050, 65504, -INF]}
    for name in ("int", "ll"):
        assert one_by_one(f"cuda.fp16.__{name}2half_{how}(n_)", h, n=n).tolist() == expected[how]


SUM = """
def total(x, out):
    partial = cuda.shared.array(64, float16)
    pair = cuda.local.array(2, np.float16)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    pair[0] = x[i] if i < x.size else 0
    pair[1] = pair[0] * pair[0]
    doubled = math.exp(pair[0])
    partial[t] = pair[1]
    cuda.syncthreads()
    s = 32
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    if i < x.size:
        out[i] = partial[0] - doubled
"""


@pytest.mark.parametrize("sanitize", [False, True])
def test_memory_and_a_reduction(sanitize):
    x = torch.linspace(-1, 1, 150).half()
    out = torch.empty_like(x)
    wb.launch(kernel(SUM, float16=float16)[3, 64], x, out, sanitize=sanitize)
    squares = np.zeros((3, 64), h)
    squares.flat[:150] = (x * x).numpy()
    while squares.shape[1] > 1:
        half = squares.shape[1] // 2
        squares = squares[:, :half] + squares[:, half:]
    expected = np.repeat(squares[:, 0], 64)[:150] - np.exp(x.float().numpy()).astype(h)
    np.testing.assert_array_equal(out.numpy(), expected)


def test_threads_that_go_different_ways_exchange_float16():
    text = """
    def exchange(x, out):
        t = cuda.threadIdx.x
        value = x[t]
        if t % 2:
            value = value * value
            cuda.syncwarp(0xAAAAAAAA)
        out[t] = value + cuda.shfl_xor_sync(0xFFFFFFFF, np.float32(value), 1)
    """
    x = np.linspace(0, 1, 32).astype(h)
    out = np.empty(32, f)
    wb.launch(kernel(text)[1, 32], x, out)
    value = np.where(np.arange(32) % 2, x * x, x).astype(f)
    np.testing.assert_array_equal(out, value + value.reshape(16, 2)[:, ::-1].ravel())


def test_a_scalar_argument():
    text = "def scale(x, a, out):\n    i = cuda.grid(1)\n    if i < x.size:\n        out[i] = x[i] * a\n"
    x = torch.linspace(-3, 3, 40).half()
    out = torch.empty(40, dtype=torch.float64)
    wb.launch(kernel(text)[1, 64], x, np.float16(0.3), out)
    assert out.tolist() == (x * np.float16(0.3)).tolist()


def test_strides():
    x = np.arange(60).astype(h).reshape(6, 10)
    text = """
    def copy(x, out):
        i, j = cuda.grid(2)
        if i < x.shape[0] and j < x.shape[1]:
            out[i, j] = x[i, j]
    """
    out = np.zeros((10, 6), h)
    wb.launch(kernel(text)[1, (16, 16)], x.T, out)
    np.testing.assert_array_equal(out, x.T)


def test_atomics_take_other_types():
    with pytest.raises(wb.CompileError, match=r"line 2.*takes an array of float32.*this one is of float16"):
        wb.launch(kernel("def add(x):\n    cuda.atomic.add(x, 0, 1)\n")[1, 1], np.zeros(1, h))


def test_a_pointer_is_not_covered():
    with pytest.raises(wb.CompileError, match=r"line 2: the CPU executor does not cover cuda.fp16.atomicAdd; run"):
        wb.launch(kernel("def add(x):\n    cuda.fp16.atomicAdd(x, 1)\n")[1, 1], np.zeros(1, h))


def test_other_code_compiles_as_before():
    """What this adds to Numba's CPU target leaves functions of other floats alone."""

    @numba.njit
    def other(a, b, array):
        return a + b, -a, abs(a), float(a), a < b, max(a, b), math.exp(a), array[0] * a

    array = np.ones(1, f)
    assert other(f(0.5), 2.0, array)[:2] == (2.5, -0.5)
    assert other.nopython_signatures[0].return_type[6] == numba.float32
    assert other(1, 2.5, array) == (3.5, -1, 1, 1.0, True, 2.5, math.e, 1.0)


def test_cuda_has_no_name_that_is_not_known_here():
    """Every function that numba.cuda.fp16 exports is covered, or listed here."""
    from workbench.executors.cpu.fp16 import meaning

    missing = []
    for name in fp16.__all__:
        value = getattr(fp16, name)
        try:
            if meaning(value) is None:
                missing.append(name)
        except NotImplementedError:
            missing.append(name)
    assert missing == ["typing_registry", "target_registry", "__half", "atomicAdd"]
    assert cuda.fp16 is fp16
