"""Sizes around those of warps and blocks, at which the last thread, or the second block, comes in."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from workbench.gradients.check import MARGIN, Check
from workbench.gradients.diagnosis import counted, how_many, ulps
from workbench.gradients.fault import Fault
from workbench.gradients.questions.consistency import ALLOWED
from workbench.gradients.subject import Subject

SIZES = (0, 1, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025)

ELEMENTS = 1 << 20
"""Elements of the inputs up to which a size is tried."""

QUESTION = "sizes from 0 to 1,025"


def ask(subject: Subject, reference: Callable) -> list[Check]:
    """Whether value and gradient are right, in float64, for inputs of other lengths along their first dimension.

    Rows of the inputs are repeated, or left out, together. A size that the reference refuses is left out.
    """
    first = subject.given[subject.moving[0]]
    if first.ndim == 0 or first.shape[0] == 0:
        return []
    worst, largest = 0.0, ALLOWED
    for size in SIZES:
        resized = subject.resized(first.shape[0], size)
        if sum(x.numel() for x in resized.given if isinstance(x, torch.Tensor)) > ELEMENTS:
            continue
        try:
            resized.draw_upstream(reference)
            truth = resized.attempt_all(resized.inputs(torch.float64), function=reference)
            single = resized.attempt_all(resized.inputs(torch.float32), function=reference)
        except Exception:
            continue
        if isinstance(truth, Exception) or isinstance(single, Exception):
            continue
        got = resized.attempt_all(resized.inputs(torch.float64))
        if isinstance(got, Exception):
            said = f"with {counted(size, 'row')} it raises {type(got).__name__}: {str(got).splitlines()[0]}"
            return [Check(QUESTION, "wrong", math.inf, largest, "ulp", said=said)]
        for mine, true, theirs, label in zip(got, truth, single, subject.labels, strict=True):
            if mine.shape != true.shape:
                shapes = f"has shape {tuple(mine.shape)} and should have {tuple(true.shape)}"
                said = f"with {counted(size, 'row')} the {label} {shapes}"
                return [Check(QUESTION, "wrong", math.inf, largest, "ulp", said=said)]
            if not true.numel():
                continue
            allowed = max(ALLOWED, MARGIN * float(ulps(theirs, true, torch.float32).max()))
            largest = max(largest, allowed)
            error = ulps(mine, true, torch.float64)
            if float(error.max()) > allowed:
                wrong = error > allowed
                where = tuple(int(k) for k in wrong.nonzero()[0])
                place = f"at {list(where)} " if where else ""
                at = f"{place}it is {float(mine[where]):.6g}, not {float(true[where]):.6g}"
                count = how_many(wrong, f" of the {label}") if wrong.numel() > 1 else f"the {label} is wrong"
                said = f"with {counted(size, 'row')}, {count}; {at}"
                fault = Fault(label, mine.detach(), true.detach(), torch.float64, allowed, size)
                return [Check(QUESTION, "wrong", float(error.max()), allowed, "ulp", said=said, fault=fault)]
            worst = max(worst, float(error.max()))
    return [Check(QUESTION, "right", worst, largest, "ulp")]
