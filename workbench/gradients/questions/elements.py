"""Which elements of a gradient disagree with differences of the value, found by moving some of them and not others."""

from __future__ import annotations

from collections.abc import Callable

import torch

LOOKED_AT = 64
"""Elements that are moved one by one, at most; of more than that, these lie evenly over the tensor."""

WORK = 1 << 22
"""Elements to evaluate for those that are looked at, about: of a large tensor there are fewer, but at least four."""

Disagreement = Callable[[torch.Tensor], tuple[float, float] | None]
"""Of flat indices: what the gradient and what differences say of a move of these elements, where the two disagree."""


def wrong_elements(disagreement: Disagreement, shape: torch.Size) -> str:
    """How many elements disagree, which is the first, and by how much; empty if none does by itself.

    The move of all elements together disagrees. The first is found by halving: of two halves the first that disagrees.
    """
    n = shape.numel()
    count = min(n, LOOKED_AT, max(4, WORK // n))
    looked_at = torch.linspace(0, n - 1, count, dtype=torch.float64).round().long()
    wrong = [k for k in looked_at.tolist() if disagreement(torch.tensor([k]))]
    first = min(wrong, default=n)
    if n > count:
        first = min(first, _halved(disagreement, n))
    pair = disagreement(torch.tensor([first])) if first < n else None
    if n == 1 or pair is None:
        return ""
    claimed, found = pair
    ratio = f", {claimed / found:.6g} times that" if claimed and found else ""
    at = [int(k) for k in torch.unravel_index(torch.tensor(first), shape)]
    of = f"{n:,} elements" if n <= count else f"{count} elements looked at, among {n:,},"
    how = f"{len(wrong):,} of {of} {'is' if len(wrong) == 1 else 'are'} wrong; the first is"
    if not wrong:
        how = f"none of {of} is wrong; halving finds one"
    return f"{how} at {at}, where the backward says {claimed:.6g} and differences say {found:.6g}{ratio}"


def _halved(disagreement: Disagreement, n: int) -> int:
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if disagreement(torch.arange(low, middle)):
            high = middle
        else:
            low = middle
    return low
