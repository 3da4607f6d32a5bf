"""audit: is a function's value right, and its gradient, however a training loop will ask for it?

Three witnesses are asked about every gradient: the function's own backward, autograd of a reference in plain torch,
and central differences of the function's value. The upstream gradient is random, so that a backward which ignores it
is found out. No tolerance is folklore: an error in float32 is held against the error that the reference makes in
float32 against itself in float64. Then come the questions that a Jacobian at one point does not answer: strides,
sizes, a second backward, part of the inputs frozen, memory, second derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench.executors import executor
from workbench.gradients.check import Check
from workbench.gradients.questions import again, layout, memory, outputs, second, sizes, subsets, upstream
from workbench.gradients.questions.differences import against_differences
from workbench.gradients.questions.precision import against_reference
from workbench.gradients.subject import Subject, is_floating, name_of
from workbench.tables import Table

ASKED = (upstream, layout, again, subsets, memory, second)
"""The questions that need no reference."""


class WrongGradient(AssertionError):
    """Raised by ``raise_if_wrong`` with the audit's table and what it found."""


@dataclass(frozen=True)
class GradientAudit:
    """The answers of an audit. ``passed`` is whether none of them is "wrong"."""

    name: str
    where: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def wrong(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == "wrong")

    def raise_if_wrong(self) -> None:
        """Raise WrongGradient unless the audit passed."""
        if not self.passed:
            raise WrongGradient(str(self))

    @property
    def table(self) -> Table:
        rows = []
        for check in self.checks:
            own = "" if check.reference_error is None else f"{check.reference_error:.2g} ulp"
            unit = " ulp" if check.unit == "ulp" else ""
            error, allowed = f"{check.error:.2g}{unit}", f"{check.allowed:.2g}{unit}"
            rows.append((check.question, check.verdict, error, allowed, own))
        notes = [f"{check.question}: {check.said}." for check in self.checks if check.said]
        outcome = "passed" if self.passed else f"{len(self.wrong)} of {len(self.checks)} answers are wrong"
        columns = ("question", "verdict", "error", "allowed", "torch, float32")
        return Table(f"audit of {self.name} on the {self.where}: {outcome}", columns, tuple(rows), notes)

    def __str__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def audit(
    function: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]],
    *inputs: torch.Tensor,
    reference: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]] | None = None,
    name: str | None = None,
    seed: int = 0,
) -> GradientAudit:
    """Ask whether ``function(*inputs)`` and its gradient are right, in float64 and in float32.

    ``function`` takes tensors and returns one tensor, or a tuple of several, of which those that are not of floating
    point are passed over; ``reference`` computes the same in plain torch. The gradient is audited for the inputs that
    require grad, or for every floating-point input if none does. The inputs' values are taken in both precisions
    whatever their dtype; integer tensors are passed as they are. Without a reference only the central differences are
    asked. ``seed`` fixes the random upstream gradient and direction.

    Writes nothing: the inputs, and their ``.grad``, stay as they are. Raises ValueError if no input is a
    floating-point tensor, or nothing that the function returns; what the function itself raises passes through, and
    what its backward raises is an answer.
    """
    moving = [i for i, x in enumerate(inputs) if is_floating(x) and x.requires_grad]
    moving = moving or [i for i, x in enumerate(inputs) if is_floating(x)]
    if not moving:
        raise ValueError("audit needs at least one floating-point tensor to differentiate by")
    subject = Subject(function, inputs, moving, seed)
    where = executor(inputs[moving[0]].device).name
    problem = subject.attempt(subject.upstream)
    if isinstance(problem, Exception):
        said = f"the backward raises {type(problem).__name__}: {str(problem).rstrip('.')}"
        raised = Check("gradient, float64", "wrong", math.inf, 0.0, "relative", said=said)
        return GradientAudit(name or name_of(function), where, (raised,))
    checks = against_reference(subject, reference) if reference else []
    checks += against_differences(subject)
    for question in ASKED:
        checks += question.ask(subject)
    checks += outputs.ask(subject, reference)
    checks += sizes.ask(subject, reference) if reference else []
    return GradientAudit(name or name_of(function), where, tuple(checks))
