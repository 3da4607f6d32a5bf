"""The executor's own exp, log and their kin of float32, against float64."""

import math

import numpy as np
import pytest
from numba import cuda, njit, types

from workbench.executors.cpu import float32
from workbench.executors.cpu.compile import compile_kernel

RANDOM = np.random.default_rng(0)
N = 200_000


def spread(low, high):
    """Of both signs, and of every size from e^low to e^high."""
    size = np.exp(RANDOM.uniform(low, high, N))
    return np.concatenate([size, -size]).astype(np.float32)


def with_small(low, high):
    """Up to these ends, about zero, and of every smaller size."""
    return np.concatenate([RANDOM.uniform(low, high, N), RANDOM.normal(size=N), spread(-90, 1)])


POSITIVE = np.concatenate([abs(spread(-103, 88)), RANDOM.uniform(0.5, 2, N)])

CASES = {
    "exp": (float32.exp_float32, np.exp, np.concatenate([RANDOM.uniform(-104, 89, N), RANDOM.normal(size=N)]), 1.05),
    "exp2": (float32.exp2_float32, np.exp2, np.concatenate([RANDOM.uniform(-150, 129, N), RANDOM.normal(size=N)]), 1.1),
    "expm1": (float32.expm1_float32, np.expm1, with_small(-20, 89), 1.5),
    "tanh": (float32.tanh_float32, np.tanh, with_small(-20, 20), 2.5),
    "sinh": (float32.sinh_float32, np.sinh, with_small(-90, 90), 2.5),
    "cosh": (float32.cosh_float32, np.cosh, with_small(-90, 90), 1.5),
    "erf": (float32.erf_float32, np.vectorize(math.erf, otypes=[float]), with_small(-5, 5), 1.5),
    "log": (float32.log_float32, np.log, POSITIVE, 1.0),
    "log2": (float32.log2_float32, np.log2, POSITIVE, 1.1),
    "log10": (float32.log10_float32, np.log10, POSITIVE, 1.0),
    "log1p": (float32.log1p_float32, np.log1p, np.concatenate([spread(-80, -0.01), abs(spread(0, 80))]), 2.5),
}

SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, -2.0, 1e-45, 1e-40, 88.72283, 88.7229, -103.9, -104.1, 200, -200,
     -1e-45, 89.41, 89.42, -89.41, 127.99999, 128, -149, -150.1],
    np.float32,
)  # fmt: skip


def mapped(function):
    @njit
    def over(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def run(x):
        out = np.empty_like(x)
        over(x, out)
        return out

    return run


@pytest.mark.parametrize(("function", "exact", "x", "worst"), CASES.values(), ids=CASES)
def test_error_in_ulps(function, exact, x, worst):
    x = x.astype(np.float32)
    with np.errstate(over="ignore"):
        truth = exact(x.astype(np.float64))
        nearest = truth.astype(np.float32)
    keep = np.isfinite(nearest) & (nearest != 0)
    assert keep.sum() > N
    error = abs(mapped(function)(x[keep]) - truth[keep]) / np.spacing(abs(nearest[keep])).astype(np.float64)
    assert error.max() < worst


@pytest.mark.parametrize(("function", "exact"), [case[:2] for case in CASES.values()], ids=CASES)
def test_special_values(function, exact):
    with np.errstate(all="ignore"):
        found, truth = mapped(function)(SPECIAL), exact(SPECIAL.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(found, truth, rtol=3e-7, atol=1.5e-45)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(truth[found == 0]))


def test_powers_are_exact():
    powers = np.arange(-149, 128, dtype=np.float32)
    np.testing.assert_array_equal(mapped(float32.exp2_float32)(powers), 2.0 ** powers.astype(np.float64))
    np.testing.assert_array_equal(mapped(float32.log2_float32)((2.0**powers).astype(np.float32)), powers)
    tens = np.arange(-10.0, 11)
    np.testing.assert_array_equal(mapped(float32.log10_float32)((10.0**tens).astype(np.float32)), tens)


@cuda.jit(device=True)
def soft_sign(u):
    return math.tanh(u)


@cuda.jit(device=True)
def twice(u):
    return soft_sign(u) + soft_sign(u)


@cuda.jit
def through_device_functions(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = twice(x[i])


@cuda.jit
def square(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i] * x[i]


@pytest.mark.parametrize(("kernel", "wide"), [(through_device_functions, True), (square, False)])
def test_what_computes_much_has_wide_vectors(monkeypatch, kernel, wide):
    """Also where a device function of a device function does."""
    monkeypatch.setenv("WORKBENCH_CACHE", "")  # of what is loaded from there Numba has no code to show
    run = compile_kernel(kernel, (256, 1, 1), (types.float32[::1],) * 2).run
    (code,) = run.inspect_llvm().values()
    assert ('"prefer-vector-width"="512"' in code) == wide
