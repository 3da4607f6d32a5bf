"""The exercises on the audit: gradients to mend by what it says of them."""

from __future__ import annotations

import torch

from workbench.course.function_exercise import FunctionExercise
from workbench.course.value_exercise import ValueExercise


def _values(n: int) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(n)).requires_grad_()


def _values_and_weights(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return _values(n), (0.5 + torch.rand(n, generator=torch.Generator().manual_seed(1 + n))).requires_grad_()


EXERCISES = (
    FunctionExercise(
        name="weighted mean",
        task="Mend the backward of `WeightedMean`, Σ w x² / (1 + Σ w).",
        inputs=_values_and_weights,
        reference=lambda x, weight: (weight * x * x).sum() / (1 + weight.sum()),
        kernels=False,
    ),
    FunctionExercise(
        name="cube",
        task="Mend `Cube`, whose gradient comes from a kernel.",
        inputs=lambda n: (_values(n),),
        reference=lambda x: x**3,
        kernels=False,
    ),
    FunctionExercise(
        name="once more",
        task="Mend `Smooth`, √(1 + x²), so that its backward can be run again.",
        inputs=lambda n: (_values(n),),
        reference=lambda x: torch.hypot(x, torch.ones_like(x)),
        kernels=False,
    ),
    ValueExercise(
        name="which question",
        task="Which question catches each of the four mistakes? A tuple of four words.",
        value=("sizes", "kinks", "upstream", "subsets"),
        because="Four blocks of 256 threads are enough for 1,024 elements, and 1,025 is asked; a tie is no point that "
        "an input of random numbers meets; .sum() hands out one number expanded; and with the target frozen, the "
        "only gradient lands in the place of no input that wants one.",
        mistakes={
            ("value", "kinks", "upstream", "subsets"): "The first: the value is right at the size that is handed over.",
            ("sizes", "gradient", "upstream", "subsets"): "The second: against torch the point is one of random "
            "numbers, where no two are equal.",
            ("sizes", "kinks", "contiguous", "subsets"): "The third: it is not an input that is read so.",
            ("sizes", "kinks", "upstream", "gradient"): "The fourth: at the point itself both inputs require a "
            "gradient, and both are right.",
        },
    ),
)
