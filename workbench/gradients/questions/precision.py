"""Value and gradient against a reference in plain torch, in float64 and in float32."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from workbench.gradients.check import MARGIN, Check
from workbench.gradients.diagnosis import diagnose, ulps
from workbench.gradients.fault import Fault
from workbench.gradients.subject import Subject


def against_reference(subject: Subject, reference: Callable) -> list[Check]:
    float64, float32 = torch.float64, torch.float32
    upstream, ones = subject.upstream, torch.ones_like(subject.upstream)
    shape = subject.value(reference, subject.inputs(float64)).shape
    if shape != upstream.shape:
        said = f"its shape is {tuple(upstream.shape)} and should be {tuple(shape)}"
        return [Check("value, float64, against torch", "wrong", math.inf, MARGIN, "ulp", said=said)]
    # the truth for float32 is float64 arithmetic on the inputs and upstream gradient that float32 can hold
    upstream32 = upstream.to(float32).to(float64)
    truth32 = subject.gradients(reference, subject.inputs(float64, float32), upstream32)
    torch32 = subject.gradients(reference, subject.inputs(float32), upstream32)
    truth64 = subject.gradients(reference, subject.inputs(float64), upstream)
    plain64 = subject.gradients(reference, subject.inputs(float64), ones)
    got64 = subject.gradients(subject.function, subject.inputs(float64), upstream)
    got32 = subject.gradients(subject.function, subject.inputs(float32), upstream32)

    def flat(result: tuple[torch.Tensor, list[torch.Tensor]]) -> list[torch.Tensor]:
        return [result[0], *result[1]]

    labels = ["value", *(f"gradient by {subject.names[i]}" for i in subject.moving)]
    checks = []
    for dtype, got, truth in ((float64, got64, truth64), (float32, got32, truth32)):
        rows = zip(labels, flat(got), flat(truth), flat(truth32), flat(torch32), flat(plain64), strict=True)
        for label, mine, true, true32, theirs32, plain in rows:
            # rounding costs as many ulps in one precision as in the other, so the float32 figure serves both
            own = float(ulps(theirs32, true32, float32).max()) if true.numel() else 0.0
            unscaled = None if label == "value" else plain
            checks.append(_check(f"{label}, {_short(dtype)}, against torch", mine, true, dtype, own, subject, unscaled))
    return checks


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
