"""The same once more: a second backward through one graph, and a second call."""

from __future__ import annotations

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, Result, alike
from workbench.gradients.subject import Subject


def ask(subject: Subject) -> list[Check]:
    """Whether a second and third backward give what the first one did, and whether a second call does."""
    first = subject.attempt_all(subject.inputs(torch.float64))
    if isinstance(first, Exception):
        return []
    n = len(subject.outputs)
    repeated = [
        Case(
            f"in the {which} backward through the same graph (retain_graph=True)", found, first[n:], subject.labels[n:]
        )
        for which, found in zip(("second", "third"), _repeated(subject), strict=False)
    ]
    second = subject.attempt_all(subject.inputs(torch.float64))
    return [
        alike("backward a second and third time", repeated),
        alike("the same call again", [Case("in a second call", second, first, subject.labels)]),
    ]


def _repeated(subject: Subject) -> list[Result]:
    inputs = subject.inputs(torch.float64)
    values = subject.values(subject.function, inputs)
    found: list[Result] = []
    if not any(value.requires_grad for value in values):
        return found
    for _ in range(3):
        try:
            found.append(subject.pull_back(values, inputs, subject.upstream, retain_graph=True))
        except Exception as problem:
            found.append(problem)
    return found[1:]
