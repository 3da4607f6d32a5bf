"""Ways to give a kernel a gradient, one a file, each beside a reference in plain torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from workbench.patterns import references
from workbench.patterns.activation import activation
from workbench.patterns.decay import decay
from workbench.patterns.exponential import exponential
from workbench.patterns.gaussian_integral import gaussian_integral
from workbench.patterns.positive_part import positive_part
from workbench.patterns.rounding import rounding_penalty, soft_round, straight_through_round
from workbench.patterns.sine_squared import sine_squared
from workbench.patterns.two_outputs import two_outputs

if TYPE_CHECKING:
    from workbench.gradients.audit import GradientAudit

__all__ = [
    "ALL",
    "Pattern",
    "activation",
    "decay",
    "exponential",
    "gaussian_integral",
    "positive_part",
    "rounding_penalty",
    "sine_squared",
    "soft_round",
    "straight_through_round",
    "two_outputs",
]


@dataclass(frozen=True)
class Pattern:
    """A pattern with what the tools need to try it: its reference and a maker of example inputs.

    ``function`` and ``reference`` return one tensor, or a tuple of tensors. ``example(device)`` returns inputs of a
    realistic size, float32, from a fixed seed, all requiring grad. ``derivatives`` is how often the function can be
    differentiated. ``stand_in`` says that the gradient is on purpose not the derivative of the value, so that an
    audit's differences must contradict it.
    """

    name: str
    summary: str
    function: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]
    reference: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]
    example: Callable[[torch.device], tuple[torch.Tensor, ...]]
    derivatives: float = 1
    stand_in: bool = False

    def is_as_claimed(self, audit: GradientAudit) -> bool:
        """Whether nothing is wrong, or, of a stand-in, whether differences contradict it and nothing else does."""
        by_differences = [check.question.endswith("against differences") for check in audit.wrong]
        return bool(by_differences) == self.stand_in and all(by_differences)


N = 4096


def _leaves(device: torch.device, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(value.to(device).requires_grad_() for value in values)


def _one_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    return _leaves(device, 2 * torch.randn(N, generator=torch.Generator().manual_seed(0)))


def _two_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    return _leaves(device, *torch.randn(2, N, generator=torch.Generator().manual_seed(0)))


def _limit_and_parameter_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return _leaves(device, 2 * torch.randn(N, generator=generator), torch.rand(N, generator=generator) + 0.5)


def _between_kinks_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    """At least 0.1 from every integer and every half, where rounding and its distance have their kinks and steps."""
    generator = torch.Generator().manual_seed(0)
    halves = torch.randint(-8, 8, (N,), generator=generator) / 2
    return _leaves(device, halves + 0.1 + 0.3 * torch.rand(N, generator=generator))


def _between_kinks_and_target_example(device: torch.device) -> tuple[torch.Tensor, ...]:
    """As before, with targets that are integers: at least 0.1 from every x."""
    generator = torch.Generator().manual_seed(1)
    return *_between_kinks_example(device), *_leaves(device, torch.randint(-4, 4, (N,), generator=generator).float())


def _three_ways(summary: str, function: Callable, reference: Callable, example: Callable) -> tuple[Pattern, ...]:
    ways = (("kernel", "by a kernel", 1), ("torch", "by torch operations", float("inf")))
    ways += (("vjp", "by torch.func.vjp of a reference", float("inf")),)
    return tuple(
        Pattern(
            f"{function.__name__}_{way}",
            f"{summary}, its derivative {how}",
            functools.partial(function, derivative=way),
            reference,
            example,
            derivatives,
        )
        for way, how, derivatives in ways
    )


ALL = {
    pattern.name: pattern
    for pattern in (
        Pattern(
            "exponential",
            "eˣ, saving the output for backward",
            exponential,
            references.exponential,
            _one_example,
            derivatives=float("inf"),
        ),
        Pattern(
            "two_outputs",
            "x² + y² and x · y, either of which may go unused",
            two_outputs,
            references.two_outputs,
            _two_example,
        ),
        Pattern(
            "positive_part",
            "Σ max(x, 0), a forward that autograd does not see",
            positive_part,
            references.positive_part,
            _between_kinks_example,
        ),
        *_three_ways("σ(x) · (1 + eˣ)^-½", activation, references.activation, _one_example),
        *_three_ways("x · e^(-y)", decay, references.decay, _two_example),
        *_three_ways("sin² x", sine_squared, references.sine_squared, _one_example),
        Pattern(
            "gaussian_integral",
            "∫ exp(-a t²) from 0 to x by quadrature, its gradient by Leibniz' rule",
            gaussian_integral,
            references.gaussian_integral,
            _limit_and_parameter_example,
        ),
        Pattern(
            "straight_through_round",
            "round(x), claiming the gradient of x",
            straight_through_round,
            references.straight_through_round,
            _between_kinks_example,
            derivatives=float("inf"),
            stand_in=True,
        ),
        Pattern(
            "soft_round",
            "a smooth step near round(x), with its own derivative",
            soft_round,
            references.soft_round,
            _between_kinks_example,
        ),
        Pattern(
            "rounding_penalty",
            "|x - target| and a pull to the nearest integer",
            rounding_penalty,
            references.rounding_penalty,
            _between_kinks_and_target_example,
        ),
    )
}
"""Every pattern by its name."""
