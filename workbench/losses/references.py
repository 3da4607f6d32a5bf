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
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None, reduction: str = "mean"
) -> torch.Tensor:
    """w[t] · (log Σ exp z - z[t]) for each row z of the logits with target t, reduced as ``reduction`` says."""
    weights = torch.ones_like(logits[0]) if weight is None else weight
    row_weight = weights[target]
    loss = row_weight * (torch.logsumexp(logits, 1) - logits.gather(1, target[:, None])[:, 0])
    if reduction == "mean":
        return loss.sum() / row_weight.sum()
    return loss if reduction == "none" else loss.sum()
