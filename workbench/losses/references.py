"""The losses in plain torch, for audits and benchmarks to compare with. Nothing here knows of a kernel.

Written from the formulas and not by calling torch's own losses, so that they are a second opinion on those too.
"""

from __future__ import annotations

import torch


def squared_error(x: torch.Tensor, y: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """(x - y)², reduced as ``reduction`` says."""
    loss = (x - y) ** 2
    return loss if reduction == "none" else getattr(loss, reduction)()


def squared_distance(x: torch.Tensor, y: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Σ (x - y)², divided by the number of elements for ``"mean"``."""
    total = ((x - y) ** 2).sum()
    return total / x.numel() if reduction == "mean" else total


def cross_entropy(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: str = "mean",
    *,
    sample_weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """-Σ q[c] w[c] log softmax(z)[c] for each row z of the logits, where q is the smoothed target.

    q is 1 - ε at the target and ε / classes more at every class. Rows of ``ignore_index`` are 0, each row is multiplied
    by its sample weight, and the mean is divided by the class weights of the targets that are not ignored.
    """
    weights = logits.new_ones(logits.shape[1]) if weight is None else weight
    counted = target != ignore_index
    classes = target.where(counted, 0)
    surprise = weights * (torch.logsumexp(logits, 1, keepdim=True) - logits)
    loss = (1 - label_smoothing) * surprise.gather(1, classes[:, None])[:, 0]
    if label_smoothing:
        loss = loss + label_smoothing * surprise.mean(1)
    loss = loss.where(counted, 0)
    if sample_weight is not None:
        loss = loss * sample_weight
    if reduction == "mean":
        return loss.sum() / weights[classes].where(counted, 0).sum()
    return loss if reduction == "none" else loss.sum()


def adaptive_robust(x: torch.Tensor, alpha: torch.Tensor, scale: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Barron's ρ(x, α, c) as its equation 8 has it, for finite α other than 0 and 2, reduced as ``reduction`` says."""
    b = (alpha - 2).abs()
    loss = b / alpha * (((x / scale) ** 2 / b + 1) ** (alpha / 2) - 1)
    return loss if reduction == "none" else getattr(loss, reduction)()
