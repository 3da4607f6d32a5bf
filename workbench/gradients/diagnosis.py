"""How far two tensors are apart, and what kind of mistake would put them there."""

from __future__ import annotations

import math

import torch

from workbench.gradients.pattern import pattern


def ulps(got: torch.Tensor, truth: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The error of each element in units of ``dtype``'s machine epsilon, in float64.

    The unit is relative to the element, or to the root mean square of the whole tensor where that is larger: an element
    that cancels to nearly nothing is allowed the rounding of what it was made from. NaN becomes infinity; so does an
    infinity where the truth is finite.
    """
    got, truth = got.detach().double(), truth.detach().double()
    if truth.numel() == 0:
        return torch.zeros_like(truth)
    typical = truth.nan_to_num(0.0, 0.0, 0.0).square().mean().sqrt()
    unit = torch.finfo(dtype).eps * torch.maximum(truth.abs(), typical).clamp_min(torch.finfo(dtype).tiny)
    error = (got - truth).abs() / unit
    error[(got == truth) | (got.isnan() & truth.isnan())] = 0.0
    return error.nan_to_num(math.inf, math.inf)


def how_many(wrong: torch.Tensor, of: str = "", verbs: tuple[str, str] = ("is wrong", "are wrong")) -> str:
    """How many elements ``wrong`` marks, with the verb that one or several of them take, and which they are."""
    count = int(wrong.sum())
    return f"{count:,} of {wrong.numel():,} elements{of} {verbs[count != 1]}{pattern(wrong)}"


def counted(count: int, noun: str) -> str:
    """The count before its noun, as in "1 row" and "0 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def diagnose(
    got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor, counts: dict[str, int], unscaled: torch.Tensor | None
) -> str:
    """A sentence on what is wrong with ``got``, where ``wrong`` marks its wrong elements.

    ``counts`` names the numbers of elements that a reduction may have divided by. ``unscaled`` is the true gradient
    for an upstream gradient of ones, if ``got`` is a gradient.
    """
    got, truth = got.detach().double(), truth.detach().double()
    where = tuple(int(k) for k in wrong.nonzero()[0])
    place = f"at {list(where)} " if where else ""
    at = f"{place}it is {float(got[where]):.6g} and should be {float(truth[where]):.6g}"
    amount = at if wrong.numel() == 1 else f"{how_many(wrong)}; {at}"
    missing = got.isnan() & ~truth.isnan()
    if missing.any():
        first = f", the first at {missing.nonzero()[0].tolist()}" if where else ""
        count = f"NaN in {int(missing.sum()):,} of {got.numel():,} elements"
        return f"{count}{pattern(missing) or first}: an element that no thread wrote, 0/0, or inf - inf"
    if unscaled is not None and bool((ulps(got, unscaled, torch.float32) < 16).all()):
        return f"the upstream gradient is ignored: multiply by it ({amount})"
    ratio = _common_ratio(got, truth)
    if ratio is not None and abs(ratio - 1) <= 1e-4:
        off = f"it is off by {float((got - truth).norm() / truth.norm()):.1g} of its norm"
        where_lost = f"in {int(wrong.sum()):,} of {wrong.numel():,} elements"
        return f"the last digits are lost {where_lost}, as by differences or in a lower precision: {off}"
    if ratio is None:
        return amount
    # what is true of every element needs no count of them
    return f"{_meaning(ratio, counts)} ({at if wrong.all() else amount})"


def _common_ratio(got: torch.Tensor, truth: torch.Tensor) -> float | None:
    """The one number that got / truth is everywhere, if there is one."""
    clear = truth.abs() > 1e-3 * truth.abs().max()
    if not clear.any():
        return None
    ratios = got[clear] / truth[clear]
    middle = float(ratios.median())
    spread = float((ratios - middle).abs().max())
    if not math.isfinite(middle) or spread > 1e-4 * abs(middle):
        return None
    # what is zero, or nearly, has no clear ratio, but must not contradict it
    rest = (got - middle * truth)[~clear].abs()
    return middle if not rest.numel() or float(rest.max()) <= 1e-5 * abs(middle) * float(truth.abs().max()) else None


def _meaning(ratio: float, counts: dict[str, int]) -> str:
    def is_near(value: float) -> bool:
        return abs(ratio - value) <= 1e-4 * abs(value)

    if ratio == 0:
        return "it is zero everywhere: is it detached, or never written?"
    if is_near(-1):
        return "the sign is flipped: every element is -1 times what it should be"
    for name, n in counts.items():
        if n > 1 and is_near(n):
            return f"a factor 1/{n:,} is missing, as of a mean over {name}: every element is {n:,} times too large"
        if n > 1 and is_near(1 / n):
            return f"a factor 1/{n:,} too many, as of a mean over {name} taken once too often"
    if is_near(2):
        return "a factor 2 too many: every element is twice what it should be"
    if is_near(0.5):
        return "a factor 2 is missing: every element is half of what it should be"
    return f"every element is {ratio:.6g} times what it should be"
