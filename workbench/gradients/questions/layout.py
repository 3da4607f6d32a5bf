"""Inputs whose elements do not lie next to each other in memory: the same value, the same gradient."""

from __future__ import annotations

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, alike
from workbench.gradients.questions.upstream import spread, turned
from workbench.gradients.subject import Subject, is_floating


def ask(subject: Subject) -> list[Check]:
    """Whether value and gradient are the same for inputs that are slices and transposes of other memory."""
    truth = subject.attempt_all(subject.inputs(torch.float64))
    if isinstance(truth, Exception):
        return []
    layouts = {"for inputs that are slices of other memory": spread, "for inputs transposed in memory": turned}
    cases = []
    for done, lay in layouts.items():
        laid = [
            lay(x.detach()).requires_grad_(x.requires_grad) if is_floating(x) else x
            for x in subject.inputs(torch.float64)
        ]
        cases.append(Case(done, subject.attempt_all(laid), truth, subject.labels))
    return [alike("inputs that are not contiguous", cases)]
