"""eˣ, element by element: one input, one output, and the output is what backward needs.

The derivative of eˣ is eˣ, so the output is saved and not the input: backward then computes no exponential again. In
the kernel, i counts elements.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.elementwise import Elementwise, run
from workbench.patterns.arguments import check_inputs


@cuda.jit
def exponential_kernel(x, value):
    """value = eˣ, with x and value [n].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = math.exp(x[i])


class Exponential(Elementwise):
    """eˣ for a tensor x. Differentiable any number of times.

    The gradient is one product, which torch computes and differentiates: through the upstream gradient, and through
    the saved output, which is this Function's own and leads back to x.
    """

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return run(exponential_kernel, x)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        (value,) = ctx.saved_tensors
        return upstream * value


def exponential(x: torch.Tensor) -> torch.Tensor:
    """eˣ of each element of a tensor of float32 or float64, as ``torch.exp``. Differentiable any number of times.

    As after ``torch.exp``, a result that is changed in place has no gradient any more, and torch says so. Raises
    ValueError for another dtype.
    """
    check_inputs(x=x)
    return Exponential.apply(x)
