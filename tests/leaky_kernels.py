"""Kernels on float32 arrays into which a float64 leaks, each with the line that it comes in on and the fix.

``python tests/leaky_kernels.py`` writes them as a page, docs/float64.md.
"""

import linecache
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import cuda, float32

import workbench as wb

SCALE = 0.1
WIDE = np.float64(0.3)
TABLE = (0.25, 0.7)


class Leak(NamedTuple):
    """``line`` is text of the line that brings the float64 in; ``fix`` words that must stand in the advice.

    ``folded`` names architectures whose compiler folds the float64 away, where it is no leak.
    """

    kernel: Any
    arguments: tuple
    line: str
    fix: str
    folded: tuple[str, ...] = ()


@cuda.jit
def literal_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0.1 * x[i]


@cuda.jit
def accumulator_kernel(x, out):
    i = cuda.grid(1)
    total = 0.0
    for j in range(4):
        total += x[i + j]
    out[i] = total


@cuda.jit
def sigmoid_kernel(x, out):
    i = cuda.grid(1)
    out[i] = 1.0 / (1.0 + math.exp(-x[i]))


@cuda.jit
def maximum_kernel(x, out):
    i = cuda.grid(1)
    out[i] = max(x[i], 0.0)


@cuda.jit
def power_kernel(x, out):
    i = cuda.grid(1)
    out[i] = x[i] ** 2.0


@cuda.jit
def square_root_kernel(x, out):
    i = cuda.grid(1)
    out[i] = x[i] ** 0.5


@cuda.jit
def mean_kernel(x, out):
    i = cuda.grid(1)
    total = float32(0)
    for j in range(x.shape[1]):
        total += x[i, j]
    out[i] = total / x.shape[1]


@cuda.jit
def integer_kernel(x, n, out):
    i = cuda.grid(1)
    out[i] = x[i] * n + x[i]


@cuda.jit
def counted_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] - i / out.size


@cuda.jit
def root_of_integer_kernel(x, n, out):
    i = cuda.grid(1)
    out[i] = x[i] / math.sqrt(n)


@cuda.jit
def argument_kernel(x, factor, out):
    i = cuda.grid(1)
    out[i] = factor * x[i]


@cuda.jit
def python_float_kernel(x, out):
    i = cuda.grid(1)
    out[i] = math.exp(x[i] / float(i))


@cuda.jit
def global_kernel(x, out):
    i = cuda.grid(1)
    out[i] = SCALE * x[i]


@cuda.jit
def numpy_global_kernel(x, out):
    i = cuda.grid(1)
    out[i] = x[i] / WIDE


@cuda.jit
def paths_kernel(x, out):
    i = cuda.grid(1)
    rate = 0
    if x[i] > float32(1):
        rate = x[i]
    out[i] = rate * x[i] + x[i]


@cuda.jit
def compared_kernel(x, n, out):
    i = cuda.grid(1)
    if x[i] > n:
        out[i] = x[i]


@cuda.jit
def tuple_kernel(x, out):
    i = cuda.grid(1)
    out[i] = x[i] * TABLE[1]


@cuda.jit(device=True)
def softened(value):
    return value / (0.01 + abs(value))


@cuda.jit
def device_function_kernel(x, out):
    i = cuda.grid(1)
    out[i] = softened(x[i])


@cuda.jit(device=True)
def weighted(value, weight):
    return value * weight


@cuda.jit
def into_device_function_kernel(x, out):
    i = cuda.grid(1)
    out[i] = weighted(x[i], 0.3)


@cuda.jit
def chain_kernel(x, out):
    i = cuda.grid(1)
    out[i] = 2 * x[i] * x[i] + 1


@cuda.jit
def linspace_kernel(x, out):
    i = cuda.grid(1)
    step = 1 / (out.size - 1)
    out[i] = x[i] + float32(i) * step


def closed_over(rate):
    @cuda.jit
    def closure_kernel(x, out):
        i = cuda.grid(1)
        out[i] = x[i] - rate * out[i]

    return closure_kernel


X, OUT = torch.ones(64), torch.zeros(64)

LEAKS = {
    leak.kernel.py_func.__name__.removesuffix("_kernel"): leak
    for leak in (
        Leak(literal_kernel, (X, OUT), "0.1 * x[i]", "float32(0.1)"),
        Leak(accumulator_kernel, (X, OUT), "total = 0.0", "total = float32(0.0)"),
        Leak(sigmoid_kernel, (X, OUT), "math.exp(-x[i])", "float32(1.0)"),
        Leak(maximum_kernel, (X, OUT), "max(x[i], 0.0)", "float32(0.0)", ("sm_120",)),
        Leak(power_kernel, (X, OUT), "x[i] ** 2.0", "x[i] ** 2,"),
        Leak(square_root_kernel, (X, OUT), "x[i] ** 0.5", "math.sqrt(x[i])"),
        Leak(mean_kernel, (X.view(8, 8), OUT), "total / x.shape[1]", "float32(x.shape[1])"),
        Leak(integer_kernel, (X, 3, OUT), "x[i] * n", "x[i] * float32(n)"),
        Leak(counted_kernel, (X, OUT), "i / out.size", "float32(i) / float32(out.size)"),
        Leak(root_of_integer_kernel, (X, 3, OUT), "math.sqrt(n)", "math.sqrt(float32(n))"),
        Leak(argument_kernel, (X, 0.1, OUT), "def argument_kernel", "np.float32(factor)"),
        Leak(python_float_kernel, (X, OUT), "float(i)", "float32(i)"),
        Leak(global_kernel, (X, OUT), "SCALE * x[i]", "float32(SCALE)"),
        Leak(numpy_global_kernel, (X, OUT), "x[i] / WIDE", "float32(WIDE)"),
        Leak(paths_kernel, (X, OUT), "rate = 0", "rate = float32("),
        Leak(compared_kernel, (X, 3, OUT), "x[i] > n", "x[i] > float32(n)"),
        Leak(tuple_kernel, (X, OUT), "TABLE[1]", "float32(TABLE"),
        Leak(device_function_kernel, (X, OUT), "0.01 + abs(value)", "float32(0.01)"),
        Leak(into_device_function_kernel, (X, OUT), "weighted(x[i], 0.3)", "float32(0.3)"),
        Leak(chain_kernel, (X, OUT), "2 * x[i]", "float32(2)"),
        Leak(linspace_kernel, (X, OUT), "1 / (out.size - 1)", "float32(1) / float32(out.size - 1)"),
        Leak(closed_over(0.2), (X, OUT), "rate * out[i]", "float32(rate)"),
    )
}

PAGE = Path(__file__).parent.parent / "docs" / "float64.md"

HEAD = """# How a float64 gets into a float32 kernel

Float64 has half of float32's rate on sm_80, sm_90 and sm_100, and a 32nd or 64th of it on most other GPUs; and Python's
floats are float64. Each kernel below takes float32 arrays, and `wb.report` names the line, the reason and the fix. A
float64 that the compiler folds away, as in `0.5 * x[i]`, is no leak and is not reported as one; nor is one that was
asked for, by a float64 array or `float64(x)`, or that CUDA's own `sin` holds inside, for arguments beyond 105,615; the
`sine` of `workbench.trigonometry` holds none.

| line | why | what to do |
| --- | --- | --- |
"""


def page() -> str:
    """What the report says of each kernel, as a table in Markdown."""
    rows = []
    for leak in LEAKS.values():
        for one in wb.report(leak.kernel, *leak.arguments).leaks:
            line = linecache.getline(one.place.file, one.place.line).strip()
            rows.append(f"| `{line}` | {one.reason} | {one.fix} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
