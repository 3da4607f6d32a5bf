"""The exercises on patterns of custom functions: what is saved, what is wanted, and what goes unused."""

from __future__ import annotations

from collections.abc import Callable

import torch

from workbench.course.function_exercise import FunctionExercise
from workbench.course.value_exercise import ValueExercise
from workbench.recording import recorded


def _one(n: int) -> tuple[torch.Tensor]:
    return (torch.randn(n, generator=torch.Generator().manual_seed(n)).requires_grad_(),)


def _two(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.randn(2, n, generator=torch.Generator().manual_seed(n))
    return x.requires_grad_(), y.requires_grad_()


def _away_from_zero(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = 0.5 + torch.rand(2, n, generator=torch.Generator().manual_seed(n))
    return x.requires_grad_(), y.requires_grad_()


def _saves_the_output_alone(function: Callable, inputs: tuple[torch.Tensor]) -> str | None:
    saved: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = function(*inputs)
    (x,) = inputs
    if not saved:
        return "Right, but nothing is saved by ctx.save_for_backward: an attribute of ctx is not watched by autograd."
    if len(saved) > 1:
        return f"Right, but {len(saved)} tensors are saved, and one is enough."
    if torch.equal(saved[0], x):
        return "Right, but the input is saved, so that backward computes the exponential once more. Save the output."
    return None if torch.equal(saved[0], value) else "Right, but what is saved is neither the input nor the output."


def _launches_what_is_wanted(function: Callable, inputs: tuple[torch.Tensor, torch.Tensor]) -> str | None:
    for frozen, name in ((1, "y"), (0, "x")):
        given = [value.detach().requires_grad_(k != frozen) for k, value in enumerate(inputs)]
        value = function(*given).sum()
        with recorded() as launches:
            value.backward()
        if len(launches) > 1:
            return (
                f"Right, but where {name} requires no gradient, backward launches {len(launches)} kernels all the same;"
                " ctx.needs_input_grad has a bool for each input: launch for those that want one, and return None for "
                "the others."
            )
    return None


EXERCISES = (
    FunctionExercise(
        name="exponential",
        task="Mend `Exponential`, so that backward computes no exponential again.",
        inputs=_one,
        reference=torch.exp,
        also=(_saves_the_output_alone,),
    ),
    FunctionExercise(
        name="polar",
        task="Mend `Polar`, whose outputs are √(x² + y²) and the angle atan2(y, x), so that either may go unused.",
        inputs=_away_from_zero,
        reference=lambda x, y: (torch.hypot(x, y), torch.atan2(y, x)),
        kernels=False,
    ),
    FunctionExercise(
        name="frozen",
        task="Mend `Scaled`, x · y², so that backward launches no kernel for an input that wants no gradient.",
        inputs=_two,
        reference=lambda x, y: x * y * y,
        also=(_launches_what_is_wanted,),
    ),
    ValueExercise(
        name="penalty",
        task="A loss adds a gradient penalty, and so differentiates a gradient. For each of four backwards: is the "
        'result "right", is it "refused", or is a term "lost" without a word? A tuple of four words.',
        value=("right", "lost", "lost", "refused"),
        because="autograd follows torch operations on saved tensors, and sees no kernel; torch's decorator looks only "
        "at the upstream gradient, which is a constant after .sum(); wb's looks at the saved tensors too.",
        mistakes={
            ("right", "refused", "lost", "refused"): "The second: nothing marks that backward, so that nothing is "
            "there to refuse. Its gradient looks like a constant.",
            ("right", "lost", "refused", "refused"): "The third: torch's decorator refuses where the *upstream* "
            "gradient requires one. After .sum() it is ones, a constant.",
            ("refused", "lost", "lost", "refused"): "The first: what torch operations compute from saved tensors, "
            "autograd can differentiate again.",
            ("right", "refused", "refused", "refused"): "The second and the third: who is there to refuse them?",
        },
    ),
)
