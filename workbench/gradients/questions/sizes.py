"""Sizes around those of warps and blocks, at which the last thread, or the second block, comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.diagnosis import counted
from workbench.gradients.questions.consistency import Case, against, alike
from workbench.gradients.subject import Subject

SIZES = (0, 1, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025)

ELEMENTS = 1 << 20
"""Elements of the inputs up to which a size is tried."""


def ask(subject: Subject, reference: Callable) -> list[Check]:
    """Whether value and gradient are right, in float64, for inputs of other lengths along their first dimension.

    Rows of the inputs are repeated, or left out, together. A size that the reference refuses is left out.
    """
    first = subject.given[subject.moving[0]]
    if first.ndim == 0 or first.shape[0] == 0:
        return []
    return [alike("sizes from 0 to 1,025", _cases(subject, reference, first.shape[0]))]


def _cases(subject: Subject, reference: Callable, rows: int) -> Iterator[Case]:
    for size in SIZES:
        resized = subject.resized(rows, size)
        if sum(x.numel() for x in resized.given if isinstance(x, torch.Tensor)) > ELEMENTS:
            continue
        try:
            resized.draw_upstream(reference)
        except Exception:
            continue
        case = against(resized, reference, f"with {counted(size, 'row')}", size)
        if case:
            yield case
