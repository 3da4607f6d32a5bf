"""What the patterns that work element by element share: how a kernel is launched, batched and checked.

A gradient that a kernel computes is an autograd.Function of its own, :class:`KernelGradient`. ``torch.func`` runs a
``backward`` on tensors that it has wrapped, whose memory no kernel can read; it unwraps them for the ``forward`` of a
Function. So ``torch.func.grad`` and ``torch.func.vmap`` work, and a second derivative has one place that refuses it.

Kernels take their constants from the output, as in ``one = value.dtype.type(1)``: Numba computes a float32 plus a
Python number in float64, which many GPUs do at a fraction of the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from workbench.launch import blocks, launch
from workbench.losses.arguments import check_floating, check_same

BLOCK = 256


def check_inputs(**tensors: torch.Tensor) -> None:
    """Raise ValueError unless the tensors are float32 or float64 and have one shape, dtype and device."""
    (first_name, first), *others = tensors.items()
    check_floating(first_name, first, "this function")
    for name, tensor in others:
        check_same(first_name, first, name, tensor, "this function")


def way_of(ways: Mapping[str, type], derivative: str) -> type:
    """The autograd.Function that goes by this name. Raises ValueError for a name that none goes by."""
    if derivative not in ways:
        raise ValueError(f"derivative={derivative!r} is none of {', '.join(map(repr, ways))}")
    return ways[derivative]


def run(kernel: Any, *inputs: torch.Tensor, constants: tuple = (), outputs: int = 1) -> tuple[torch.Tensor, ...]:
    """Launch ``kernel(*inputs, *constants, *outputs)``, one thread an element, and return the outputs.

    The inputs are of one shape and reach the kernel flat, [n]; one that is not contiguous is laid out anew. The
    outputs are new, of that shape and of the first input's dtype. ``constants`` reach the kernel as they are.
    """
    first = inputs[0]
    made = tuple(torch.empty(first.shape, dtype=first.dtype, device=first.device) for _ in range(outputs))
    flat = (x.reshape(-1) for x in inputs)
    launch(kernel[blocks(first.numel(), BLOCK), BLOCK], *flat, *constants, *(x.view(-1) for x in made))
    return made


def batched(apply: Callable, info: Any, in_dims: tuple, *arguments: Any) -> tuple[Any, Any]:
    """The ``vmap`` of a Function that works element by element: the batch is one dimension more.

    Tensors that have no batch are repeated along it; other arguments pass as they are.
    """
    moved = []
    for argument, dimension in zip(arguments, in_dims, strict=True):
        if isinstance(argument, torch.Tensor):
            batch = argument.expand(info.batch_size, *argument.shape) if dimension is None else argument
            argument = batch.movedim(dimension or 0, 0)
        moved.append(argument)
    output = apply(*moved)
    return output, (0,) * len(output) if isinstance(output, tuple) else 0


class KernelGradient(torch.autograd.Function):
    """A gradient that a kernel computes from tensors of one shape, the upstream gradient among them.

    It refuses to be differentiated: autograd cannot see into a kernel, and would take the gradient for a constant.
    """

    @staticmethod
    def forward(name: str, kernel: Any, constants: tuple, *inputs: torch.Tensor) -> torch.Tensor:
        return run(kernel, *inputs, constants=constants)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple:
        raise RuntimeError(
            f"{ctx.name} has no second derivative: its gradient comes from a kernel, which autograd cannot see into"
        )

    @staticmethod
    def vmap(info, in_dims: tuple, name: str, kernel: Any, constants: tuple, *inputs: torch.Tensor) -> tuple:
        def gradient(*inputs: torch.Tensor) -> torch.Tensor:
            return KernelGradient.apply(name, kernel, constants, *inputs)

        return batched(gradient, info, in_dims[3:], *inputs)


def kernel_gradient(name: str, kernel: Any, *inputs: torch.Tensor, constants: tuple = ()) -> torch.Tensor:
    """The gradient that ``kernel(*inputs, *constants, gradient)`` computes, one thread an element.

    ``name`` is the function's, for the message that refuses a second derivative.
    """
    return KernelGradient.apply(name, kernel, constants, *inputs)
