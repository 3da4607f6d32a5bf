"""Losses whose value and gradient are kernels, each beside a reference in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench.losses import references
from workbench.losses.adaptive_robust import AdaptiveRobust, AdaptiveRobustByDifferences, adaptive_robust
from workbench.losses.cross_entropy import CrossEntropy, cross_entropy
from workbench.losses.squared_distance import SquaredDistance, squared_distance
from workbench.losses.squared_error import SquaredError, squared_error

__all__ = [
    "ALL",
    "AdaptiveRobust",
    "AdaptiveRobustByDifferences",
    "CrossEntropy",
    "Loss",
    "SquaredDistance",
    "SquaredError",
    "adaptive_robust",
    "cross_entropy",
    "squared_distance",
    "squared_error",
]


@dataclass(frozen=True)
class Loss:
    """A loss with what the tools need to try it: its reference and a maker of example inputs.

    ``example(device)`` returns inputs of a realistic size, float32, from a fixed seed, the differentiable ones
    requiring grad.
    """

    name: str
    summary: str
    function: Callable[..., torch.Tensor]
    reference: Callable[..., torch.Tensor]
    example: Callable[[torch.device], tuple[torch.Tensor, ...]]


def _two_vectors(device: torch.device) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 4096, generator=generator)
    return x.to(device).requires_grad_(), y.to(device).requires_grad_()


def _cross_entropy_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(512, 10, generator=generator)
    target = torch.randint(10, (512,), generator=generator)
    weight = torch.rand(10, generator=generator) + 0.5
    return logits.to(device).requires_grad_(), target.to(device), weight.to(device)


def _adaptive_robust_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    """Each element with a shape of its own, from 0.5 to 1.5 or from -0.5 to -1.5: at 0 the reference is 0/0."""
    generator = torch.Generator().manual_seed(0)
    residuals = 3 * torch.randn(4096, generator=generator)
    alpha = torch.rand(4096, generator=generator) + 0.5
    alpha[::2] *= -1
    scale = torch.rand(4096, generator=generator) + 0.5
    return tuple(x.to(device).requires_grad_() for x in (residuals, alpha, scale))


ALL = {
    loss.name: loss
    for loss in (
        Loss(
            "squared_error",
            "(x - y)², element by element",
            squared_error,
            references.squared_error,
            _two_vectors,
        ),
        Loss(
            "squared_distance",
            "Σ (x - y)², summed in the kernel",
            squared_distance,
            references.squared_distance,
            _two_vectors,
        ),
        Loss(
            "cross_entropy",
            "softmax cross entropy over class logits, with weights of classes and samples and label smoothing",
            cross_entropy,
            references.cross_entropy,
            _cross_entropy_example,
        ),
        Loss(
            "adaptive_robust",
            "Barron's general and adaptive robust loss, with a shape and a scale to choose or to learn",
            adaptive_robust,
            references.adaptive_robust,
            _adaptive_robust_example,
        ),
    )
}
"""Every loss, by the name that the command line knows it by."""
