"""Kernels that random ones once found to go wrong, in both forms that the executor knows."""

import numpy as np
import pytest
from numba import cuda, int64

import workbench as wb
from workbench.executors.cpu import compile as compiling
from workbench.executors.cpu import run
from workbench.executors.cpu.uniform import NotUniform

T = np.arange(8)


@cuda.jit
def block_vote(out, n):
    t = cuda.threadIdx.x
    out[t] = cuda.syncthreads_count(t >= 0)


@cuda.jit
def counter_from_outside(out, n):
    i = 0
    count = 0
    for _ in range(3):
        while i < 5:
            count += 1
            i += 1
    out[cuda.threadIdx.x] = count


@cuda.jit(device=True)
def plain(a):
    return a + 1


@cuda.jit(device=True)
def waits_and_calls(a):
    cuda.syncthreads()
    return plain(a)


@cuda.jit
def device_of_a_device(out, n):
    out[cuda.threadIdx.x] = waits_and_calls(cuda.threadIdx.x)


@cuda.jit
def masked_shuffles(out, n):
    shared = cuda.shared.array(32, int64)
    t = cuda.threadIdx.x
    shared[t] = 0
    cuda.syncwarp()
    value = t
    if t < 16:
        value = cuda.shfl_xor_sync(0xFFFF, value, 1)
        value = cuda.shfl_xor_sync(0xFFFF, value, 2)
        shared[t] = value
    cuda.syncwarp()
    out[t] = shared[t ^ 16]


@cuda.jit
def parameter_bound_anew(out, n):
    t = cuda.threadIdx.x
    n += t
    cuda.syncthreads()
    out[t] = n


@cuda.jit
def parameter_bound_by_some(out, n):
    t = cuda.threadIdx.x
    if t > 3:
        n = 1
    cuda.syncthreads()
    out[t] = n


@cuda.jit
def uniform_parameter(out, n):
    n += 1
    cuda.syncthreads()
    n += 2
    out[cuda.threadIdx.x] = n


@cuda.jit
def downwards(out, n):
    t = cuda.threadIdx.x
    count = 0
    for i in range(t, -1, -1):
        count += i + 1
    out[t] = count


@cuda.jit
def fractional_end(out, n):
    t = cuda.threadIdx.x
    i = t
    count = 0
    half = 0.5
    while i < n + half:
        count += 1
        i += 1
    out[t] = count


@cuda.jit
def fractional_steps(out, n):
    i = 0.5
    count = 0
    step = 0.25
    cuda.syncthreads()
    while i < n:
        count += 1
        i += step
    out[cuda.threadIdx.x] = count


@cuda.jit
def pairs(out, n):
    total = 0
    for a, b in ((1, 2), (3, 4)):
        cuda.syncthreads()
        total += a * b
    out[cuda.threadIdx.x] = total


@cuda.jit
def read_after_the_loop(out, n):
    t = cuda.threadIdx.x
    total = 0
    for i in (-1, 2, -3):
        cuda.syncthreads()
        total += i * cuda.syncthreads_count(t > i)
    out[t] = total + i


@cuda.jit
def written_after_a_guard(out, n):
    t = cuda.threadIdx.x
    value = t
    cuda.syncthreads()
    if t < n:
        value = 9
    out[t] = value


@cuda.jit
def exchanged_names(out, n):
    t = cuda.threadIdx.x
    a, b = t, n
    cuda.syncthreads()
    a, b = b, a
    cuda.syncthreads()
    a, c = b + 1, a
    out[t] = 10 * a + c


@cuda.jit
def first_warp_alone(out, n):
    t = cuda.threadIdx.x
    value = t
    if t < 32:
        for offset in (16, 8, 4, 2, 1):
            value += cuda.shfl_xor_sync(0xFFFFFFFF, value, offset)
    cuda.syncthreads()
    if t >= 64:
        value = cuda.shfl_sync(0xFFFFFFFF, value, n)
    out[t] = value


@cuda.jit
def bound_anew_before_a_loop(out, n):
    a = cuda.threadIdx.x
    a += n
    i = 0
    while i < 3:
        i += 1
    out[cuda.threadIdx.x] = a + i


# kernel, threads, what it must write; n is 4
CASES = {
    block_vote: (70, np.full(70, 70)),
    counter_from_outside: (8, np.full(8, 5)),
    device_of_a_device: (8, T + 1),
    masked_shuffles: (32, np.concatenate([np.zeros(16), np.arange(16) ^ 3])),
    parameter_bound_anew: (8, T + 4),
    parameter_bound_by_some: (8, np.where(T > 3, 1, 4)),
    uniform_parameter: (8, np.full(8, 7)),
    downwards: (8, (T + 1) * (T + 2) // 2),
    fractional_end: (8, np.maximum(5 - T, 0)),
    fractional_steps: (8, np.full(8, 14)),
    pairs: (8, np.full(8, 14)),
    written_after_a_guard: (8, np.where(T < 4, 9, T)),
    exchanged_names: (8, 10 * (T + 1) + 4),
    first_warp_alone: (96, np.concatenate([np.full(32, 496), np.arange(32, 64), np.full(32, 68)])),
    bound_anew_before_a_loop: (8, T + 7),
    read_after_the_loop: (8, np.full(8, -8 + 2 * 5 - 3 * 8 - 3)),
}


@pytest.mark.parametrize("form", ["loops", "states"])
@pytest.mark.parametrize("kernel", CASES, ids=lambda kernel: kernel.py_func.__name__)
def test_right(kernel, form, monkeypatch):
    monkeypatch.setattr(run, "_compiled", type(run._compiled)())
    if form == "states":

        def refuse(*_):
            raise NotUniform

        monkeypatch.setattr(compiling, "Plan", refuse)
    threads, expected = CASES[kernel]
    out = np.full(threads, -99, np.int64)
    wb.launch(kernel[1, threads], out, 4)
    np.testing.assert_array_equal(out, expected)
