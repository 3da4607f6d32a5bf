"""The backward against differences of the function's own value."""

from __future__ import annotations

import math

import torch

from workbench.gradients.check import Check
from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.subject import Subject

FINEST = 1e-6
"""A fault that is smaller than this is not looked for here: a kink farther off than a step may look like one."""

UNCLEAR = 5e-4
"""A finite difference that is itself less certain than this decides nothing: a gradient 0.1 % off would pass."""


def against_differences(subject: Subject) -> list[Check]:
    """The backward against the function's own value, moved along each input's gradient with random weights."""
    inputs = subject.inputs(torch.float64)
    gradients = subject.gradients(subject.function, inputs, subject.upstream)[len(subject.outputs) :]
    upstream = subject.upstream
    points = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]

    def weighted(*moved: torch.Tensor) -> torch.Tensor:
        values = zip(upstream, subject.values(subject.function, moved), strict=True)
        return torch.cat([(u * value).flatten() for u, value in values if u is not None])

    checks = []
    for i, gradient in zip(subject.moving, gradients, strict=True):
        question = f"gradient by {subject.names[i]}, float64, against differences"
        weights = 0.5 + torch.rand(gradient.shape, generator=subject.generator, dtype=torch.float64)
        # along the gradient's own signs nothing cancels, so an error of any kind shows at its full size
        signs = torch.where(gradient < 0, -1.0, 1.0)
        direction = signs * weights.to(gradient.device)
        along = [direction if j == i else None for j in range(len(points))]
        claimed = float((gradient * direction).sum())
        if gradient.numel() == 0:
            checks.append(Check(question, "right", 0.0, 0.0, "relative"))
            continue
        if not math.isfinite(claimed):
            said = "the gradient holds NaN or infinity"
            checks.append(Check(question, "wrong", math.inf, 0.0, "relative", said=said))
            continue
        found = finite_difference(weighted, *points, scheme="richardson", direction=along)
        size = max(abs(claimed), abs(found.value))
        error = abs(claimed - found.value) / size if size else 0.0
        allowed = max(found.error / size, FINEST) if size else 0.0
        verdict = "right" if error <= allowed else "wrong"
        said = ""
        if not allowed <= UNCLEAR and not error > 10 * allowed:
            verdict = "unclear"
            said = f"the difference itself is uncertain by {allowed:.1g}; is there a kink or a step near this point?"
        elif verdict == "wrong":
            said = (
                f"the backward says {claimed:.8g} along a random direction, and differences of the value say "
                f"{found.value:.8g}{_ratio(claimed, found.value)}"
            )
        checks.append(Check(question, verdict, error, allowed, "relative", said=said))
    return checks


def _ratio(claimed: float, truth: float) -> str:
    return f": {claimed / truth:.6g} times that" if claimed and truth else ""
