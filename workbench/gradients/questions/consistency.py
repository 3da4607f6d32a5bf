"""What the questions share that hold one call of a function against another one: the same gradient, or it is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch

from workbench.gradients.check import Check
from workbench.gradients.diagnosis import how_many, ulps
from workbench.gradients.fault import Fault

ALLOWED = 64.0
"""Ulps by which two calls may differ that add up in another order."""

Result = Sequence[torch.Tensor] | Exception
"""Value and gradients, or what the call raised."""


def alike(question: str, cases: Iterable[tuple[str, Result, Sequence[torch.Tensor], Sequence[str]]]) -> Check:
    """One answer for several cases of (what was done, what came of it, what should have, what each tensor is).

    Float64 tensors; the first case that is wrong is told of.
    """
    worst = 0.0
    for done, got, truth, labels in cases:
        if isinstance(got, Exception):
            said = f"{done}: it raises {type(got).__name__}: {str(got).splitlines()[0] if str(got) else ''}"
            return Check(question, "wrong", math.inf, ALLOWED, "ulp", said=said)
        for mine, true, label in zip(got, truth, labels, strict=True):
            if mine.shape != true.shape:
                said = f"{done}: the {label} has shape {tuple(mine.shape)} and should have {tuple(true.shape)}"
                return Check(question, "wrong", math.inf, ALLOWED, "ulp", said=said)
            error = ulps(mine, true, torch.float64)
            if error.numel() and float(error.max()) > ALLOWED:
                said = _told(done, label, mine, true)
                fault = Fault(label, mine.detach(), true.detach(), torch.float64, ALLOWED)
                return Check(question, "wrong", float(error.max()), ALLOWED, "ulp", said=said, fault=fault)
            worst = max(worst, float(error.max()) if error.numel() else 0.0)
    return Check(question, "right", worst, ALLOWED, "ulp")


def _told(done: str, label: str, got: torch.Tensor, truth: torch.Tensor) -> str:
    wrong = ulps(got, truth, torch.float64) > ALLOWED
    where = tuple(int(k) for k in wrong.nonzero()[0])
    at = f" at {list(where)}" if where else ""
    mine, true = float(got[where]), float(truth[where])
    how = "NaN" if math.isnan(mine) else f"{mine:.6g}"
    count = how_many(wrong, f" of the {label}", ("differs", "differ"))
    return f"{done}: {count};{at} it is {how}, not {true:.6g}"
