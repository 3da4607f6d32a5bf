"""Functions that work element by element: how their kernels are launched, batched and taken for a gradient.

Kernels take their constants from the output, as in ``one = value.dtype.type(1)``: Numba computes a float32 plus a
Python number in float64, which many GPUs do at a fraction of the speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workbench.launch import blocks, launch
from workbench.transforms import KernelGradient, batch_first

BLOCK = 256


class Elementwise(torch.autograd.Function):
    """A Function of tensors of one shape that treats their elements apart, so that ``torch.func`` can batch it."""

    @classmethod
    def vmap(cls, info, in_dims: tuple, *arguments: Any) -> tuple[Any, Any]:
        return batched(cls.apply, info, in_dims, *arguments)


def run(kernel: Any, *inputs: torch.Tensor, constants: tuple = (), outputs: int = 1) -> tuple[torch.Tensor, ...]:
    """Launch ``kernel(*inputs, *constants, *outputs)``, one thread an element, and return the outputs.

    The inputs are of one shape and reach the kernel flat, [n]; one that is not contiguous is laid out anew, unless it
    is one number expanded. The outputs are new, of that shape and of the first input's dtype. ``constants`` reach the
    kernel as they are.
    """
    first = inputs[0]
    made = tuple(torch.empty(first.shape, dtype=first.dtype, device=first.device) for _ in range(outputs))
    flat = (x.reshape(-1) for x in inputs)
    launch(kernel[blocks(first.numel(), BLOCK), BLOCK], *flat, *constants, *(x.view(-1) for x in made))
    return made


def batched(apply: Callable, info: Any, in_dims: tuple, *arguments: Any) -> tuple[Any, Any]:
    """The ``vmap`` of what works element by element: the batch is one dimension more."""
    output = apply(*batch_first(info, in_dims, arguments))
    return output, (0,) * len(output) if isinstance(output, tuple) else 0


def kernel_gradient(name: str, kernel: Any, *inputs: torch.Tensor, constants: tuple = ()) -> torch.Tensor:
    """The gradient that ``kernel(*inputs, *constants, gradient)`` computes, one thread an element.

    ``name`` is the function's, for the message that refuses a second derivative.
    """

    def compute(*inputs: torch.Tensor) -> torch.Tensor:
        return run(kernel, *inputs, constants=constants)[0]

    return KernelGradient.apply(name, compute, batched, *inputs)
