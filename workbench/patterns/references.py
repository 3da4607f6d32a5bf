"""The patterns in plain torch, for audits to compare with and for ``torch.func.vjp`` to differentiate.

Nothing here knows of a kernel.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def exponential(x: torch.Tensor) -> torch.Tensor:
    """eˣ"""
    return torch.exp(x)


def two_outputs(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x² + y² and x · y"""
    return x**2 + y**2, x * y


def positive_part(x: torch.Tensor) -> torch.Tensor:
    """Σ max(x, 0)"""
    return torch.relu(x).sum()


def activation(x: torch.Tensor) -> torch.Tensor:
    """σ(x) · (1 + eˣ)^-½, whose second factor is the root of σ(-x); through its logarithm, nothing overflows."""
    return torch.sigmoid(x) * torch.exp(0.5 * functional.logsigmoid(-x))


def decay(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x · e^(-y)"""
    return x * torch.exp(-y)


def sine_squared(x: torch.Tensor) -> torch.Tensor:
    """sin² x"""
    return torch.sin(x) ** 2


def gaussian_integral(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The integral of exp(-a t²) over t from 0 to x, by the error function: √(π/a) / 2 · erf(√a x), for a > 0."""
    return 0.5 * torch.sqrt(math.pi / a) * torch.erf(torch.sqrt(a) * x)


def straight_through_round(x: torch.Tensor) -> torch.Tensor:
    """x rounded, as x plus a constant: its gradient is that of x."""
    return x + (torch.round(x) - x).detach()


def soft_round(x: torch.Tensor, temperature: float = 0.3) -> torch.Tensor:
    """⌊x⌋ + ½ + tanh(r / T) / (2 tanh(1 / 2T)) with r = x - ⌊x⌋ - ½"""
    middle = torch.floor(x) + 0.5
    return middle + torch.tanh((x - middle) / temperature) / (2 * math.tanh(0.5 / temperature))


def rounding_penalty(
    x: torch.Tensor, target: torch.Tensor, weight: float = 0.5, reduction: str = "mean"
) -> torch.Tensor:
    """|x - target| + weight · |x - round(x)|, reduced as ``reduction`` says."""
    loss = torch.abs(x - target) + weight * torch.abs(x - torch.round(x))
    return loss if reduction == "none" else getattr(loss, reduction)()
