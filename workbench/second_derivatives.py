"""Refuse a second derivative, where a backward launches kernels that autograd cannot see into.

Without it autograd takes such a gradient for a constant, and a gradient penalty silently loses its term. torch's own
``once_differentiable`` does not help where the upstream gradient is a constant, as after ``.sum()``: it looks at the
upstream gradient only, and the gradient depends on the saved tensors too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch


def once_differentiable(backward: Callable) -> Callable:
    """A decorator for the ``backward`` of an autograd.Function, under ``@staticmethod``.

    The backward runs without autograd. Where a graph of it is wanted (``create_graph=True``), its gradients can be
    used, and raise RuntimeError when they are differentiated by something that they come from: the upstream gradients,
    the tensors that ``ctx.save_for_backward`` was given, and the leaves that the inputs were computed from. Not
    noticed is a derivative by an input that is neither a leaf nor saved.
    """

    @functools.wraps(backward)
    def refusing(ctx: Any, *upstream: torch.Tensor | None) -> Any:
        with torch.no_grad():
            gradients = backward(ctx, *upstream)
        if not torch.is_grad_enabled():
            return gradients
        name = backward.__qualname__.rpartition(".")[0] or backward.__qualname__
        # what forward computed and saved, or kept as an attribute, does not lead back to its inputs; the leaves do
        known = (*ctx.saved_tensors, *upstream, *_leaves(ctx))
        sources = [x for x in known if isinstance(x, torch.Tensor) and x.requires_grad]
        several = gradients if isinstance(gradients, tuple) else (gradients,)
        marked = tuple(_Refusal.apply(name, g, *sources) if isinstance(g, torch.Tensor) else g for g in several)
        return marked if isinstance(gradients, tuple) else marked[0]

    return refusing


def _leaves(node: Any) -> list[torch.Tensor]:
    """The tensors that the inputs of a graph's node were computed from, and whose gradients accumulate."""
    found, seen, waiting = [], set(), [node]
    while waiting:
        for before, _ in getattr(waiting.pop(), "next_functions", ()):
            if before is not None and before not in seen:
                seen.add(before)
                waiting.append(before)
                found += [before.variable] if hasattr(before, "variable") else []
    return found


class _Refusal(torch.autograd.Function):
    """The gradient as it is, depending on its sources."""

    @staticmethod
    def forward(name: str, gradient: torch.Tensor, *sources: torch.Tensor) -> torch.Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple:
        raise RuntimeError(
            f"{ctx.name} has no second derivative: its backward is marked @once_differentiable, since autograd cannot "
            "see what it does"
        )
