"""The exercises of the notebook on the analytical gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.values import Mistake
from workbench.launch import blocks

LARGE_FIRST = (1000, 257, 33, 32, 31, 1, 0)
"""So that the first sentence a reader gets is of a launch of several blocks."""

LARGEST = 200.0
"""Far past 89, from where on cosh is infinite in float32."""


def _generator(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def _log_cosh(n: int) -> Case:
    x, y, upstream = torch.randn(3, n, generator=_generator(n))
    x[::7] = torch.linspace(-LARGEST, LARGEST, len(x[::7]))
    return Case((x, y, upstream), (unwritten(n),), blocks(n, 256), 256)


def _overflowing(x: torch.Tensor, y: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    too_large = torch.cosh((x - y).float()).isinf()
    return (torch.tanh(x - y) * upstream).masked_fill(too_large, math.nan)


def _weighted(n: int) -> tuple[torch.Tensor, ...]:
    x, y = torch.randn(2, n, generator=_generator(n))
    return x.requires_grad_(), y.requires_grad_(), torch.rand(n, generator=_generator(n + 1)) + 0.5


def _one(n: int) -> tuple[torch.Tensor]:
    return ((3 * torch.randn(n, generator=_generator(n))).requires_grad_(),)


def _saves_its_output(function: Callable, inputs: tuple[Any, ...]) -> str | None:
    result = function(*inputs)
    saved = getattr(result.grad_fn, "saved_tensors", ())
    places = [tensor.data_ptr() for tensor in saved]
    if not places:
        return (
            "every answer is right, and ctx.save_for_backward was given nothing: torch does not notice when an "
            "attribute of ctx is changed in place, so hand the output to ctx.save_for_backward."
        )
    if inputs[0].data_ptr() in places:
        return "every answer is right, and the input is saved. The slope of a sigmoid s is s (1 - s): save s alone."
    if places != [result.data_ptr()]:
        return "every answer is right, and what is saved is a tensor beside the output. Save the one that is returned."
    return None


EXERCISES = (
    KernelExercise(
        name="log-cosh",
        task="`gradient` is that of `log(cosh(x - y))` by x, for differences of up to 200.",
        case=_log_cosh,
        reference=lambda x, y, upstream: torch.tanh(x - y) * upstream,
        sizes=LARGE_FIRST,
        mistakes=(
            Mistake(
                lambda x, y, upstream: _overflowing(x, y, torch.ones_like(upstream)),
                "cosh and sinh are infinite in float32 from 89 on, and their ratio is NaN: it has a name of its own, "
                "math.tanh. And multiply by the upstream gradient.",
            ),
            Mistake(
                _overflowing,
                "cosh and sinh are infinite in float32 from 89 on, and their ratio is NaN: it has a name of its own, "
                "math.tanh.",
            ),
            Mistake(
                lambda x, y, upstream: torch.tanh(x - y),
                "That is the slope of the loss, without what comes after it: multiply by the upstream gradient.",
            ),
            Mistake(
                lambda x, y, upstream: torch.tanh(x) * upstream,
                "Take the difference x - y first.",
            ),
        ),
    ),
    FunctionExercise(
        name="weighted squared error",
        task="`w (x - y)²` by kernels, with its gradient by x and by y.",
        inputs=_weighted,
        reference=lambda x, y, weight: weight * (x - y) ** 2,
        sizes=LARGE_FIRST,
    ),
    FunctionExercise(
        name="saved output",
        task="A sigmoid by kernels whose `backward` needs its output alone.",
        inputs=_one,
        reference=torch.sigmoid,
        sizes=LARGE_FIRST,
        also=(_saves_its_output,),
    ),
)
