"""sin² x, element by element: what to save for backward, and its derivative in three ways.

The derivative 2 sin x cos x is sin 2x, and needs x. Saving sin x instead does not do: its cosine is cos(sin x), and
√(1 - sin² x) has lost the sign of cos x. What the three ways are is told in ``activation.py``. In the kernels, i
counts elements.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.patterns import references
from workbench.patterns.arguments import check_inputs, way_of


@cuda.jit(device=True)
def sine_squared_value(x):
    """sin² x"""
    sine = math.sin(x)
    return sine * sine


@cuda.jit(device=True)
def sine_squared_derivative(x):
    """2 sin x cos x = sin 2x, of which x + x is exact"""
    return math.sin(x + x)


@cuda.jit
def sine_squared_kernel(x, value):
    """value = sin² x, with x and value [n].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = sine_squared_value(x[i])


@cuda.jit
def sine_squared_gradient_kernel(x, upstream, gradient):
    """The derivative times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = sine_squared_derivative(x[i]) * upstream[i]


class SineSquared(Elementwise):
    """sin² x, with its derivative by a kernel. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return run(sine_squared_kernel, x)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return kernel_gradient("sine_squared", sine_squared_gradient_kernel, x, upstream)


class SineSquaredByTorch(SineSquared):
    """sin² x, with its derivative by torch operations. Differentiable any number of times."""

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return upstream * torch.sin(2 * x)


class SineSquaredByVjp(SineSquared):
    """sin² x, with its derivative by torch from a reference. Differentiable any number of times."""

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        _, pull_back = torch.func.vjp(references.sine_squared, x)
        return pull_back(upstream)[0]


WAYS = {"kernel": SineSquared, "torch": SineSquaredByTorch, "vjp": SineSquaredByVjp}


def sine_squared(x: torch.Tensor, derivative: str = "kernel") -> torch.Tensor:
    """sin² x of each element of a tensor of float32 or float64.

    ``derivative`` is ``"kernel"`` (differentiable once), ``"torch"`` or ``"vjp"`` (any number of times).

    Raises ValueError for another dtype and for an unknown ``derivative``.
    """
    check_inputs(x=x)
    return way_of(WAYS, derivative).apply(x)
