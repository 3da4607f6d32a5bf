"""Some inputs require a gradient and others do not, as in training with a part frozen."""

from __future__ import annotations

import itertools

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, alike
from workbench.gradients.subject import Subject

EACH = 3
"""Differentiable inputs up to which every subset of them is asked about; beyond it, each alone."""


def ask(subject: Subject) -> list[Check]:
    """Whether each gradient is the same whichever other inputs require one, and the value if none does."""
    whole = subject.attempt_all(subject.inputs(torch.float64))
    if isinstance(whole, Exception):
        return []
    cases = []
    moving = subject.moving
    sizes = range(len(moving) if len(moving) <= EACH else 2)
    for some in itertools.chain.from_iterable(itertools.combinations(moving, size) for size in sizes):
        inputs = subject.inputs(torch.float64)
        for i in moving:
            inputs[i] = inputs[i].detach().requires_grad_(i in some)
        names = " and ".join(subject.names[i] for i in some) or "no input"
        values = range(len(subject.outputs))
        wanted = [*values, *(len(values) + moving.index(i) for i in some)]
        found = subject.attempt_all(inputs, list(some))
        labels = [subject.labels[k] for k in wanted]
        cases.append(Case(f"where {names} alone requires a gradient", found, [whole[k] for k in wanted], labels))
    return [alike("each subset of inputs that require a gradient", cases)]
