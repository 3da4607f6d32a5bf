"""The exercise of the notebook that one starts with."""

from __future__ import annotations

import torch

from workbench.course.function_exercise import FunctionExercise


def _two(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = 2 * torch.randn(2, n, generator=torch.Generator().manual_seed(n))
    return x.requires_grad_(), y


EXERCISES = (
    FunctionExercise(
        name="huber",
        task="Mend `huber_gradient_kernel`, so that the gradient by x is 1 or -1 where |x - y| > 1.",
        inputs=_two,
        reference=lambda x, y: torch.nn.functional.huber_loss(x, y, reduction="none"),
    ),
)
