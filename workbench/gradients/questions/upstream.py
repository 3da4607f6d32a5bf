"""Upstream gradients as torch hands them out: expanded from one number, sliced, transposed, zero, scaled.

A backward is linear in its upstream gradient and depends on its values alone, so each of these has a truth in the
backward itself. ``loss.sum().backward()`` hands out an expanded one, whose elements share one place in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import alike
from workbench.gradients.subject import Subject


def spread(x: torch.Tensor) -> torch.Tensor:
    """The same values with NaN between them in memory, so that no two are neighbours."""
    return torch.stack([x, torch.full_like(x, torch.nan)], -1)[..., 0]


def ask(subject: Subject) -> list[Check]:
    """Whether the gradient is the same for every upstream gradient of the same values, and linear in it."""
    return [alike("upstream gradient strided, zero or scaled", _cases(subject))]


def _cases(subject: Subject) -> Iterator[tuple]:
    labels = subject.labels[1:]
    u = subject.upstream
    yield "for an upstream gradient of zeros", subject.attempt(torch.zeros_like(u)), subject.zeros(), labels
    base = subject.attempt(subject.upstream)
    if isinstance(base, Exception):
        yield "for a random upstream gradient", base, subject.zeros(), labels
        return
    yield "for an upstream gradient three times as large", subject.attempt(3 * u), [3 * g for g in base], labels
    one = torch.full((), 1.75, dtype=u.dtype, device=u.device)
    whole = subject.attempt(one.expand(u.shape).contiguous())
    if not isinstance(whole, Exception):
        expanded = "for an upstream gradient expanded from one number, as .sum() hands it out"
        yield expanded, subject.attempt(one.expand(u.shape)), whole, labels
    if u.ndim:
        yield "for an upstream gradient that is a slice of other memory", subject.attempt(spread(u)), base, labels
    if u.ndim > 1:
        turned = u.transpose(0, -1).contiguous().transpose(0, -1)
        yield "for an upstream gradient that is a transpose in memory", subject.attempt(turned), base, labels
