"""cuda.random: the xoroshiro128+ generators draw the same numbers as their own Python functions."""

import math

import numpy as np
from numba import cuda
from numba.cuda import random

import workbench as wb

THREADS = 8


def states(seed):
    """As ``create_xoroshiro128p_states`` makes them, in the CPU's memory."""
    found = np.empty(THREADS, random.xoroshiro128p_dtype)
    random.init_xoroshiro128p_states_cpu(found, seed, 0)
    return found


@cuda.jit
def draw(states, out):
    i = cuda.grid(1)
    if i < out.shape[1]:
        out[0, i] = random.xoroshiro128p_uniform_float32(states, i)
        out[1, i] = random.xoroshiro128p_uniform_float64(states, i)
        out[2, i] = random.xoroshiro128p_normal_float32(states, i)
        out[3, i] = random.xoroshiro128p_normal_float64(states, i)
        for k in range(4, out.shape[0]):
            out[k, i] = random.xoroshiro128p_uniform_float64(states, i)


def test_random_numbers():
    out, generators = np.zeros((2000, THREADS)), states(7)
    wb.launch(draw[2, 4], generators, out)
    own = states(7)
    first = (random.xoroshiro128p_uniform_float32, random.xoroshiro128p_uniform_float64)
    normal = (random.xoroshiro128p_normal_float32, random.xoroshiro128p_normal_float64)
    for i in range(THREADS):
        expected = [function(own, i) for function in (*first, *normal)]
        np.testing.assert_allclose(out[:4, i], expected, rtol=1e-5)
    assert len(np.unique(out[4:])) == out[4:].size
    assert abs(out[4:].mean() - 0.5) < 5 / math.sqrt(12 * out[4:].size)
    assert not np.array_equal(generators, states(7))
