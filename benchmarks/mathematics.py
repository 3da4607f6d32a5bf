"""How long a function of ``math`` takes in a kernel without a GPU, beside torch eager and the C library, on one core.

``python benchmarks/mathematics.py`` prints Markdown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import torch
from cpu_executor import markdown, processor
from numba import cuda, njit
from tqdm import tqdm

import workbench as wb

N = 1 << 20
ONE = "sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh erf erfc asin acos atan asinh atanh lgamma"
TWO = "pow atan2 hypot"


def of_one(function: Callable) -> tuple[Any, Any]:
    """A kernel that applies a function, and the same as a loop for Numba's CPU target."""

    @cuda.jit
    def kernel(x, out):
        """Updates: out[i], by the element i of x."""
        i = cuda.grid(1)
        if i < x.size:
            out[i] = function(x[i])

    @njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return kernel, loop


def of_two(function: Callable) -> tuple[Any, Any]:
    """The same of a function that takes two numbers."""

    @cuda.jit
    def kernel(x, out):
        """Updates: out[i], by the element i of x."""
        i = cuda.grid(1)
        if i < x.size:
            out[i] = function(x[i], x[i])

    @njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i], x[i])

    return kernel, loop


def main() -> None:
    torch.set_num_threads(1)
    x, out = torch.rand(N) * 0.98 + 0.01, torch.empty(N)
    x_array, out_array = x.numpy(), out.numpy()
    rows = []
    for name in tqdm([*ONE.split(), *TWO.split()]):
        kernel, loop = (of_one if name in ONE.split() else of_two)(getattr(math, name))
        launch, eager = kernel[wb.blocks(N), 256], getattr(torch, name)
        inputs = (x,) if name in ONE.split() else (x, x)
        times = wb.bench(
            {
                "executor": lambda launch=launch: wb.launch(launch, x, out),
                "torch": lambda eager=eager, inputs=inputs: eager(*inputs, out=out),
                "library": lambda loop=loop: loop(x_array, out_array),
            }
        )
        least = times["executor"].least
        rows.append(
            [name, f"{least * 1e3:.2f}", *(f"{times.ratio('executor', to):.2f}" for to in ("torch", "library"))]
        )
    print(f"# Functions of math in a kernel without a GPU, {date.today()}\n")
    print(
        f"{processor()}, one of them at work; torch {torch.__version__}. An element-wise kernel of one function over "
        f"{N:,} float32 between 0.01 and 0.99, in turns with torch eager and with a loop that Numba compiles around "
        "the C library's function: the least time, and how many times as long as theirs.\n"
    )
    print(markdown(["", "ms", "to torch eager", "to the C library"], rows))


if __name__ == "__main__":
    main()
