"""x · e^(-y), element by element: two inputs, whose derivatives are found in three ways.

The derivative by x is e^(-y), the one by y is -x e^(-y). What the three ways are is told in ``activation.py``. In the
kernels, i counts elements.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.patterns import references
from workbench.patterns.arguments import check_inputs, way_of


@cuda.jit(device=True)
def decay_value(x, y):
    """x e^(-y); its derivative by y is this with the sign turned, and the one by x is this for an x of 1."""
    return x * math.exp(-y)


@cuda.jit
def decay_kernel(x, y, value):
    """value = x · e^(-y), with x, y and value [n].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = decay_value(x[i], y[i])


@cuda.jit
def decay_gradient_x_kernel(y, upstream, gradient):
    """The derivative by x times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = decay_value(upstream[i], y[i])


@cuda.jit
def decay_gradient_y_kernel(x, y, upstream, gradient):
    """The derivative by y times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = -decay_value(x[i], y[i]) * upstream[i]


class Decay(Elementwise):
    """x · e^(-y), with its derivatives by kernels. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return run(decay_kernel, x, y)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, y = ctx.saved_tensors
        gradient_x = gradient_y = None
        if ctx.needs_input_grad[0]:
            gradient_x = kernel_gradient("decay", decay_gradient_x_kernel, y, upstream)
        if ctx.needs_input_grad[1]:
            gradient_y = kernel_gradient("decay", decay_gradient_y_kernel, x, y, upstream)
        return gradient_x, gradient_y


class DecayByTorch(Decay):
    """x · e^(-y), with its derivatives by torch operations. Differentiable any number of times."""

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        gradient_x = upstream * torch.exp(-y)
        return gradient_x if needs_x else None, -x * gradient_x if needs_y else None


class DecayByVjp(Decay):
    """x · e^(-y), with its derivatives by torch from a reference. Differentiable any number of times."""

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, y = ctx.saved_tensors
        gradient_x = gradient_y = None
        # one call a gradient, so that the one that nobody wants costs nothing
        if ctx.needs_input_grad[0]:
            _, pull_back = torch.func.vjp(lambda x: references.decay(x, y), x)
            (gradient_x,) = pull_back(upstream)
        if ctx.needs_input_grad[1]:
            _, pull_back = torch.func.vjp(lambda y: references.decay(x, y), y)
            (gradient_y,) = pull_back(upstream)
        return gradient_x, gradient_y


WAYS = {"kernel": Decay, "torch": DecayByTorch, "vjp": DecayByVjp}


def decay(x: torch.Tensor, y: torch.Tensor, derivative: str = "kernel") -> torch.Tensor:
    """x · e^(-y) of two tensors of one shape, dtype (float32 or float64) and device.

    ``derivative`` is ``"kernel"`` (differentiable once), ``"torch"`` or ``"vjp"`` (any number of times).

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), for another dtype, and for an
    unknown ``derivative``.
    """
    check_inputs(x=x, y=y)
    return way_of(WAYS, derivative).apply(x, y)
