"""The executor's own exp, log and log1p of float32, against float64."""

import numpy as np
import pytest
from numba import njit

from workbench.executors.cpu import float32

RANDOM = np.random.default_rng(0)
N = 200_000


def spread(low, high):
    """Of both signs, and of every size from e^low to e^high."""
    size = np.exp(RANDOM.uniform(low, high, N))
    return np.concatenate([size, -size]).astype(np.float32)


CASES = {
    "exp": (float32.exp_float32, np.exp, np.concatenate([RANDOM.uniform(-104, 89, N), RANDOM.normal(size=N)]), 1.05),
    "log": (float32.log_float32, np.log, np.concatenate([abs(spread(-103, 88)), RANDOM.uniform(0.5, 2, N)]), 1.0),
    "log1p": (float32.log1p_float32, np.log1p, np.concatenate([spread(-80, -0.01), abs(spread(0, 80))]), 2.5),
}

SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, -2.0, 1e-45, 1e-40, 88.72283, 88.7229, -103.9, -104.1, 200, -200],
    np.float32,
)


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
        np.testing.assert_allclose(mapped(function)(SPECIAL), exact(SPECIAL), rtol=3e-7, atol=1.5e-45)
