"""The exercises of the notebook on calculations outside the graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.values import Mistake
from workbench.launch import blocks
from workbench.recording import recorded

NODES = 16
TEMPERATURE = 0.1


def _random(count: int, n: int) -> torch.Tensor:
    """[count, n] of random numbers from 0 to 1, the same for each n."""
    return torch.rand(count, n, generator=torch.Generator().manual_seed(n))


def _scaled_inputs(n: int) -> tuple[torch.Tensor, ...]:
    x, s, y, w = _random(4, n)
    return (x - 0.5).requires_grad_(), (s + 0.5).requires_grad_(), y, w + 0.5


def _scaled(x: torch.Tensor, s: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return w * (s * x - y) ** 2


def _work_for_nobody(function: Callable, inputs: tuple[torch.Tensor, ...]) -> str | None:
    x, s, y, w = (value.detach() for value in inputs)
    for name, wanted in (("x", x), ("s", s)):
        wanted.requires_grad_()
        loss = function(x, s, y, w).sum()
        with recorded() as launches:
            loss.backward()
        wanted.requires_grad_(False)
        if len(launches) > 1:
            return (
                f"every gradient is right, but where {name} alone wants one, the backward launches {len(launches)} "
                "kernels: ask ctx.needs_input_grad[0] and [1], and return None for what nobody wants."
            )
    return None


def _fresnel_case(n: int) -> Case:
    x, a, upstream = _random(3, n)
    node, weight = (torch.tensor(v, dtype=torch.float32) for v in np.polynomial.legendre.leggauss(NODES))
    inputs = 3 * x - 1.5, a + 0.5, upstream + 0.5, node, weight
    return Case(inputs, (unwritten(n), unwritten(n)), blocks(n), 256)


def _integral(
    integrand: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    a: torch.Tensor,
    node: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    half = x[:, None] / 2
    return (half * weight * integrand(half + half * node, a[:, None])).sum(1)


def _cosine(t: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    return torch.cos(a * t**2)


def _derivative(t: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    return -(t**2) * torch.sin(a * t**2)


def _fresnel(
    x: torch.Tensor, a: torch.Tensor, upstream: torch.Tensor, node: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    return _cosine(x, a) * upstream, _integral(_derivative, x, a, node, weight) * upstream


def _fresnel_mistake(
    by_x: Callable[..., torch.Tensor] | None, by_a: Callable[..., torch.Tensor] | None, said: str
) -> Mistake:
    """What comes of a right gradient and a wrong one, given as functions of all inputs; None for the right one."""

    def computes(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        right = _fresnel(*inputs)
        return tuple(one(*inputs) if one else good for one, good in zip((by_x, by_a), right, strict=True))

    return Mistake(computes, said)


def _of(integrand: Callable) -> Callable[..., torch.Tensor]:
    return lambda x, a, upstream, node, weight: _integral(integrand, x, a, node, weight) * upstream


_AT_THE_LIMIT = (
    "gradient_x is the integral itself. By its upper limit an integral changes as much as the integrand is there: no "
    "sum is needed."
)


def _step_inputs(n: int) -> tuple[torch.Tensor, float]:
    (x,) = 2 * _random(1, n) - 1
    x[::5] *= 100
    return x.requires_grad_(), TEMPERATURE


EXERCISES = (
    FunctionExercise(
        name="which inputs",
        task="Write the backward of `Scaled.apply(x, s, y, w)`, which is w (s x - y)²: x and s may require a gradient, "
        "y and w are constants. What nobody wants is not to be computed.",
        inputs=_scaled_inputs,
        reference=_scaled,
        sizes=(1, 33, 257),
        also=(_work_for_nobody,),
    ),
    KernelExercise(
        name="fresnel gradient",
        task="Write a kernel, `kernel(x, a, upstream, node, weight, gradient_x, gradient_a)`, of the gradients of "
        "∫ cos(a t²) dt from 0 to x, by x and by a, each times the upstream gradient. node and weight are those of "
        "quadrature on [-1, 1]; the others are [n].",
        case=_fresnel_case,
        reference=_fresnel,
        sizes=(1, 33, 257, 0),
        mistakes=(
            _fresnel_mistake(_of(_cosine), None, _AT_THE_LIMIT),
            _fresnel_mistake(_of(_cosine), lambda x, *_: 0 * x, _AT_THE_LIMIT),
            _fresnel_mistake(
                lambda x, a, upstream, *_: -2 * a * x * torch.sin(a * x**2) * upstream,
                None,
                "gradient_x is the slope of the integrand; by its upper limit an integral changes as much as the "
                "integrand itself is there.",
            ),
            _fresnel_mistake(
                None, lambda x, *_: 0 * x, "gradient_a is the integral of the integrand's derivative by a."
            ),
            _fresnel_mistake(
                None,
                _of(lambda t, a: t**2 * torch.sin(a * t**2)),
                "The sign of gradient_a is turned: the derivative of cos is -sin.",
            ),
            _fresnel_mistake(
                None,
                _of(lambda t, a: -torch.sin(a * t**2)),
                "In gradient_a the inner derivative is missing: a t² has the derivative t² by a.",
            ),
            _fresnel_mistake(
                None,
                lambda x, a, upstream, node, weight: 2 / x * _of(_derivative)(x, a, upstream, node, weight),
                "The nodes cover an interval of length 2, and this one has length x: multiply the sum by x / 2.",
            ),
            Mistake(
                lambda x, a, upstream, node, weight: _fresnel(x, a, torch.ones_like(x), node, weight),
                "The upstream gradient is missing: multiply both by upstream[i].",
            ),
        ),
    ),
    FunctionExercise(
        name="soft step",
        task="Write `SoftStep.apply(x, temperature)`, σ(x / T) with σ(u) = 1 / (1 + e^-u), and its gradient by x, for "
        "x / T of any size. The temperature is a number, and gets no gradient.",
        inputs=_step_inputs,
        reference=lambda x, temperature: torch.sigmoid(x / temperature),
        sizes=(1, 33, 257, 0),
        mistakes=(
            Mistake(lambda x, temperature: (x > 0).to(x.dtype), "This is the hard step."),
            Mistake(lambda x, temperature: torch.sigmoid(x), "The temperature does nothing yet: divide x by it."),
            Mistake(
                lambda x, temperature: torch.sigmoid(x * temperature),
                "x is multiplied by the temperature: the colder, the steeper it should be.",
            ),
            Mistake(lambda x, temperature: torch.sigmoid(-x / temperature), "The step goes down: mind the sign."),
        ),
    ),
)
