"""Which elements are wrong, in words, where they follow one another."""

from __future__ import annotations

import torch


def pattern(wrong: torch.Tensor) -> str:
    """What the elements that ``wrong`` marks have in common, as in ", all from 256 on"; empty if it is not plain.

    It is for some of a tensor's elements, of which there are several: a run or every n-th of one dimension.
    """
    if not 1 < int(wrong.sum()) < wrong.numel():
        return ""
    for d in (d for d, size in enumerate(wrong.shape) if size > 1):
        rows = wrong.movedim(d, 0).flatten(1) if wrong.ndim > 1 else wrong[:, None]
        if torch.equal(rows.any(1), rows.all(1)):
            where = _run(rows.all(1).nonzero()[:, 0], len(rows))
            return f", {where}{f' in dimension {d}' if wrong.ndim > 1 else ''}" if where else ""
    return ""


def _run(indices: torch.Tensor, size: int) -> str:
    first, last = int(indices[0]), int(indices[-1])
    if len(indices) == 1:
        return f"all at {first:,}"
    steps = indices.diff()
    step = int(steps[0])
    if not (steps == step).all() or (step > 1 and len(indices) < 3):
        return ""
    which = "all" if step == 1 else f"one in {step:,}"
    if last + step >= size:
        return f"{which} from {first:,} on"
    return f"{which} up to {last:,}" if step == 1 and first == 0 else f"{which} from {first:,} to {last:,}"
