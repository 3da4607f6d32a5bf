"""The exercises of the notebook on torch's derivatives inside a custom function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.values import Mistake
from workbench.launch import blocks

SPAN = torch.tensor([1.0, 30.0, 10_000.0])
"""How far from 0 the inputs of softplus lie, in turns."""


def _normal(count: int, n: int) -> torch.Tensor:
    """[count, n], the same for each n."""
    return 2 * torch.randn(count, n, generator=torch.Generator().manual_seed(n))


def _log_cosh(x: torch.Tensor) -> torch.Tensor:
    return torch.logaddexp(x, -x) - torch.tensor(2, dtype=x.dtype).log()


def _refused(function: Callable, inputs: tuple[torch.Tensor, ...]) -> str | None:
    """The audit allows a second derivative to be refused; here it is asked for."""
    gradients = torch.autograd.grad(function(*inputs).sum(), inputs, create_graph=True)
    try:
        sum((gradient**2).sum() for gradient in gradients).backward()
    except RuntimeError as refusal:
        return (
            f"the gradient is right, and cannot be differentiated again: {refusal}. Let backward be torch operations "
            "on what was saved, or torch.func.vjp, without the decorator."
        )
    return None


def _softplus_case(n: int) -> Case:
    (x,) = _normal(1, n) / 2
    x = (x * SPAN.repeat(n // 3 + 1)[:n]).clamp(-10_000, 10_000)
    return Case((x,), (unwritten(n), unwritten(n)), blocks(n), 256)


def _overflowing(x: torch.Tensor) -> torch.Tensor:
    return x.float().exp()


EXERCISES = (
    FunctionExercise(
        name="twice",
        task="Write the backward of `LogCosh.apply(x)`, whose value is log cosh x by a kernel, so that it can be "
        "differentiated a second time.",
        inputs=lambda n: (_normal(1, n)[0].requires_grad_(),),
        reference=_log_cosh,
        sizes=(1, 33, 257),
        also=(_refused,),
    ),
    FunctionExercise(
        name="log add",
        task="Write the backward of `LogAdd.apply(x, y)`, whose value is log(eˣ + eʸ) by a kernel, by torch.func.vjp "
        "of torch.logaddexp.",
        inputs=lambda n: tuple(value.requires_grad_() for value in _normal(2, n).unbind()),
        reference=torch.logaddexp,
        sizes=(1, 33, 257),
        also=(_refused,),
    ),
    KernelExercise(
        name="softplus",
        task="Write a kernel, `kernel(x, value, derivative)`, of log(1 + eˣ) and its derivative, all [n], for |x| up "
        "to 10,000.",
        case=_softplus_case,
        reference=lambda x: (functional.softplus(x), torch.sigmoid(x)),
        sizes=(3, 33, 257, 0),
        mistakes=(
            Mistake(
                lambda x: (_overflowing(x).log1p(), _overflowing(x) / (1 + _overflowing(x))),
                "eˣ overflows where x is above 88.7: use e^-|x|, which is at most 1, and log(1 + eˣ) = max(x, 0) + "
                "log(1 + e^-|x|).",
            ),
            Mistake(
                lambda x: (functional.softplus(x), _overflowing(x) / (1 + _overflowing(x))),
                "The value is right. In the derivative eˣ overflows, and ∞ / ∞ is NaN: divide both sides by eˣ.",
            ),
            Mistake(
                lambda x: ((-x.abs()).exp().log1p(), torch.sigmoid(x)),
                "For positive x something is missing: log(1 + eˣ) = x + log(1 + e^-x).",
            ),
            Mistake(
                lambda x: (functional.softplus(x), torch.sigmoid(x.abs())),
                "The derivative is above one half everywhere: for negative x it is q / (1 + q) with q = e^-|x|.",
            ),
        ),
    ),
)
