"""The exercises on gradients from values alone."""

from __future__ import annotations

import torch

from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.value_exercise import ValueExercise
from workbench.course.values import Mistake
from workbench.launch import blocks


def _points_and_steps(n: int) -> Case:
    generator = torch.Generator().manual_seed(n)
    x = 2 * torch.randn(n, generator=generator)
    steps = 0.25 + 0.5 * torch.rand(n, generator=generator)  # so large that each scheme is told from the others
    return Case((x, steps), (unwritten(n),), blocks(n), 256)


def _value(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + x * x)


def _central(x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    return (_value(x + steps) - _value(x - steps)) / (2 * steps)


EXERCISES = (
    ValueExercise(
        name="step",
        task="Which step suits a central difference in float32, of a function and an argument of size one? To within "
        "a factor of four.",
        value=float(torch.finfo(torch.float32).eps) ** (1 / 3),
        tolerance=0.75,
        because="It is the third root of the machine epsilon 1.2e-7, about 5e-3: there h², the truncation, is as large "
        "as epsilon / h, the rounding.",
        mistakes={
            1e-6: "That suits float64: it is near the third root of 2.2e-16. In float32 the rounding, epsilon / h, is "
            "then a tenth of the derivative.",
            3.5e-4: "That is the square root of epsilon, for a forward difference. A central one has less truncation, "
            "h² in place of h, and so may step farther.",
            0.3: "So far from x the curve is cut off: a truncation of h² is then a tenth of what is asked for.",
            0.04: "That is the fifth root of epsilon, for a Richardson difference, whose truncation goes with h⁴.",
            1.2e-7: "That is epsilon itself: the two values then differ by one rounding or none.",
        },
    ),
    ValueExercise(
        name="evaluations",
        task="A cross entropy with `reduction='none'` takes logits of 256 rows and 10 classes, and returns 256 numbers."
        " How many evaluations does a central difference by all logits take, told `independent=1` and `errors=False`?",
        value=20,
        because="The rows are apart, so that one evaluation moves a logit of each of them; the 10 logits of a row are "
        "not, and each takes two.",
        mistakes={
            5120: "That is two for each logit. The rows are apart: what moves in one does not show in the others, so "
            "that all rows can move in one evaluation.",
            2: "That would do for a function that treats all elements apart. The 10 logits of a row share one "
            "softmax, and must move one after the other.",
            10: "A central difference looks to both sides.",
            512: "That is two for each row. It is the other way round: rows can move together, and the logits of one "
            "row cannot.",
            2560: "That is one for each logit; and rows are apart, so that all of them can move in one evaluation.",
            21: "The value in the middle is not needed for a central difference; it is for its bound, and errors=False "
            "leaves that out.",
        },
    ),
    KernelExercise(
        name="central difference",
        task="Write a kernel of `x`, `step` and `gradient`, all [n]: each thread takes the central difference of "
        "`bump` at its own element, over its own step.",
        case=_points_and_steps,
        reference=_central,
        mistakes=(
            Mistake(
                lambda x, h: (_value(x + h) - _value(x)) / h, "This is the forward difference, which looks to one side."
            ),
            Mistake(
                lambda x, h: (_value(x) - _value(x - h)) / h, "This is the backward difference: one side, the left one."
            ),
            Mistake(
                lambda x, h: (_value(x + h) - _value(x - h)) / h,
                "The two points lie 2 steps apart, and you divide by one.",
            ),
            Mistake(lambda x, h: (_value(x + h) - _value(x - h)) / 2, "You halve it, and do not divide by the step."),
            Mistake(lambda x, h: _value(x + h) - _value(x - h), "You do not divide by how far the points lie apart."),
            Mistake(lambda x, h: -_central(x, h), "You subtract the right value from the left one."),
            Mistake(lambda x, h: (1 - x * x) / (1 + x * x) ** 2, "This is the derivative; a difference is asked for."),
            Mistake(
                lambda x, h: _central(x, torch.full_like(h, float(h[0]))), "You take the step of element 0 for all."
            ),
        ),
    ),
    ValueExercise(
        name="kink",
        task="What is the central difference of relu at 0, whatever the step?",
        value=0.5,
        because="(h - 0) / 2h is a half, the mean of the slopes of both sides. torch says 0, and neither is wrong: "
        "there is no derivative.",
        mistakes={
            0.0: "That is what torch's autograd says there. The difference has relu(h) = h on the right and 0 on the "
            "left.",
            1.0: "That is the forward difference, which looks to the right alone.",
        },
    ),
)
