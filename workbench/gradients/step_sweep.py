"""The error of a difference against its step: a V, rounding on the left and truncation on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from workbench.gradients.finite_difference import finite_difference


@dataclass(frozen=True)
class StepSweep:
    """The relative error of a difference for each step, by dtype name. ``steps`` are absolute.

    ``chosen`` has, by dtype name, the step that ``finite_difference`` takes of itself and the relative error there.
    """

    scheme: str
    steps: tuple[float, ...]
    errors: dict[str, tuple[float, ...]]
    chosen: dict[str, tuple[float, float]]


def step_sweep(
    function: Callable[..., torch.Tensor],
    *inputs: torch.Tensor,
    gradient: Sequence[torch.Tensor],
    steps: Sequence[float],
    scheme: str = "central",
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
) -> StepSweep:
    """Sweep the step of a difference of ``function(*inputs).sum()`` and compare with the true ``gradient``.

    The difference is taken along the sign of the gradient, where the derivative is Σ |gradient|. ``gradient`` has a
    float64 tensor for each input. Raises ValueError if it is zero, which no error is relative to, and what
    ``finite_difference`` raises.
    """
    truth = sum(float(g.abs().sum()) for g in gradient)
    if truth == 0:
        raise ValueError("the gradient is zero, and an error is relative to it; sweep from another point")
    errors, chosen = {}, {}
    every = tuple(steps)
    for dtype in dtypes:
        points = [x.detach().to(dtype) for x in inputs]
        signs = [g.sign().to(dtype) for g in gradient]

        def found(step: float | None, points: list = points, signs: list = signs) -> tuple[float, float]:
            along = finite_difference(function, *points, scheme=scheme, step=step, direction=signs, errors=False)
            return along.step, abs(along.value - truth) / truth

        name = str(dtype).removeprefix("torch.")
        errors[name] = tuple(found(step)[1] for step in every)
        chosen[name] = found(None)
    return StepSweep(scheme, every, errors, chosen)
