"""Kernels on float32 arrays that compute nothing in float64 of their own, in ways that look as if they might."""

import math

import numpy as np
import torch
from numba import cuda, float32, float64, int32

NARROW = np.float32(0.1)
RATE = 0.7


@cuda.jit
def cast_literals(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = float32(0.1) * x[i] + np.float32(1.0)


@cuda.jit
def halved_square(x, y, out):
    """Typed in float64 from the literal on, and folded away: a product with 0.5 rounds the same in both."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0.5 * (x[i] - y[i]) ** 2


@cuda.jit
def constants_of_the_dtype(x, weight, out):
    """The weight is a Python float, cast once."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = out.dtype.type(weight) * x[i] + out.dtype.type(0.3)


@cuda.jit
def clipped(x, out):
    """Python's float(...) of a float32 is one."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = min(max(x[i], float32(0)), float32(1)) + float(x[i])


@cuda.jit
def trigonometric(x, out):
    """CUDA's own sin and cos hold a float64 product for large arguments."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = math.sin(x[i]) * math.cos(x[i]) + math.tan(x[i])


@cuda.jit
def half_sine(x, out):
    """A literal that is folded away, on a line with float64 of CUDA's own."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0.5 * math.sin(x[i])


@cuda.jit
def transcendental(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = math.exp(-x[i]) + math.log(x[i]) + math.tanh(x[i]) + math.sqrt(x[i]) + math.erf(x[i])


@cuda.jit
def narrow_global(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = NARROW * x[i] + float32(RATE)


@cuda.jit
def grid_stride(x, out):
    total = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i] * x[i]
    cuda.atomic.add(out, 0, total)


@cuda.jit
def integers(x, out):
    """Integer arithmetic, and a count cast before it meets a float32."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[(i // 3) % x.size] * float32(i) / float32(int32(i % 7) + 1)


@cuda.jit
def reduced_in_shared_memory(x, out):
    partial = cuda.shared.array(128, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    partial[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    step = 64
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


@cuda.jit
def chosen(x, out):
    """Zero and NaN stored, and a comparison with an integer literal, which the compiler narrows."""
    i = cuda.grid(1)
    if i < out.size:
        if x[i] > 0:
            out[i] = x[i]
        elif x[i] == 0:
            out[i] = 0.0
        else:
            out[i] = math.nan


@cuda.jit
def squared_power(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] ** 2 + x[i] ** 3


@cuda.jit
def summed_in_float64(x, out):
    """Float64 on purpose, by name."""
    total = float64(0)
    for j in range(x.size):
        total += x[j]
    out[0] = total / x.size


@cuda.jit
def into_float64(x, wide):
    """Float64 on purpose, by the array."""
    i = cuda.grid(1)
    if i < wide.size:
        wide[i] += 0.1 * x[i]


X, OUT = torch.ones(64), torch.zeros(64)

CLEAN = {
    kernel.py_func.__name__: (kernel, arguments)
    for kernel, arguments in (
        (cast_literals, (X, OUT)),
        (halved_square, (X, X, OUT)),
        (constants_of_the_dtype, (X, 0.3, OUT)),
        (clipped, (X, OUT)),
        (trigonometric, (X, OUT)),
        (half_sine, (X, OUT)),
        (transcendental, (X, OUT)),
        (narrow_global, (X, OUT)),
        (grid_stride, (X, OUT)),
        (integers, (X, OUT)),
        (reduced_in_shared_memory, (X, OUT)),
        (chosen, (X, OUT)),
        (squared_power, (X, OUT)),
        (summed_in_float64, (X, OUT)),
        (into_float64, (X, OUT.double())),
    )
}
