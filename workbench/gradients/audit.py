"""audit: is a function's value right, and its gradient, however a training loop will ask for it?

Three witnesses are asked about every gradient: the function's own backward, autograd of a reference in plain torch,
and central differences of the function's value. The upstream gradient is random, so that a backward which ignores it
is found out. No tolerance is folklore: an error in float32 is held against the error that the reference makes in
float32 against itself in float64. Then come the questions that a Jacobian at one point does not answer: strides,
sizes, a second backward, part of the inputs frozen, memory, second derivatives.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from workbench.executors import executor
from workbench.gradients.check import Check
from workbench.gradients.error_map import ErrorMap, error_map
from workbench.gradients.notes import notes
from workbench.gradients.questions import again, layout, memory, outputs, reductions, second, sizes, subsets, upstream
from workbench.gradients.questions.differences import against_differences
from workbench.gradients.questions.kinks import Kinks, at_kinks, check_kinks
from workbench.gradients.questions.precision import against_reference
from workbench.gradients.reproduction import reproduction
from workbench.gradients.subject import Subject, is_floating, name_of
from workbench.tables import Table

if TYPE_CHECKING:
    from workbench.plot import Picture

ASKED = (upstream, layout, again, subsets, memory, second)
"""The questions that need no reference."""


class WrongGradient(AssertionError):
    """Raised by ``raise_if_wrong`` with the audit's table and what it found."""


@dataclass(frozen=True, repr=False)
class GradientAudit:
    """The answers of an audit. ``passed`` is whether none of them is "wrong"."""

    name: str
    where: str
    checks: tuple[Check, ...]
    subject: Subject = field(compare=False, repr=False)
    reference: Callable[..., torch.Tensor] | None = field(compare=False, repr=False)

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
        outcome = "passed" if self.passed else f"{len(self.wrong)} of {len(self.checks)} answers are wrong"
        columns = ("question", "verdict", "error", "allowed", "torch, float32")
        return Table(f"audit of {self.name} on the {self.where}: {outcome}", columns, tuple(rows), notes(self.checks))

    def __repr__(self) -> str:
        return str(self.table)

    @cached_property
    def maps(self) -> list[ErrorMap]:
        """Of each tensor of several elements that was found wrong, the errors of its elements as first found."""
        faults = {check.fault.label: check for check in reversed(self.wrong) if check.fault is not None}
        first = [check for check in self.wrong if check in faults.values()]
        return [error_map(check) for check in first if check.fault.got.numel() > 1]

    def plot(self) -> Picture:
        """The error of each element of what is wrong. Raises ValueError where no tensor of several elements is."""
        from workbench import plot  # which brings matplotlib

        if not self.maps:
            raise ValueError("there is nothing to draw: no answer of this audit is a tensor with wrong elements")
        return plot.errors(self.maps)

    def reproduce(self) -> str:
        """A few lines of Python that show the first wrong element without the audit, to run where the function is.

        Where no answer is about one element they are a comment that says so. Raises ValueError if nothing is wrong.
        """
        if self.passed:
            raise ValueError("there is nothing to reproduce: the audit passed")
        for check in self.wrong:
            lines = reproduction(check, self.subject, self.reference)
            if lines:
                return lines
        said = textwrap.fill(" ".join(notes(self.wrong)), width=100, initial_indent="# ", subsequent_indent="# ")
        return f"# What is wrong shows in no single element of one plain call.\n{said}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_() + (f"<div>{self.plot().html()}</div>" if self.maps else "")


def audit(
    function: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]],
    *inputs: torch.Tensor,
    reference: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]] | None = None,
    name: str | None = None,
    kinks: Kinks | None = None,
    seed: int = 0,
) -> GradientAudit:
    """Ask whether ``function(*inputs)`` and its gradient are right, in float64 and in float32.

    ``function`` takes tensors and returns one tensor, or a tuple of several, of which those that are not of floating
    point are passed over; ``reference`` computes the same in plain torch. The gradient is audited for the inputs that
    require grad, or for every floating-point input if none does. The inputs' values are taken in both precisions
    whatever their dtype; integer tensors are passed as they are. Without a reference values are not asked about, nor
    are other sizes and reductions. ``kinks`` says where the function has no derivative, so that torch's choice is asked
    about: ``{"x": [0.0, "y"]}`` where x is 0, and where it is equal to y; ``{"x": ["x"]}`` where elements of x are
    equal to each other, as in a maximum. ``seed`` fixes the random upstream gradient and direction.

    Writes nothing: the inputs, and their ``.grad``, stay as they are. Raises ValueError if no input is a
    floating-point tensor, or nothing that the function returns, and for kinks without a reference or in what is no
    such input; what the function itself raises passes through, and what its backward raises is an answer.
    """
    moving = [i for i, x in enumerate(inputs) if is_floating(x) and x.requires_grad]
    moving = moving or [i for i, x in enumerate(inputs) if is_floating(x)]
    if not moving:
        raise ValueError("audit needs at least one floating-point tensor to differentiate by")
    subject = Subject(function, inputs, moving, seed)
    if kinks:
        check_kinks(subject, reference, kinks)
    where = executor(inputs[moving[0]].device).name
    problem = subject.attempt(subject.upstream)
    if isinstance(problem, Exception):
        said = f"the backward raises {type(problem).__name__}: {str(problem).rstrip('.')}"
        raised = Check("gradient, float64", "wrong", math.inf, 0.0, "relative", said=said)
        return GradientAudit(name or name_of(function), where, (raised,), subject, reference)
    checks = against_reference(subject, reference) if reference else []
    checks += against_differences(subject)
    for question in ASKED:
        checks += question.ask(subject)
    checks += outputs.ask(subject, reference)
    if reference:
        checks += at_kinks(subject, reference, kinks or {})
        checks += reductions.ask(subject, reference) + sizes.ask(subject, reference)
    return GradientAudit(name or name_of(function), where, tuple(checks), subject, reference)
