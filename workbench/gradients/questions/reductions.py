"""Each ``reduction`` that a loss takes, since a mean that is right says nothing of the sum."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, against, alike
from workbench.gradients.subject import Subject, values_of

REDUCTIONS = ("none", "sum", "mean")


def ask(subject: Subject, reference: Callable) -> list[Check]:
    """Whether value and gradient are right, in float64, for each reduction that function and reference both take.

    Asked of more than one row: an input of one is repeated. A reduction that either refuses is passed over.
    """
    if not (_takes_reduction(subject.function) and _takes_reduction(reference)):
        return []
    if subject.given[subject.moving[0]].shape[:1] == (1,):
        subject = subject.resized(1, 2)
    cases = {reduction: _case(subject, reference, reduction) for reduction in REDUCTIONS}
    asked = {reduction: case for reduction, case in cases.items() if case}
    return [alike(f"each reduction: {', '.join(asked)}", asked.values())] if asked else []


def _case(subject: Subject, reference: Callable, reduction: str) -> Case | None:
    function, reference = (functools.partial(f, reduction=reduction) for f in (subject.function, reference))
    reduced = subject.of(function)
    try:
        values_of(function(*reduced.inputs(torch.float64)))
        reduced.draw_upstream(reference)
    except Exception:
        return None
    return against(reduced, reference, f"with reduction={reduction!r}")


def _takes_reduction(function: Callable) -> bool:
    try:
        return "reduction" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
