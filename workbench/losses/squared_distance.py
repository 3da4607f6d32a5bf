"""Squared Euclidean distance, Σ (x - y)², summed in the kernel: in whatever order blocks finish, or in a fixed one.

Every thread adds up its share of the elements, striding over the grid; the lanes of a warp add theirs by shuffles; the
first warp adds what each warp left in shared memory. Then there is one number a block, and two ways on:

- one atomic addition a block into the total. Blocks finish in no fixed order and a rounded sum depends on its order,
  so the last bits may differ from one run to the next;
- a partial sum for each block, and a second kernel of one block that adds those up. Every order is fixed by the number
  of elements alone, so every run gives the same bits.

On such sums see M. Harris, Optimizing Parallel Reduction in CUDA (NVIDIA, 2007). x and y are [n] in the kernels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numba import cuda, float32, float64, types

from workbench.elementwise import kernel_gradient
from workbench.launch import blocks, launch
from workbench.losses.arguments import check_floating, check_reduction, check_same
from workbench.losses.squared_error import squared_difference, squared_error_gradient_kernel
from workbench.transforms import one_by_one

BLOCK = 256
MOST_BLOCKS = 1024
"""Past this many, threads stride over several elements each; a constant, so that the order of the sum is one too."""

WARP = 32
FULL = 0xFFFFFFFF


@cuda.jit(device=True)
def warp_sum(value):
    """The sum over the lanes of the warp, in lane 0."""
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(FULL, value, offset)
    return value


@cuda.jit(device=True)
def block_sum(value, of_warps):
    """The sum over the threads of the block, in thread 0. Updates: of_warps [32], in shared memory."""
    t = cuda.threadIdx.x
    lane, warp = t % WARP, t // WARP
    value = warp_sum(value)
    if lane == 0:
        of_warps[warp] = value
    cuda.syncthreads()
    if warp == 0:
        value = of_warps[lane] if lane < cuda.blockDim.x // WARP else of_warps.dtype.type(0)
        value = warp_sum(value)
    return value


class Kernels(NamedTuple):
    """The kernels that sum, for one dtype: a shared array's dtype is a constant of its kernel."""

    squared_distance: Any
    partial_squared_distance: Any
    total: Any


def kernels_of(element: types.Float) -> Kernels:
    """The kernels whose arrays, shared memory included, are all of one dtype."""

    @cuda.jit(device=True)
    def share_of_thread(x, y):
        """Σ (x - y)² over each element that this thread takes, a grid apart."""
        share = element(0)
        for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
            share += squared_difference(x[i], y[i])
        return share

    @cuda.jit
    def squared_distance_kernel(x, y, total):
        """Adds Σ (x - y)² to total, with one atomic addition a block.

        Updates: total [1], which must be zero before.
        """
        of_warps = cuda.shared.array(WARP, element)
        of_block = block_sum(share_of_thread(x, y), of_warps)
        if cuda.threadIdx.x == 0:
            cuda.atomic.add(total, 0, of_block)

    @cuda.jit
    def partial_squared_distance_kernel(x, y, partial):
        """Each block's share of Σ (x - y)².

        Updates: partial [blocks of the grid].
        """
        of_warps = cuda.shared.array(WARP, element)
        of_block = block_sum(share_of_thread(x, y), of_warps)
        if cuda.threadIdx.x == 0:
            partial[cuda.blockIdx.x] = of_block

    @cuda.jit
    def total_kernel(partial, total):
        """The sum of the partial sums, for a grid of one block.

        Updates: total [1].
        """
        of_warps = cuda.shared.array(WARP, element)
        share = element(0)
        for i in range(cuda.threadIdx.x, partial.size, cuda.blockDim.x):
            share += partial[i]
        of_block = block_sum(share, of_warps)
        if cuda.threadIdx.x == 0:
            total[0] = of_block

    return Kernels(squared_distance_kernel, partial_squared_distance_kernel, total_kernel)


KERNELS = {torch.float32: kernels_of(float32), torch.float64: kernels_of(float64)}


class SquaredDistance(torch.autograd.Function):
    """Σ (x - y)² for tensors x and y of one shape, with the gradient for both; ``deterministic`` fixes its order.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into. The kernels make
    one sum, so ``torch.func.vmap`` launches them for each of its batch.
    """

    @staticmethod
    def forward(x: torch.Tensor, y: torch.Tensor, deterministic: bool) -> torch.Tensor:
        grid = min(blocks(x.numel(), BLOCK), MOST_BLOCKS)
        # reshape(-1) lays a tensor that is not contiguous out anew; of any other it is a view
        x, y = x.reshape(-1), y.reshape(-1)
        kernels = KERNELS[x.dtype]
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        if deterministic:
            partial = torch.empty(grid, dtype=x.dtype, device=x.device)
            launch(kernels.partial_squared_distance[grid, BLOCK], x, y, partial)
            launch(kernels.total[1, BLOCK], partial, total.view(1))
        else:
            launch(kernels.squared_distance[grid, BLOCK], x, y, total.view(1))
        return total

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        x, y, _ = inputs
        ctx.save_for_backward(x, y)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, y = ctx.saved_tensors
        # each element of a sum has the gradient that it has alone, and the sum's upstream gradient
        upstream = upstream.expand(x.shape)
        gradient_x = gradient_y = None
        if ctx.needs_input_grad[0]:
            gradient_x = kernel_gradient("squared_distance", squared_error_gradient_kernel, x, y, upstream)
        if ctx.needs_input_grad[1]:
            gradient_y = kernel_gradient("squared_distance", squared_error_gradient_kernel, y, x, upstream)
        return gradient_x, gradient_y, None

    @staticmethod
    def vmap(info, in_dims: tuple, x: torch.Tensor, y: torch.Tensor, deterministic: bool) -> tuple:
        return one_by_one(SquaredDistance.apply, info, in_dims, x, y, deterministic)


def squared_distance(
    x: torch.Tensor, y: torch.Tensor, reduction: str = "mean", deterministic: bool = False
) -> torch.Tensor:
    """The squared Euclidean distance Σ (x - y)² of two tensors of one shape, dtype (float32 or float64) and device.

    A scalar. ``reduction`` is ``"sum"``, or ``"mean"`` for the sum divided by the number of elements; ``"none"`` is
    refused, since the kernel adds up as it goes: that is ``squared_error``. ``deterministic=True`` gives the same bits
    every time, and takes a second, small kernel. Differentiable once, in both tensors. A tensor that is not contiguous
    is read through a contiguous copy.

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), for another dtype, and for
    another reduction.
    """
    check_reduction(reduction)
    if reduction == "none":
        raise ValueError("reduction='none': this loss is summed in its kernel; squared_error gives each element's")
    check_floating("x", x)
    check_same("x", x, "y", y)
    total = SquaredDistance.apply(x, y, deterministic)
    return total / x.numel() if reduction == "mean" else total
