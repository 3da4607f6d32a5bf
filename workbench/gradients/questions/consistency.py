"""What the questions share that hold one call of a function against another one: the same gradient, or it is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch

from workbench.gradients.check import MARGIN, Check
from workbench.gradients.diagnosis import ulps
from workbench.gradients.subject import Subject

ALLOWED = 64.0
"""Ulps by which two calls may differ that add up in another order."""

Result = Sequence[torch.Tensor] | Exception
"""Values and gradients, or what the call raised."""


class Case(NamedTuple):
    """What was done, what came of it, what should have, and what each tensor is; tensors of float64.

    ``rounded`` is what a reference gives in float32, where the truth is a reference's: an error may then be
    some times that of the reference, since rounding costs as many ulps in one precision as in the other.
    """

    done: str
    got: Result
    truth: Sequence[torch.Tensor]
    labels: Sequence[str]
    rounded: Sequence[torch.Tensor] | None = None


def against(subject: Subject, reference: Callable, done: str) -> Case | None:
    """The function and the reference at the subject's inputs, or None if the reference refuses them."""
    truth = subject.attempt_all(subject.inputs(torch.float64), function=reference)
    rounded = subject.attempt_all(subject.inputs(torch.float32), function=reference)
    if isinstance(truth, Exception) or isinstance(rounded, Exception):
        return None
    return Case(done, subject.attempt_all(subject.inputs(torch.float64)), truth, subject.labels, rounded)


def alike(question: str, cases: Iterable[Case]) -> Check:
    """One answer for several cases; the first that is wrong is told of."""
    worst, largest = 0.0, ALLOWED
    for case in cases:
        if isinstance(case.got, Exception):
            message = str(case.got).splitlines()[0] if str(case.got) else ""
            said = f"{case.done}: it raises {type(case.got).__name__}: {message}"
            return Check(question, "wrong", math.inf, largest, "ulp", said=said)
        if len(case.got) != len(case.truth):
            said = f"{case.done}: it returns another number of tensors"
            return Check(question, "wrong", math.inf, largest, "ulp", said=said)
        for k, (got, truth, label) in enumerate(zip(case.got, case.truth, case.labels, strict=True)):
            if got.shape != truth.shape:
                said = f"{case.done}: the {label} has shape {tuple(got.shape)} and should have {tuple(truth.shape)}"
                return Check(question, "wrong", math.inf, largest, "ulp", said=said)
            if not truth.numel():
                continue
            allowed = ALLOWED
            if case.rounded is not None:
                allowed = max(ALLOWED, MARGIN * float(ulps(case.rounded[k], truth, torch.float32).max()))
            error = ulps(got, truth, torch.float64)
            largest, worst = max(largest, allowed), max(worst, float(error.max()))
            if float(error.max()) > allowed:
                said = f"{case.done}: {_told(label, got, truth, error > allowed, case.rounded is not None)}"
                return Check(question, "wrong", worst, allowed, "ulp", said=said)
    return Check(question, "right", worst, largest, "ulp")


def _told(label: str, got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor, by_reference: bool) -> str:
    where = tuple(int(k) for k in wrong.nonzero()[0])
    at = f" at {list(where)}" if where else ""
    mine, true = float(got[where]), float(truth[where])
    how = "NaN" if math.isnan(mine) else f"{mine:.6g}"
    verb = "are wrong" if by_reference else "differ"
    return f"{int(wrong.sum()):,} of {wrong.numel():,} elements of the {label} {verb};{at} it is {how}, not {true:.6g}"
