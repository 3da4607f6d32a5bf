"""What the questions share that hold one call of a function against another one: the same gradient, or it is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch

from workbench.gradients.check import MARGIN, Check
from workbench.gradients.diagnosis import diagnose, how_many, ulps
from workbench.gradients.fault import Fault
from workbench.gradients.subject import MisshapenValue, Subject

ALLOWED = 64.0
"""Ulps by which two calls may differ that add up in another order."""

Result = Sequence[torch.Tensor] | Exception
"""Values and gradients, or what the call raised."""


class Case(NamedTuple):
    """What was done, what came of it, what should have, and what each tensor is; tensors of float64.

    Where the truth is a reference's, ``rounded`` is what that gives in float32, and ``counts`` names numbers that a
    reduction may divide by. An error may then be some times that of the reference, since rounding costs as many ulps in
    one precision as in the other. Nor is an error wrong that is below the ``floor`` of its tensor, which is of ulps of
    the numbers that a gradient is made of: one that is zero is left by the reference as a difference of roundings.
    ``rows`` is the size at which it came, where that is not the inputs' own.
    """

    done: str
    got: Result
    truth: Sequence[torch.Tensor]
    labels: Sequence[str]
    rounded: Sequence[torch.Tensor] | None = None
    counts: dict[str, int] | None = None
    rows: int | None = None
    floor: Sequence[float] | None = None


def against(subject: Subject, reference: Callable, done: str, rows: int | None = None) -> Case | None:
    """The function and the reference at the subject's inputs, or None if the reference refuses them."""
    truth = subject.attempt_all(subject.inputs(torch.float64), function=reference)
    rounded = subject.attempt_all(subject.inputs(torch.float32), function=reference)
    if isinstance(truth, Exception) or isinstance(rounded, Exception):
        return None
    got = subject.attempt_all(subject.inputs(torch.float64))
    return Case(done, got, truth, subject.labels, rounded, subject.counts, rows, _floor(subject, truth))


def _floor(subject: Subject, truth: Sequence[torch.Tensor]) -> list[float]:
    """For each gradient some ulps of |value| |upstream| / |input|, of which size a gradient by that input is."""
    values = truth[: len(subject.outputs)]
    pulled = [_largest(v) * _largest(u) for v, u in zip(values, subject.upstream, strict=True) if u is not None]
    inputs = (_largest(subject.given[i].detach()) for i in subject.moving)
    unit = ALLOWED * torch.finfo(torch.float64).eps * max(pulled, default=0.0)
    return [*(0.0 for _ in values), *(unit / x if x else 0.0 for x in inputs)]


def _largest(x: torch.Tensor) -> float:
    largest = float(x.abs().max()) if x.numel() else 0.0
    return largest if math.isfinite(largest) else 0.0


def alike(question: str, cases: Iterable[Case]) -> Check:
    """One answer for several cases; the first that is wrong is told of."""
    worst, largest = 0.0, ALLOWED
    for case in cases:
        if isinstance(case.got, Exception):
            message = str(case.got).splitlines()[0] if str(case.got) else ""
            raised = "" if isinstance(case.got, MisshapenValue) else f"it raises {type(case.got).__name__}: "
            said = f"{case.done}: {raised}{message}"
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
            if case.floor is not None:
                error[(got - truth).abs() <= case.floor[k]] = 0.0
            largest, worst = max(largest, allowed), max(worst, float(error.max()))
            if float(error.max()) > allowed:
                said = _told(case, label, got, truth, error > allowed)
                fault = Fault(label, got.detach(), truth.detach(), torch.float64, allowed, case.rows)
                return Check(question, "wrong", worst, allowed, "ulp", said=said, fault=fault)
    return Check(question, "right", worst, largest, "ulp")


def _told(case: Case, label: str, got: torch.Tensor, truth: torch.Tensor, wrong: torch.Tensor) -> str:
    if case.counts is not None:
        return f"{case.done}, the {label}: {diagnose(got, truth, wrong, case.counts, None)}"
    where = tuple(int(k) for k in wrong.nonzero()[0])
    at = f" at {list(where)}" if where else ""
    mine, true = float(got[where]), float(truth[where])
    how = "NaN" if math.isnan(mine) else f"{mine:.6g}"
    count = how_many(wrong, f" of the {label}", ("differs", "differ"))
    return f"{case.done}: {count};{at} it is {how}, not {true:.6g}"
