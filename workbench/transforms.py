"""What lets ``torch.func`` transform a Function whose work is done by kernels: its gradient, and its batches.

A gradient that kernels compute is an autograd.Function of its own, :class:`KernelGradient`. ``torch.func`` runs a
``backward`` on tensors that it has wrapped, whose memory no kernel can read; it unwraps them for the ``forward`` of a
Function. So ``torch.func.grad`` and ``torch.func.vmap`` work, and a second derivative has one place that refuses it.

A batch is the business of a rule, which a Function's ``vmap`` applies: :func:`by_rows` and :func:`one_by_one` here,
and ``batched`` in ``elementwise.py``. A rule gets what a ``vmap`` gets, after the function to batch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch


class KernelGradient(torch.autograd.Function):
    """The gradient ``compute(*inputs)``, which launches kernels; ``rule`` is how it is batched.

    It refuses to be differentiated: autograd cannot see into a kernel, and would take the gradient for a constant.
    """

    @staticmethod
    def forward(name: str, compute: Callable, rule: Callable, *inputs: torch.Tensor) -> torch.Tensor:
        return compute(*inputs)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple:
        raise RuntimeError(
            f"{ctx.name} has no second derivative: its gradient comes from a kernel, which autograd cannot see into"
        )

    @staticmethod
    def vmap(info, in_dims: tuple, name: str, compute: Callable, rule: Callable, *inputs: torch.Tensor) -> tuple:
        return rule(functools.partial(KernelGradient.apply, name, compute, rule), info, in_dims[3:], *inputs)


def batch_first(info: Any, in_dims: tuple, arguments: tuple) -> list:
    """The arguments, each tensor with the batch as its first dimension; one that has none is repeated along it."""
    moved = []
    for argument, dimension in zip(arguments, in_dims, strict=True):
        if isinstance(argument, torch.Tensor):
            batch = argument.expand(info.batch_size, *argument.shape) if dimension is None else argument
            argument = batch.movedim(dimension or 0, 0)
        moved.append(argument)
    return moved


def by_rows(rows: int, apply: Callable, info: Any, in_dims: tuple, *arguments: Any) -> tuple[Any, Any]:
    """The ``vmap`` of what treats rows apart: the rows of a batch, one after the other, are rows like any others.

    The first ``rows`` arguments and all outputs have a row for a first dimension. The other arguments are for all
    rows; where they differ along the batch, it is gone through one by one.
    """
    if any(dimension is not None for dimension in in_dims[rows:]):
        return one_by_one(apply, info, in_dims, *arguments)
    moved = batch_first(info, in_dims[:rows], arguments[:rows])
    batch = moved[0].shape[:2]
    output = apply(*(x.flatten(0, 1) for x in moved), *arguments[rows:])
    if isinstance(output, tuple):
        return tuple(x.unflatten(0, batch) for x in output), (0,) * len(output)
    return output.unflatten(0, batch), 0


def one_by_one(apply: Callable, info: Any, in_dims: tuple, *arguments: Any) -> tuple[Any, Any]:
    """The ``vmap`` of what has no better rule: a call for each of the batch, and their outputs stacked.

    Raises ValueError for a batch of none, since nothing would tell the outputs' shape.
    """
    if info.batch_size == 0:
        raise ValueError("vmap over a batch of size 0, and this function goes through its batch one by one")
    outputs = []
    for k in range(info.batch_size):
        chosen = zip(arguments, in_dims, strict=True)
        outputs.append(apply(*(x if dimension is None else x.select(dimension, k) for x, dimension in chosen)))
    if isinstance(outputs[0], tuple):
        return tuple(map(torch.stack, zip(*outputs, strict=True))), (0,) * len(outputs[0])
    return torch.stack(outputs), 0
