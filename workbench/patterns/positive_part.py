"""Σ max(x, 0) over all elements: a forward that autograd does not see.

No ``torch.no_grad()`` is needed for that: inside the ``forward`` of an autograd.Function nothing is recorded, and a
kernel's writes never are. So the gradient is not found but given: the mask x > 0, times the upstream gradient, which
is one number. It has the shape of x, not of the sum. At x = 0 it is 0, as torch has it for relu.

A block adds up one chunk of one row in shared memory, and torch adds up the chunks: in float64, so that the sum of
many float32 keeps their digits, and always in the same order, so that it comes out the same each time. In the kernels,
row and chunk are the block's place in the grid, and i counts elements.
"""

from __future__ import annotations

import torch
from numba import cuda, float64

from workbench.elementwise import BLOCK, kernel_gradient
from workbench.launch import blocks, launch
from workbench.patterns.arguments import check_inputs
from workbench.transforms import by_rows

CHUNKS = 64
"""The most blocks that share a row."""


@cuda.jit(device=True)
def positive(x, zero):
    """max(x, 0), and NaN for NaN"""
    return zero if x <= zero else x


@cuda.jit(device=True)
def positive_derivative(x, zero, one):
    """1 where x > 0, and 0 elsewhere"""
    return one if x > zero else zero


@cuda.jit
def positive_part_kernel(x, partial):
    """Each block's share of its row's sum, with x [rows, n] and partial [rows, chunks] of float64.

    Updates: partial [rows, chunks].
    """
    shared = cuda.shared.array(BLOCK, float64)
    row, chunk = cuda.blockIdx.x, cuda.blockIdx.y
    thread = cuda.threadIdx.x
    zero = x.dtype.type(0)
    total = 0.0
    for i in range(chunk * BLOCK + thread, x.shape[1], partial.shape[1] * BLOCK):
        total += positive(x[row, i], zero)
    shared[thread] = total
    cuda.syncthreads()
    stride = BLOCK // 2
    while stride > 0:
        if thread < stride:
            shared[thread] += shared[thread + stride]
        cuda.syncthreads()
        stride //= 2
    if thread == 0:
        partial[row, chunk] = shared[0]


@cuda.jit
def positive_part_gradient_kernel(x, upstream, gradient):
    """The mask x > 0 times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        zero, one = gradient.dtype.type(0), gradient.dtype.type(1)
        gradient[i] = positive_derivative(x[i], zero, one) * upstream[i]


class PositivePart(torch.autograd.Function):
    """The sum of the positive part of each row of x [rows, n], as [rows]. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        rows, n = x.shape
        partial = torch.empty((rows, min(blocks(n, BLOCK), CHUNKS)), dtype=torch.float64, device=x.device)
        if rows:  # a grid of no block cannot be launched
            launch(positive_part_kernel[partial.shape, BLOCK], x, partial)
        return partial.sum(1).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return kernel_gradient("positive_part", positive_part_gradient_kernel, x, upstream[:, None].expand_as(x))

    @staticmethod
    def vmap(info, in_dims: tuple, x: torch.Tensor) -> tuple:
        return by_rows(1, PositivePart.apply, info, in_dims, x)


def positive_part(x: torch.Tensor) -> torch.Tensor:
    """Σ max(x, 0) over all elements of a tensor of float32 or float64, a scalar, as ``torch.relu(x).sum()``.

    Differentiable once. Raises ValueError for another dtype.
    """
    check_inputs(x=x)
    return PositivePart.apply(x.reshape(1, -1))[0]
