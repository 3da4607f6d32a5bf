"""Squared error, element by element: (x - y)².

Each loss file reads top to bottom: the scalar maths, the kernels, the autograd.Function, the function people call.
In the kernels, i counts elements.
"""

from __future__ import annotations

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.losses.arguments import check_floating, check_same, reduced


@cuda.jit(device=True)
def squared_difference(x, y):
    """(x - y)²"""
    difference = x - y
    return difference * difference


@cuda.jit(device=True)
def squared_difference_derivative(x, y):
    """∂/∂x (x - y)² = 2 (x - y); the derivative by y is this with x and y exchanged."""
    difference = x - y
    # a sum and not 2 * difference: Numba computes an int64 times a float32 in float64
    return difference + difference


@cuda.jit
def squared_error_kernel(x, y, loss):
    """loss = (x - y)², with x, y and loss [n].

    Updates: loss [n].
    """
    i = cuda.grid(1)
    if i < loss.size:
        loss[i] = squared_difference(x[i], y[i])


@cuda.jit
def squared_error_gradient_kernel(x, y, upstream, gradient):
    """The gradient by x, times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = squared_difference_derivative(x[i], y[i]) * upstream[i]


class SquaredError(Elementwise):
    """(x - y)² for tensors x and y of one shape, with the gradient for both.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into.
    """

    @staticmethod
    def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return run(squared_error_kernel, x, y)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, y = ctx.saved_tensors
        gradient_x = gradient_y = None
        if ctx.needs_input_grad[0]:
            gradient_x = kernel_gradient("squared_error", squared_error_gradient_kernel, x, y, upstream)
        if ctx.needs_input_grad[1]:
            gradient_y = kernel_gradient("squared_error", squared_error_gradient_kernel, y, x, upstream)
        return gradient_x, gradient_y


def squared_error(x: torch.Tensor, y: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """The squared error (x - y)² of two tensors of one shape, dtype (float32 or float64) and device.

    ``reduction`` is ``"none"`` (a tensor of that shape), ``"sum"`` or ``"mean"`` (a scalar), as in
    ``torch.nn.functional.mse_loss``. Differentiable once, in both tensors. A tensor that is not contiguous is read
    through a contiguous copy.

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), for another dtype, and for an
    unknown reduction.
    """
    check_floating("x", x)
    check_same("x", x, "y", y)
    return reduced(SquaredError.apply(x, y), reduction)
