"""Which elements a function treats apart from each other, found by moving some and watching the rest.

Of a function that treats the rows of its input apart, all rows can be differenced in one evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


def independent_dimensions(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, moved: torch.Tensor, value: torch.Tensor
) -> int:
    """How many leading dimensions ``function`` treats apart: all for an element-wise one, one for a batch of rows.

    ``value`` is ``function(x)``; ``moved`` is ``x`` with every element moved. The function treats k dimensions apart
    if input and output agree in them and output [i₁, …, iₖ, …] depends on input [i₁, …, iₖ, …] alone. Rows are moved by
    the bits of their number, first those with the bit and then those without, so that of any two rows each is once
    moved while the other stays; the outputs of those that stay must stay, to the last bit. That takes 2 log₂ rows
    evaluations. What is too weak to change a last bit here is too weak for a difference over the same step.
    """
    for k in range(_common(x.shape, value.shape), 0, -1):
        rows = math.prod(x.shape[:k])
        number = torch.arange(rows, device=x.device).view(*x.shape[:k], *[1] * (x.dim() - k))
        masks = ((number >> bit) % 2 == side for bit in range((rows - 1).bit_length()) for side in (0, 1))
        if all(_rest_stays(function(torch.where(mask, moved, x)), value, ~mask.flatten()) for mask in masks):
            return k
    return 0


def _common(one: torch.Size, other: torch.Size) -> int:
    k = 0
    while k < min(len(one), len(other)) and one[k] == other[k]:
        k += 1
    return k


def _rest_stays(after: torch.Tensor, before: torch.Tensor, rest: torch.Tensor) -> bool:
    if after.shape != before.shape:
        return False
    one, other = (t.reshape(len(rest), -1)[rest] for t in (after, before))
    return bool(((one == other) | (one.isnan() & other.isnan())).all())
