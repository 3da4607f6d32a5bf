"""Derivatives from values alone: differences over a small step.

A step too large cuts the function's curve off (truncation); a step too small drowns in the value's last digits
(rounding). For a central difference of a function of scale one the two meet near ε^(1/3), where ε is the dtype's
machine epsilon; extrapolated once (Richardson), near ε^(1/5). See W. H. Press et al., Numerical Recipes, 3rd edition
(2007), section 5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class DirectionalDerivative:
    """A derivative along a direction: its value, an estimate of its error, and the step that gave it."""

    value: float
    error: float
    step: float


def directional_derivative(
    function: Callable[..., torch.Tensor], inputs: Sequence[torch.Tensor], direction: Sequence[torch.Tensor | None]
) -> DirectionalDerivative:
    """The derivative of the sum of ``function(*inputs)`` along ``direction``, from five values of it.

    ``direction`` holds a tensor of its input's shape for each input that moves, and None for the others. Two central
    differences, over a step and over half of it, are extrapolated to step zero. What bounds the error: how much the two
    differ; a kink, where the slopes on both sides differ by as much over half the step as over all of it; and the
    rounding of the points and of the values.
    """
    moving = [(x, v) for x, v in zip(inputs, direction, strict=True) if v is not None]
    epsilon = torch.finfo(moving[0][0].dtype).eps
    largest = max(float(x.abs().max()) if x.numel() else 0.0 for x, _ in moving)
    step = epsilon**0.2 * max(1.0, largest**0.5)

    def at(distance: float) -> tuple[float, float]:
        moved = [x if v is None else x + distance * v for x, v in zip(inputs, direction, strict=True)]
        with torch.no_grad():
            value = function(*moved)
        return float(value.sum()), float(value.abs().sum())

    (here, size), (plus, _), (minus, _), (half_plus, _), (half_minus, _) = map(
        at, (0, step, -step, step / 2, -step / 2)
    )
    whole = (plus - minus) / (2 * step)
    half = (half_plus - half_minus) / step
    bend = (plus - 2 * here + minus) / step
    half_bend = (half_plus - 2 * here + half_minus) / (step / 2)
    kink = abs(bend - 2 * half_bend)  # of a smooth function the bend halves with the step
    rounding = 4 * epsilon * (size + abs(half) * largest) / step
    return DirectionalDerivative((4 * half - whole) / 3, abs(whole - half) + kink + rounding, step)


@dataclass(frozen=True)
class StepSweep:
    """The relative error of a central difference for each step, by dtype name. ``steps`` are absolute."""

    steps: tuple[float, ...]
    errors: dict[str, tuple[float, ...]]


def step_sweep(
    function: Callable[..., torch.Tensor],
    *inputs: torch.Tensor,
    gradient: Sequence[torch.Tensor],
    steps: Sequence[float],
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
) -> StepSweep:
    """Sweep the step of a central difference of the scalar ``function`` and compare with the true ``gradient``.

    The difference is taken along the sign of the gradient, where the derivative is Σ |gradient|. ``gradient`` has a
    float64 tensor for each input.
    """
    truth = sum(float(g.abs().sum()) for g in gradient)
    errors = {}
    for dtype in dtypes:
        points = [x.detach().to(dtype) for x in inputs]
        signs = [g.sign().to(dtype) for g in gradient]
        row = []
        for step in steps:
            with torch.no_grad():
                plus = function(*(x + step * v for x, v in zip(points, signs, strict=True)))
                minus = function(*(x - step * v for x, v in zip(points, signs, strict=True)))
            row.append(abs(float(plus - minus) / (2 * step) - truth) / truth)
        errors[str(dtype).removeprefix("torch.")] = tuple(row)
    return StepSweep(tuple(steps), errors)
