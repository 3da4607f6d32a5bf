"""The backward against differences of the function's own value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from workbench.gradients.check import Check
from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.questions.elements import wrong_elements
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
        direction = torch.where(gradient < 0, -1.0, 1.0) * weights.to(gradient.device)
        if gradient.numel() == 0:
            checks.append(Check(question, "right", 0.0, 0.0, "relative"))
            continue
        if not gradient.isfinite().all():
            said = "the gradient holds NaN or infinity"
            checks.append(Check(question, "wrong", math.inf, 0.0, "relative", said=said))
            continue
        checks.append(_Comparison(weighted, points, i, gradient, direction).check(question))
    return checks


class _Comparison:
    """What the gradient by input ``i`` says of a move, and what differences of the value say of it."""

    def __init__(
        self, weighted: Callable, points: Sequence, i: int, gradient: torch.Tensor, direction: torch.Tensor
    ) -> None:
        self.weighted, self.points, self.i = weighted, points, i
        self.gradient, self.direction = gradient, direction

    def along(self, direction: torch.Tensor) -> tuple[str, float, float, float, float]:
        """Verdict, relative error and what is allowed of it, and the derivative as the gradient and differences say."""
        claimed = float((self.gradient * direction).sum())
        moves = [direction if j == self.i else None for j in range(len(self.points))]
        found = finite_difference(self.weighted, *self.points, scheme="richardson", direction=moves)
        size = max(abs(claimed), abs(found.value))
        error = abs(claimed - found.value) / size if size else 0.0
        allowed = max(found.error / size, FINEST) if size else 0.0
        verdict = "right" if error <= allowed else "wrong"
        if not allowed <= UNCLEAR and not error > 10 * allowed:
            verdict = "unclear"
        return verdict, error, allowed, claimed, found.value

    def of_elements(self, chosen: torch.Tensor) -> tuple[float, float] | None:
        """The two derivatives where the elements of these flat indices alone move, if they disagree.

        For a single element they are the derivatives by it.
        """
        some = torch.zeros_like(self.direction).flatten()
        some[chosen] = self.direction.flatten()[chosen]
        verdict, *_, claimed, found = self.along(some.view(self.direction.shape))
        if verdict != "wrong":
            return None
        scale = float(some[chosen]) if len(chosen) == 1 else 1.0
        return claimed / scale, found / scale

    def check(self, question: str) -> Check:
        verdict, error, allowed, claimed, found = self.along(self.direction)
        said = ""
        if verdict == "unclear":
            said = f"the difference itself is uncertain by {allowed:.1g}; is there a kink or a step near this point?"
        elif verdict == "wrong":
            ratio = f": {claimed / found:.6g} times that" if claimed and found else ""
            said = (
                f"the backward says {claimed:.8g} along a random direction, and differences of the value say "
                f"{found:.8g}{ratio}"
            )
            elements = wrong_elements(self.of_elements, self.gradient.shape)
            said += f"; {elements}" if elements else ""
        return Check(question, verdict, error, allowed, "relative", said=said)
