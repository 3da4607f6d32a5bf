"""Whether what an answer computed is right, and if not, in which way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workbench.course.exercise import Wrong
from workbench.gradients.diagnosis import diagnose, how_many, ulps


@dataclass(frozen=True)
class Mistake:
    """A mistake that readers make: ``computes`` takes a case's inputs and returns what comes of it."""

    computes: Callable[..., Any]
    said: str


def compare(
    names: Sequence[str],
    got: Sequence[torch.Tensor],
    inputs: Sequence[Any],
    reference: Callable[..., Any],
    mistakes: Sequence[Mistake],
    allowed: float,
    where: str,
) -> None:
    """Raise Wrong unless ``got`` is what the reference makes of the inputs in float64, to so many ulps.

    ``where`` begins the sentence. A mistake of which the same would come is named.
    """
    inputs = tuple(_precise(value) for value in inputs)
    truths = _several(reference(*inputs))
    for name, mine, truth in zip(names, got, truths, strict=True):
        wrong = _wrong(mine, truth, allowed)
        if wrong.any():
            said = [f"{where}, {name}: {_difference(mine, truth, wrong)}"]
            said += [one.said for one in mistakes if _same(got, _several(one.computes(*inputs)), allowed)][:1]
            raise Wrong(*said)


def _precise(value: Any) -> Any:
    is_real = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.detach().double() if is_real else value


def _several(values: Any) -> tuple[torch.Tensor, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _wrong(got: torch.Tensor, truth: torch.Tensor, allowed: float) -> torch.Tensor:
    """Which elements are wrong."""
    if got.shape != truth.shape:
        raise Wrong(f"the result has shape {tuple(got.shape)} and should have {tuple(truth.shape)}")
    if not got.is_floating_point():
        return got != truth
    return ulps(got, truth, got.dtype) > allowed


def _difference(got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor) -> str:
    if got.is_floating_point():
        return diagnose(got, truth, wrong, {"the elements": got.numel()}, None) + "."
    index = tuple(int(k) for k in wrong.nonzero()[0])
    return f"{how_many(wrong)}; at {list(index)} it is {got[index]:,} and should be {int(truth[index]):,}."


def _same(got: Sequence[torch.Tensor], other: Sequence[torch.Tensor], allowed: float) -> bool:
    pairs = list(zip(got, other, strict=True))
    return all(a.shape == b.shape for a, b in pairs) and not any(_wrong(a, b, allowed).any() for a, b in pairs)
