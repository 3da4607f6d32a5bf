"""Control flow, device functions, closures and names: the Python of a kernel, against the simulator."""

import math
import re

import numpy as np
from dialect import tensors
from numba import cuda
from simulator import assert_same, simulated

import workbench as wb

OFFSET, PAIR, NAMES = 5, (2, 3), ("a", "b")


@cuda.jit
def flow(a, out):
    i = cuda.grid(1)
    if i >= a.size:
        return
    total = 0
    for k in range(10, 0, -3):
        for j in range(k):
            if j == i:
                continue
            if j > 6:
                break
            total += j * k
    else:
        total += 1000
    out[0, i] = total
    n, steps = i + 1, 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    out[1, i] = steps
    while True:
        steps -= 2
        if steps < 0:
            break
    out[2, i] = steps
    x = a[i]
    out[3, i] = 1 if -1 < x <= 3 else 2 if x > 5 else 3
    out[4, i] = (x and 7) + (x or 9)
    out[5, i] = x if not (x < 2 or x == 4) and i else -x
    if x > 3:
        y = 1
    elif x > 1:
        y = 2
    else:
        y = 3
    out[6, i] = y
    a0, (b0, c0) = 1, (2, i)
    a0, b0 = b0, a0
    both = (a0, b0, c0)
    out[7, i] = both[0] * 100 + both[-1] * 10 + len(both) + sum(both)
    for k, v in enumerate(both):
        out[8, i] += k * v
    for u, v in zip(both, PAIR):  # noqa: B905
        out[9, i] += u * v
    for k in range(2, 8, 2):
        if k == 4:
            pass
        out[10, i] += k
    for v in PAIR:
        out[11, i] += v
    for k in range(0):
        out[11, i] = k
    z: int = 3
    z -= OFFSET
    out[12, i] = z % 4 + (PAIR[1] if PAIR else 0) + (2 in PAIR) + abs(z) + int(2.7) + bool(z)
    assert z < 0
    if i == 2:
        return
    out[13, i] = 1


@cuda.jit(device=True)
def power(x, n=2, scale=1.0):
    """A device function with defaults."""
    result = scale
    for _ in range(n):
        result *= x
    return result


@cuda.jit(device=True)
def bounds(a, b):
    if a > b:
        return b, a
    return a, b


@cuda.jit(device=True)
def sign(x):
    if x > 0:
        return 1
    if x < 0:
        return -1
    return 0


@cuda.jit(device=True)
def outer(x):
    low, high = bounds(x, power(x))
    return high - low + sign(x)


@cuda.jit(device=True)
def store(out, i, value):
    out[i] = value


@cuda.jit(device=True)
def here():
    return cuda.grid(1) + cuda.blockDim.x


def made(factor):
    shift = np.float32(factor / 2)
    table = (factor, factor + 1)

    @cuda.jit(device=True)
    def scaled(x):
        return x * factor + shift

    @cuda.jit
    def closure(a, out):
        i = cuda.grid(1)
        if i < a.size:
            out[0, i] = scaled(a[i]) + table[1]
            out[1, i] = power(a[i])
            out[2, i] = power(a[i], 3)
            out[3, i] = power(a[i], 1, 2.0)
            out[4, i] = outer(a[i])
            store(out[5], i, sign(a[i] - 2))
            out[6, i] = here()

    return closure


@cuda.jit
def with_default(a, out, factor=3.0, rounds=2):
    i = cuda.grid(1)
    if i < a.size:
        out[i] = power(n=1, x=a[i]) * factor * rounds


def in_simulator():
    a = np.array([0.0, 1, 2, 3, 4, 5, 6, -1])
    out, closed = np.zeros((14, 8)), np.zeros((7, 8))
    wb.launch(flow[2, 5], a, out)
    wb.launch(made(3)[2, 5], a, closed)
    return tensors(flow=out, closure=closed)


def test_control_flow_and_device_functions_agree_with_the_simulator():
    assert_same(in_simulator(), simulated("test_dialect_control"))


def test_parameters_with_defaults():
    a, out = np.arange(4.0), np.zeros((2, 4))
    wb.launch(with_default[1, 4], a, out[0])
    wb.launch(with_default[1, 4], a, out[1], 5.0)
    assert np.array_equal(out, [a * 6, a * 10])


def test_each_closure_has_its_own_values():
    a, out = np.ones(4), np.zeros((7, 4))
    for factor in (1, 2):
        wb.launch(made(factor)[1, 4], a, out)
        assert out[0].tolist() == [factor + factor / 2 + factor + 1] * 4


@cuda.jit(device=True)
def block_sum(part, value):
    i = cuda.threadIdx.x
    part[i] = value
    cuda.syncthreads()
    total = 0.0
    for k in range(cuda.blockDim.x):
        total += part[k]
    cuda.syncthreads()
    return total


@cuda.jit(device=True)
def mean_and_spread(part, value):
    mean = block_sum(part, value) / cuda.blockDim.x
    return mean, block_sum(part, (value - mean) ** 2)


@cuda.jit
def statistics(a, out):
    part = cuda.shared.array(8, np.float64)
    i = cuda.threadIdx.x
    mean, spread = mean_and_spread(part, a[i])
    out[0, i], out[1, i] = mean, math.sqrt(spread)


def test_device_functions_that_synchronise():
    a, out = np.arange(8.0) ** 2, np.zeros((2, 8))
    wb.launch(statistics[1, 8], a, out)
    np.testing.assert_allclose(out[0], a.mean())
    np.testing.assert_allclose(out[1], math.sqrt(((a - a.mean()) ** 2).sum()))


@cuda.jit(device=True)
def factorial(n):
    if n <= 1:
        return 1
    return n * factorial(n - 1)


@cuda.jit
def recursive(out):
    i = cuda.grid(1)
    out[i] = factorial(i)


def test_a_recursive_device_function():
    out = np.zeros(6, np.int64)
    wb.launch(recursive[1, 6], out)
    assert out.tolist() == [1, 1, 2, 6, 24, 120]


@cuda.jit
def speaking(a):
    i = cuda.grid(1)
    if i == 0:
        print("block", cuda.blockIdx.x, a[1], -3)
        print(2.5)


def test_print(capfd):
    wb.launch(speaking[1, 2], np.arange(3))
    assert re.sub(r"\s+", " ", capfd.readouterr().out).strip() == "block 0 1 -3 2.5"
