"""How much slower a kernel runs when it is sanitized: ``python benchmarks/sanitizer.py``.

Plain and sanitized launches take turns in one process, with one worker, after both are compiled; the ratio is that of
their least times of seven. The first call, which compiles, is shown apart.
"""

from __future__ import annotations

import math

import torch
from numba import cuda, float32
from rich.console import Console
from rich.table import Table

import workbench as wb
from workbench.bench import duration
from workbench.losses.cross_entropy import cross_entropy_kernel

TILE = 16
THREADS = 256
ROUNDS = 7


@cuda.jit
def square(x, y):
    """Element-wise: nothing waits. Updates: y [n]."""
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i] * x[i]


@cuda.jit
def tree_sum(x, total):
    """A tree of additions in shared memory, of n / 256 blocks. Updates: total [1]."""
    partial = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    partial[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    s = THREADS // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    if t == 0:
        cuda.atomic.add(total, 0, partial[0])


@cuda.jit
def pairwise(a, b, out):
    """Distances of the rows of a [n, k] and b [m, k], through tiles in shared memory. Updates: out [n, m]."""
    tile_a = cuda.shared.array((TILE, TILE), float32)
    tile_b = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    j, i = cuda.grid(2)
    row = cuda.blockIdx.x * TILE + ty
    total = float32(0)
    for first in range(0, a.shape[1], TILE):
        inside = first + tx < a.shape[1]
        tile_a[ty, tx] = a[i, first + tx] if inside and i < a.shape[0] else 0
        tile_b[tx, ty] = b[row, first + tx] if inside and row < b.shape[0] else 0
        cuda.syncthreads()
        for k in range(TILE):
            difference = tile_a[ty, k] - tile_b[k, tx]
            total += difference * difference
        cuda.syncthreads()
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = math.sqrt(total)


def cases() -> dict[str, tuple]:
    """For each label a kernel, its grid and block, and its arguments."""
    n, rows, classes, points, width = 1 << 20, 1 << 16, 10, 256, 64
    x = torch.randn(n)
    logits, target = torch.randn(rows, classes), torch.arange(rows) % classes
    weights = (torch.ones(rows), torch.ones(classes), torch.empty(0))
    per_row = [torch.empty(rows) for _ in range(3)]
    a, b = torch.randn(points, width), torch.randn(points, width)
    tiles = points // TILE
    return {
        f"element-wise, {n:,} elements": (square, wb.blocks(n), THREADS, x, torch.empty(n)),
        f"tree reduction, {n:,} elements": (tree_sum, wb.blocks(n), THREADS, x, torch.zeros(1)),
        f"softmax cross entropy, {rows:,} rows of {classes} classes": (
            cross_entropy_kernel, wb.blocks(rows, 128), 128, logits, target, *weights, -100, *per_row,
        ),
        f"tiled pairwise distances, {points} by {points} points of {width}": (
            pairwise, (tiles, tiles), (TILE, TILE), a, b, torch.empty(points, points),
        ),
    }  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    table = Table("kernel", "plain", "sanitized", "ratio", "plain, first call", "sanitized, first call")
    for label, (kernel, grid, block, *arguments) in cases().items():
        forms = {
            "plain": lambda *values, k=kernel, g=grid, b=block: wb.launch(k[g, b], *values),
            "sanitized": lambda *values, k=kernel, g=grid, b=block: wb.launch(k[g, b], *values, sanitize=True),
        }
        found = wb.bench(forms, *arguments, rounds=ROUNDS)
        plain, sanitized = found["plain"], found["sanitized"]
        table.add_row(
            label,
            duration(plain.least),
            duration(sanitized.least),
            f"{found.ratio('sanitized', 'plain'):.0f} times",
            duration(plain.first),
            duration(sanitized.first),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
