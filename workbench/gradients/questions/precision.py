"""Value and gradient against a reference in plain torch, in float64 and in float32."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from workbench.gradients.check import MARGIN, Check
from workbench.gradients.diagnosis import diagnose, ulps
from workbench.gradients.fault import Fault
from workbench.gradients.subject import Subject, values_of


def against_reference(subject: Subject, reference: Callable) -> list[Check]:
    float64, float32 = torch.float64, torch.float32
    upstream = subject.upstream
    problem = _misshapen(subject, reference)
    if problem:
        return [Check("value, float64, against torch", "wrong", math.inf, MARGIN, "ulp", said=problem)]
    # the truth for float32 is float64 arithmetic on the inputs and upstream gradient that float32 can hold
    upstream32 = [None if u is None else u.to(float32).to(float64) for u in upstream]
    ones = [None if u is None else torch.ones_like(u) for u in upstream]
    truth32 = subject.gradients(reference, subject.inputs(float64, float32), upstream32)
    torch32 = subject.gradients(reference, subject.inputs(float32), upstream32)
    truth64 = subject.gradients(reference, subject.inputs(float64), upstream)
    plain64 = subject.gradients(reference, subject.inputs(float64), ones)
    got64 = subject.gradients(subject.function, subject.inputs(float64), upstream)
    got32 = subject.gradients(subject.function, subject.inputs(float32), upstream32)
    checks = []
    for dtype, got, truth in ((float64, got64, truth64), (float32, got32, truth32)):
        rows = zip(subject.labels, got, truth, truth32, torch32, plain64, strict=True)
        for label, mine, true, true32, theirs32, plain in rows:
            # rounding costs as many ulps in one precision as in the other, so the float32 figure serves both
            own = float(ulps(theirs32, true32, float32).max()) if true.numel() else 0.0
            unscaled = None if label in subject.outputs else plain
            checks.append(_check(f"{label}, {_short(dtype)}, against torch", mine, true, dtype, own, subject, unscaled))
    return checks


def _misshapen(subject: Subject, reference: Callable) -> str:
    """What is wrong with the number and the shapes of the values, and with which of them have a gradient, if any is."""
    true = values_of(reference(*subject.inputs(torch.float64)))
    if subject.outputs != list(true):
        return f"it returns the floating-point {', '.join(subject.outputs)} and should return {', '.join(true)}"
    for (name, value), shape, upstream in zip(true.items(), subject.shapes, subject.upstream, strict=True):
        its = "its" if name == "value" else f"the {name}'s"
        if shape != value.shape:
            reduced = ": is a sum or a mean missing?" if not value.shape else ""
            return f"{its} shape is {tuple(shape)} and should be {tuple(value.shape)}{reduced}"
        if upstream is None and value.requires_grad:
            return f"{name} requires no gradient and should: is it detached, or marked as not differentiable?"
    return ""


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check(
    question: str,
    got: torch.Tensor,
    truth: torch.Tensor,
    dtype: torch.dtype,
    own: float,
    subject: Subject,
    unscaled: torch.Tensor | None,
) -> Check:
    allowed = MARGIN * max(own, 1.0)
    error = ulps(got, truth, dtype)
    wrong = error > allowed
    worst = float(error.max()) if error.numel() else 0.0
    if not wrong.any():
        return Check(question, "right", worst, allowed, "ulp", own)
    said = diagnose(got, truth, wrong, subject.counts, unscaled)
    fault = Fault(question.split(", ")[0], got.detach(), truth.detach(), dtype, allowed)
    return Check(question, "wrong", worst, allowed, "ulp", own, said, fault)
