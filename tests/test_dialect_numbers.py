"""Arithmetic of integers and floats on the CPU executor: types as numba-cuda infers them, values as on a GPU."""

import math

import numpy as np
import pytest
from dialect import INF, NAN, kernel, rows, tensors
from numba import cuda, types
from simulator import assert_same, simulated

import workbench as wb

KINDS = {
    "i": (types.int32, np.int32(7)),
    "l": (types.int64, np.int64(2**53 + 1)),
    "v": (types.uint64, np.uint64(2**53 + 1)),
    "f": (types.float32, np.float32(0.1)),
    "d": (types.float64, np.float64(0.1)),
}

MIXED = {
    f"{a}_ {operator} {b}_": (a, operator, b)
    for operator in ("+", "*", "/", "**", "//", "%")
    for a in KINDS
    for b in KINDS
    if operator != "**" or {"l", "v"}.isdisjoint((a, b))
}


def inferred(a, operator, b):
    """The type that numba-cuda's compiler gives ``a operator b``."""
    scope = {}
    exec(f"def function(a, b):\n    return a {operator} b", scope)
    _, result = cuda.compile(scope["function"], (KINDS[a][0], KINDS[b][0]), device=True, abi="numba", cc=(8, 0))
    return result


def test_mixed_types_meet_as_in_numba_cuda():
    """Two float32 make a float32, an integer and a float32 a float64, int64 and uint64 a float64."""
    columns = {name: np.array([value]) for name, (_, value) in KINDS.items()}
    reals = {e: parts for e, parts in MIXED.items() if inferred(*parts) in types.real_domain}
    found = rows(reals, **columns)
    for (expression, (a, operator, b)), row in zip(reals.items(), found, strict=True):
        dtype = np.float32 if inferred(a, operator, b) == types.float32 else np.float64
        x, y = dtype(KINDS[a][1]), dtype(KINDS[b][1])
        with np.errstate(all="ignore"):
            expected = eval(f"x {operator} y", {"x": x, "y": y})
        np.testing.assert_allclose(row[0], expected, rtol=1e-6 if operator == "**" else 1e-15, err_msg=expression)
        assert dtype == np.float64 or np.float32(row[0]) == row[0], expression


def test_integers_mixed():
    integers = {e: p for e, p in MIXED.items() if inferred(*p) in types.integer_domain}
    columns = {name: np.array([value]) for name, (_, value) in KINDS.items()}
    found = rows(integers, np.int64, **columns)
    for (expression, (a, operator, b)), row in zip(integers.items(), found, strict=True):
        exact = eval(f"x {operator} y", {"x": int(KINDS[a][1]), "y": int(KINDS[b][1])})
        assert row[0] == (exact + 2**63) % 2**64 - 2**63, expression


INTEGERS = {
    "n_ // m_": lambda n, m: n // m,
    "n_ % m_": lambda n, m: n % m,
    "n_ / m_": lambda n, m: n / m,
    "n_ * m_": lambda n, m: n * m,
    "n_ - m_ + 1": lambda n, m: n - m + 1,
    "n_ << 3": lambda n, m: n << 3,
    "n_ >> 2": lambda n, m: n >> 2,
    "n_ & m_": lambda n, m: n & m,
    "n_ | m_": lambda n, m: n | m,
    "n_ ^ m_": lambda n, m: n ^ m,
    "~n_": lambda n, m: ~n,
    "-n_": lambda n, m: -n,
    "+n_": lambda n, m: n,
    "abs(n_)": lambda n, m: abs(n),
    "n_ ** 2": lambda n, m: n**2,
    "n_ ** 3": lambda n, m: n**3,
    "min(n_, m_, 1)": lambda n, m: min(n, m, 1),
    "max(n_, m_, 1)": lambda n, m: max(n, m, 1),
    "n_ if n_ > m_ else m_": max,
    "1 < n_ < 10": lambda n, m: 1 < n < 10,
    "n_ == m_ or n_ != 7": lambda n, m: n == m or n != 7,
    "not n_": lambda n, m: not n,
    "divmod(n_, m_)[0]": lambda n, m: n // m,
    "divmod(n_, m_)[1]": lambda n, m: n % m,
}
N, M = np.array([7, -7, 7, -7, 6, 0], np.int32), np.array([2, 2, -2, -2, 3, 5], np.int32)


def test_integers_are_those_of_python():
    """int32 arithmetic is wider than int32; division and remainder round down, shifts keep the sign."""
    for dtype in (np.int32, np.int64):
        found = rows(INTEGERS, n=N.astype(dtype), m=M.astype(dtype))
        for (expression, function), row in zip(INTEGERS.items(), found, strict=True):
            assert row.tolist() == [function(n, m) for n, m in zip(N.tolist(), M.tolist(), strict=True)], expression


@cuda.jit
def wrap(bytes_, shorts, ints, longs, unsigned):
    for k in range(3):
        bytes_[k] += 250
        shorts[k] *= 300
        ints[k] = ints[k] * ints[k] * 2 + k
        longs[k] -= 2**62
        unsigned[k] -= 5


def wrapped():
    arrays = [np.array([1, 100, 127], dtype) for dtype in (np.uint8, np.int16, np.int32, np.int64, np.uint32)]
    arrays[2] += np.int32(2**30)
    arrays[3] -= 2**62
    wb.launch(wrap[1, 1], *arrays)
    return arrays


def test_a_store_wraps_around():
    bytes_, shorts, ints, longs, unsigned = wrapped()
    assert bytes_.tolist() == [251, 94, 121]
    assert shorts.tolist() == [300, 30000, 38100 - 2**16]
    assert ints.tolist() == [(((2**30 + v) ** 2 * 2 + k) + 2**31) % 2**32 - 2**31 for k, v in enumerate([1, 100, 127])]
    assert longs.tolist() == [-(2**63) + 1, -(2**63) + 100, -(2**63) + 127]
    assert unsigned.tolist() == [2**32 - 4, 95, 122]


def test_a_power_of_integers_wraps_around():
    found = rows(["n_ ** m_", "n_ ** 5", "2 ** m_", "n_ ** 40"], np.int64, n=np.array([3, -2]), m=np.array([4, 3]))
    assert found.tolist() == [[81, -8], [243, -32], [16, 8], [(3**40 + 2**63) % 2**64 - 2**63, 2**40]]


FLOATS = {
    "x_ / z_": (INF, -INF, NAN, NAN),
    "x_ // 2.0": (0, -1, 0, NAN),
    "x_ % 2.0": (1.5, 0.5, 0, NAN),
    "x_ % -2.0": (-0.5, -1.5, 0, NAN),
    "-x_": (-1.5, 1.5, 0, NAN),
    "x_ < 1": (0, 1, 1, 0),
    "x_ != x_": (0, 0, 0, 1),
    "not x_": (0, 0, 1, 0),
    "x_ and 7.0": (7, 7, 0, 7),
    "x_ or 7.0": (1.5, -1.5, 7, NAN),
    "min(x_, 1.0)": (1, -1.5, 0, 1),
    "max(x_, 1)": (1.5, 1, 1, 1),
    "x_ ** 2": (2.25, 2.25, 0, NAN),
    "x_ ** -1": (1 / 1.5, -1 / 1.5, INF, NAN),
    "x_ ** 0": (1, 1, 1, 1),
    "abs(x_) ** 0.5": (1.5**0.5, 1.5**0.5, 0, NAN),
    "2 ** x_": (2**1.5, 2**-1.5, 1, NAN),
    "x_ if x_ == x_ else -1.0": (1.5, -1.5, 0, -1),
    "1 / (x_ - x_ + z_)": (INF, INF, INF, NAN),
    "-1 < x_ <= 0 or x_ > 1": (1, 0, 1, 0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_divide_by_zero_and_carry_nan(dtype):
    x = np.array([1.5, -1.5, 0.0, NAN], dtype)
    found = rows(FLOATS, x=x, z=np.zeros(4, dtype))
    for (expression, values), row in zip(FLOATS.items(), found, strict=True):
        np.testing.assert_allclose(row, values, rtol=1e-7, err_msg=expression)


def test_an_integer_divided_by_zero_raises_nothing():
    """CUDA leaves the value open; the threads go on, and so do those beside them."""
    expressions = ["n_ // z_", "n_ % z_", "n_ - 2"]
    found = rows(expressions, np.int64, n=np.array([7, -7]), z=np.array([0, 0]))
    assert found[2].tolist() == [5, -9]
    assert rows(["n_ / z_"], n=np.array([7, -7]), z=np.array([0, 0])).tolist() == [[INF, -INF]]


COMPLEX = {
    "(z_ * z_).real": lambda z: (z * z).real,
    "(z_ * z_).imag": lambda z: (z * z).imag,
    "abs(z_)": abs,
    "(z_ / (1 + 2j)).imag": lambda z: (z / (1 + 2j)).imag,
    "z_.conjugate().imag": lambda z: -z.imag,
    "(z_ - 1).real": lambda z: (z - 1).real,
    "(-z_).imag": lambda z: -z.imag,
    "z_ == z_": lambda z: True,
    "complex(z_.imag, 1).real": lambda z: z.imag,
    "(z_ ** 2).real": lambda z: (z**2).real,
    "(z_ * 2.0 + 1j).imag": lambda z: z.imag * 2 + 1,
}


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_numbers(dtype):
    z = np.array([1 + 2j, -0.5j, 3 + 0j], dtype)
    found = rows(COMPLEX, z=z)
    for (expression, function), row in zip(COMPLEX.items(), found, strict=True):
        np.testing.assert_allclose(row, [function(v) for v in z.tolist()], rtol=1e-6, atol=1e-6, err_msg=expression)


IN_PLACE = """
def in_place(a, b):
    i = cuda.grid(1)
    if i < a.size:
        a[i] += b[i]
        a[i] -= 1
        a[i] *= 3
        a[i] //= 2
        a[i] %= 1000
        a[i] <<= 2
        a[i] >>= 1
        a[i] |= 1
        a[i] &= 0xFFF
        a[i] ^= 5
        b[i] += 3
        b[i] **= 2
"""


def in_simulator():
    a, b = np.arange(-4, 4, dtype=np.int64), np.arange(8, dtype=np.int32).astype(np.int64)
    f = b.astype(np.float64)
    wb.launch(kernel(IN_PLACE)[1, 8], a, b)
    wb.launch(kernel("def halve(f):\n    for k in range(8):\n        f[k] /= 2\n        f[k] -= 1.0\n")[1, 1], f)
    return tensors(a=a, b=b, f=f)


def test_augmented_assignment_agrees_with_the_simulator():
    assert_same(in_simulator(), simulated("test_dialect_numbers"))


def test_a_product_and_a_sum_are_fused_at_most():
    """A product and a sum may be fused into one rounding, as on a GPU, and no further."""
    x = np.array([1 + 2.0**-30])
    (found,) = rows(["x_ * x_ - 1.0"], x=x)
    exact = math.fsum([2.0**-29, 2.0**-60])
    assert found[0] in (exact, x[0] * x[0] - 1.0)
