"""The activation σ(x) · (1 + eˣ)^-½, element by element, whose derivative is found in three ways.

With σ(x) = eˣ / (1 + eˣ) the value is f(x) = eˣ (1 + eˣ)^(-3/2), and f'(x) = f(x) (1 - 3/2 σ(x)). Neither is computed
as written: eˣ overflows. The kernels use the exponential that is at most 1 on either side of zero. In them, i counts
elements.

The three ways differ in ``backward`` alone. By a kernel the derivative is worked out by hand, fast, and good for one
derivative. By torch operations it is worked out by hand as well, and autograd differentiates those operations again.
By ``torch.func.vjp`` nobody works it out: torch differentiates a reference in plain torch, as often as is wanted.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.patterns import references
from workbench.patterns.arguments import check_inputs, way_of


@cuda.jit(device=True)
def activation_value(x, one):
    """eˣ (1 + eˣ)^(-3/2), which for positive x is e^(-x/2) (1 + e^-x)^(-3/2)."""
    exponent = x if x < 0 else -x / (one + one)
    denominator = one + math.exp(-abs(x))
    return math.exp(exponent) / (denominator * math.sqrt(denominator))


@cuda.jit(device=True)
def activation_derivative(x, one):
    """f(x) (1 - 3/2 σ(x)), with the parenthesis written over one denominator, where fewer digits cancel."""
    small = math.exp(-abs(x))
    half = one / (one + one)
    numerator = one - small * half if x < 0 else small - half
    return activation_value(x, one) * (numerator / (one + small))


@cuda.jit
def activation_kernel(x, value):
    """value = σ(x) · (1 + eˣ)^-½, with x and value [n].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = activation_value(x[i], value.dtype.type(1))


@cuda.jit
def activation_gradient_kernel(x, upstream, gradient):
    """The derivative times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = activation_derivative(x[i], gradient.dtype.type(1)) * upstream[i]


class Activation(Elementwise):
    """The activation, with its derivative by a kernel. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return run(activation_kernel, x)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return kernel_gradient("activation", activation_gradient_kernel, x, upstream)


class ActivationByTorch(Activation):
    """The activation, with its derivative by torch operations. Differentiable any number of times."""

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        x, value = ctx.saved_tensors
        return upstream * value * (1 - 1.5 * torch.sigmoid(x))


class ActivationByVjp(Activation):
    """The activation, with its derivative by torch from a reference. Differentiable any number of times."""

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        _, pull_back = torch.func.vjp(references.activation, x)
        return pull_back(upstream)[0]


WAYS = {"kernel": Activation, "torch": ActivationByTorch, "vjp": ActivationByVjp}


def activation(x: torch.Tensor, derivative: str = "kernel") -> torch.Tensor:
    """σ(x) · (1 + eˣ)^-½ of each element of a tensor of float32 or float64.

    ``derivative`` is ``"kernel"`` (differentiable once), ``"torch"`` or ``"vjp"`` (any number of times). The value
    and the gradient stay finite and right for large x of either sign.

    Raises ValueError for another dtype and for an unknown ``derivative``.
    """
    check_inputs(x=x)
    return way_of(WAYS, derivative).apply(x)
