"""The error of workbench.trigonometry for every float32, and what it costs beside CUDA's and torch's own.

``python benchmarks/trigonometry.py`` prints Markdown; it looks at two thousand million numbers, for some minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date

import numpy as np
import torch
from cpu_executor import markdown, processor
from numba import cuda
from tqdm import tqdm

import workbench as wb
from workbench.trigonometry import cosine, sine, tangent

CHUNK = 1 << 24
INFINITY = 0x7F800000
"""The bits of infinity in float32; those of every positive number are below it."""

OWN = {"sine": (sine, math.sin, np.sin, torch.sin, 2), "cosine": (cosine, math.cos, np.cos, torch.cos, 2),
       "tangent": (tangent, math.tan, np.tan, torch.tan, 4)}  # fmt: skip
"""With the functions of Python, NumPy and torch, and the ulps that CUDA's documentation allows its own."""


def kernel_of(function: Callable):
    @cuda.jit
    def each(x, out):
        """Updates: out[i], by the element i of x."""
        i = cuda.grid(1)
        if i < x.size:
            out[i] = function(x[i])

    return each


def worst(function: Callable, exact: Callable) -> tuple[float, float]:
    """The largest error in ulps over the positive numbers of float32, and where; the negative ones mirror them."""
    kernel = kernel_of(function)
    most, where = 0.0, 0.0
    for first in tqdm(range(0, INFINITY, CHUNK), desc=exact.__name__, unit="chunk"):
        x = np.arange(first, min(first + CHUNK, INFINITY), dtype=np.uint32).view(np.float32)
        out = torch.full((len(x),), math.nan)
        wb.launch(kernel[wb.blocks(len(x)), 256], torch.from_numpy(x), out)
        true = exact(x.astype(np.float64))
        unit = np.ldexp(1.0, np.maximum(np.frexp(true)[1] - 24, -149))
        error = np.abs(out.numpy() - true) / unit
        if not error.max() <= most:
            k = int(np.argmax(error))
            most, where = float(error[k]), float(x[k])
    return most, where


def main() -> None:
    print(f"# Sine, cosine and tangent of every float32, {date.today()}\n")
    print(f"{processor()}; torch {torch.__version__}.\n")
    rows, costs = [], []
    x, out = torch.empty(1 << 20).uniform_(-120, 120), torch.empty(1 << 20)
    for name, (own, plain, exact, eager, allowed) in OWN.items():
        most, where = worst(own, exact)
        rows.append([name, f"{most:.3f}", f"{where!r}", str(allowed)])
        mine, cudas = (wb.report(kernel_of(f), x, out) for f in (own, plain))
        grid = wb.blocks(x.numel()), 256
        kernels = [kernel_of(f)[grid] for f in (own, plain)]
        times = wb.bench({
            "own": lambda k=kernels[0]: wb.launch(k, x, out),
            "plain": lambda k=kernels[1]: wb.launch(k, x, out),
            "torch": lambda f=eager: f(x, out=out),
        })  # fmt: skip
        ratios = [f"{times.ratio('own', to):.2f}" for to in ("plain", "torch")]
        for what, one in (("workbench", mine), ("CUDA", cudas)):
            wide = sum(".f64" in i.text for i in one.instructions)
            own_row = [f"{name}, {what}", str(wide or "none"), str(one.resources.registers), str(len(one.instructions))]
            costs.append([*own_row, f"{one.resources.local} bytes", *(ratios if one is mine else ("", ""))])
    print(
        "The largest error over all 2,139,095,040 positive numbers, each against the function in float64, in units in "
        "the last place of that; the negative ones mirror them. CUDA's documentation allows its own functions what the "
        "last column says.\n"
    )
    print(markdown(["", "worst, ulp", "at x =", "CUDA's, ulp"], rows))
    print(
        "\nWhat a kernel of one such function holds, by compute capability 9.0, and how many times as long it takes "
        "without a GPU as the same kernel with `math.sin` and as torch eager, over 1,048,576 numbers up to 120.\n"
    )
    head = ["", "float64", "registers", "PTX instructions", "local memory", "time to math's", "time to torch's"]
    print(markdown(head, costs))


if __name__ == "__main__":
    main()
