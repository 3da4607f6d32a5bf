"""Several outputs, of which a training loop may leave one unused: its upstream gradient is then None, or zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, against, alike
from workbench.gradients.subject import Subject


def ask(subject: Subject, reference: Callable | None) -> list[Check]:
    """Whether the gradient is right where each output is unused in turn; nothing is asked of a single output.

    Without a reference the truth is the gradient for an upstream gradient of zeros in its place. A gradient is linear
    in its upstream gradients, so those of n outputs with one unused in turn add up to n - 1 times the whole.
    """
    used = [k for k, upstream in enumerate(subject.upstream) if upstream is not None]
    if len(used) < 2:
        return []
    cases = _by_itself(subject, used) if reference is None else _by_reference(subject, reference, used)
    return [alike("each output unused in turn", cases)]


def _by_reference(subject: Subject, reference: Callable, used: list[int]) -> Iterator[Case]:
    for k in used:
        case = against(subject.without(k), reference, f"where {subject.outputs[k]} is unused")
        if case:
            yield case


def _by_itself(subject: Subject, used: list[int]) -> Iterator[Case]:
    labels = subject.labels[len(subject.outputs) :]
    total = subject.zeros()
    for k in used:
        zeroed = subject.upstream
        zeroed[k] = torch.zeros_like(zeroed[k])
        truth = subject.attempt(zeroed)
        if isinstance(truth, Exception):
            yield Case(f"where {subject.outputs[k]} has an upstream gradient of zeros", truth, total, labels)
            return
        unused = subject.attempt(subject.without(k).upstream)
        yield Case(f"where {subject.outputs[k]} is unused", unused, truth, labels)
        total = [one + other for one, other in zip(total, unused, strict=True)]
    whole = [(len(used) - 1) * gradient for gradient in subject.attempt(subject.upstream)]
    yield Case("added up over the outputs, each unused in turn", total, whole, labels)
