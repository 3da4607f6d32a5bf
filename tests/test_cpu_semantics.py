"""The CPU executor computes what CUDA does: held against NumPy in float32, and against Numba's simulator.

A kernel writes a row of a float64 table for each operation, so that the precision of the result shows.
"""

import math

import numpy as np
import pytest
import torch
from numba import cuda
from simulator import assert_same, simulated

import workbench as wb

NAN, INF = math.nan, math.inf
THREE = 3

A = np.array([1.5, -1.5, -7.0, 0.1, 2.7, 16777217.0, 1.0, -1.0, 0.0, NAN, 3.0], dtype=np.float32)
B = np.array([2.0, 0.3, 2.0, 3.0, -0.7, 3.0, 0.0, 0.0, 0.0, 2.0, NAN], dtype=np.float32)
N = np.array([7, -7, 7, -7, 6, 2**31 - 1, -(2**31)], dtype=np.int32)
M = np.array([2, 2, -2, -2, 3, 1, 1], dtype=np.int32)
BASE = np.array([0.0, 0.0, 2.0, -1.5, 0.1, NAN], dtype=np.float32)
EXPONENT = np.array([-1, 0, -3, 3, 3, 0], dtype=np.int32)


@cuda.jit
def arithmetic(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[0, i] = a[i] + b[i]
        out[1, i] = a[i] - b[i]
        out[2, i] = a[i] * b[i]
        out[3, i] = a[i] / b[i]
        out[4, i] = a[i] // b[i]
        out[5, i] = a[i] % b[i]
        out[6, i] = (a[i] + b[i]) - a[i]


@cuda.jit
def functions(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[0, i] = math.sqrt(abs(a[i]))
        out[1, i] = math.sqrt(-1 - abs(a[i]))
        out[2, i] = math.log(b[i] - b[i])
        out[3, i] = math.floor(a[i])
        out[4, i] = math.ceil(a[i])
        out[5, i] = math.trunc(a[i])
        out[6, i] = math.fmod(a[i], b[i])
        out[7, i] = math.floor(a[i]) / b[i]
        out[8, i] = math.ceil(a[i]) / b[i]
        out[9, i] = math.trunc(a[i]) / b[i]
        out[10, i] = math.fmod(a[i], b[i]) / b[i]


@cuda.jit
def extremes(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[0, i] = min(a[i], b[i])
        out[1, i] = max(a[i], b[i])
        out[2, i] = min(a[i], b[i], a[i] / b[i])
        out[3, i] = max(a[i], b[i], a[i] / b[i], a[i] + b[i])
        out[4, i] = min(a[i], b[i]) / b[i]


@cuda.jit
def maximum_of_five(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[0, i] = max(a[i], b[i], a[i] / b[i], a[i] + b[i], a[i] - b[i])


@cuda.jit
def power(base, exponent, out):
    i = cuda.grid(1)
    if i < base.size:
        out[0, i] = base[i] ** exponent[i]


@cuda.jit
def power_function(base, exponent, out):
    i = cuda.grid(1)
    if i < base.size:
        out[0, i] = pow(base[i], exponent[i])


@cuda.jit
def power_in_place(base, exponent, out):
    i = cuda.grid(1)
    if i < base.size:
        raised = base[i]
        raised **= exponent[i]
        out[0, i] = raised


@cuda.jit
def integers(n, m, out):
    i = cuda.grid(1)
    if i < n.size:
        out[0, i] = n[i] // m[i]
        out[1, i] = n[i] % m[i]
        out[2, i] = n[i] / m[i]
        out[3, i] = n[i] >> 1
        out[4, i] = min(n[i], m[i])
        out[5, i] = max(n[i], m[i])


@cuda.jit
def int32_arrays(n, m, out):
    i = cuda.grid(1)
    if i < n.size:
        out[0, i] = n[i] + m[i]
        out[1, i] = n[i] - m[i] - m[i]
        out[2, i] = 3
        out[2, i] += n[i]


def table(kernel, a, b, rows, dtype=torch.float64):
    out = torch.full((rows, a.size), 99, dtype=dtype)
    wb.launch(kernel[1, 32], a, b, out)
    return out


def in_simulator():
    """The tables of the kernels whose meaning the simulator, which is Python and NumPy, shares with CUDA."""
    with np.errstate(all="ignore"):
        return {
            "arithmetic": table(arithmetic, A, B, 7),
            "integers": table(integers, N, M, 6),
            "int32": table(int32_arrays, N, M, 3, torch.int32),
        }


def same(found, expected):
    """Equal bit for bit, but for the sign of zero and NaN's bits."""
    np.testing.assert_array_equal(found.numpy(), np.array(expected, dtype=found.numpy().dtype))


@pytest.fixture(autouse=True)
def _quiet_numpy():
    with np.errstate(all="ignore"):
        yield


def test_float32_arithmetic_stays_float32():
    """The division by zero among it gives infinity or NaN, and raises nothing."""
    same(table(arithmetic, A, B, 7), [A + B, A - B, A * B, A / B, A // B, A % B, (A + B) - A])


def test_float32_functions_stay_float32():
    floor, ceil, trunc, fmod = np.floor(A), np.ceil(A), np.trunc(A), np.fmod(A, B)
    root = [np.sqrt(abs(A)), np.full(A.size, NAN), np.log(B - B)]
    same(table(functions, A, B, 11), [*root, floor, ceil, trunc, fmod, floor / B, ceil / B, trunc / B, fmod / B])


def test_min_and_max_ignore_nan():
    least, most, ratio = np.fmin(A, B), np.fmax(A, B), A / B
    same(
        table(extremes, A, B, 5), [least, most, np.fmin(least, ratio), np.fmax(np.fmax(most, ratio), A + B), least / B]
    )


def test_max_takes_any_number_of_values():
    same(table(maximum_of_five, A, B, 1), [np.fmax.reduce([A, B, A / B, A + B, A - B])])


@cuda.jit
def power_of_a_name(out):
    out[0] = (THREE / 127) ** 5


def test_a_constant_power_of_a_name_is_multiplied_out():
    out = torch.zeros(1, dtype=torch.float64)
    wb.launch(power_of_a_name[1, 1], out)
    base = THREE / 127
    assert out.item() == base * ((base * base) * (base * base)) != base**5


@pytest.mark.parametrize("kernel", [power, power_function, power_in_place], ids=["**", "pow", "**="])
def test_a_float32_to_an_integer_power(kernel):
    tenth = np.float32(0.1)
    same(table(kernel, BASE, EXPONENT, 1), [[INF, 1, 0.125, -3.375, tenth * tenth * tenth, 1]])


def test_integers_round_down_as_in_python():
    pairs = list(zip(N.tolist(), M.tolist(), strict=True))
    quotients, remainders = [n // m for n, m in pairs], [n % m for n, m in pairs]
    same(table(integers, N, M, 6), [quotients, remainders, N / M, N >> 1, np.minimum(N, M), np.maximum(N, M)])


def test_an_int32_array_wraps_around():
    same(table(int32_arrays, N, M, 3, torch.int32), [N + M, N - M - M, N + np.int32(3)])
    assert table(int32_arrays, N, M, 3, torch.int32)[0, 5] == -(2**31)


def test_the_simulator_agrees():
    assert_same(in_simulator(), simulated("test_cpu_semantics"))
