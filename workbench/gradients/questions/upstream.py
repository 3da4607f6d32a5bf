"""Upstream gradients as torch hands them out: expanded from one number, sliced, transposed, zero, scaled.

A backward is linear in its upstream gradient and depends on its values alone, so each of these has a truth in the
backward itself. ``loss.sum().backward()`` hands out an expanded one, whose elements share one place in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, Result, alike
from workbench.gradients.subject import Subject


def spread(x: torch.Tensor) -> torch.Tensor:
    """The same values with NaN between them in memory, so that no two are neighbours."""
    return torch.stack([x, torch.full_like(x, torch.nan)], -1)[..., 0]


def turned(x: torch.Tensor) -> torch.Tensor:
    """The same values, a matrix's transposed in memory."""
    return x.transpose(0, -1).contiguous().transpose(0, -1) if x.ndim > 1 else spread(x)


def ask(subject: Subject) -> list[Check]:
    """Whether the gradient is the same for every upstream gradient of the same values, and linear in it."""
    return [alike("upstream gradient strided, zero or scaled", _cases(subject))]


def _cases(subject: Subject) -> Iterator[Case]:
    labels = subject.labels[len(subject.outputs) :]

    def attempt(change: Callable[[torch.Tensor], torch.Tensor]) -> Result:
        return subject.attempt([None if u is None else change(u) for u in subject.upstream])

    base = attempt(torch.clone)
    yield Case("for an upstream gradient of zeros", attempt(torch.zeros_like), subject.zeros(), labels)
    if isinstance(base, Exception):
        yield Case("for a random upstream gradient", base, subject.zeros(), labels)
        return
    tripled = attempt(lambda u: 3 * u)
    yield Case("for an upstream gradient three times as large", tripled, [3 * g for g in base], labels)
    whole = attempt(lambda u: _expanded(u).contiguous())
    if not isinstance(whole, Exception):
        expanded = "for an upstream gradient expanded from one number, as .sum() hands it out"
        yield Case(expanded, attempt(_expanded), whole, labels)
    dimensions = max(len(shape) for shape in subject.shapes)
    if dimensions:
        yield Case("for an upstream gradient that is a slice of other memory", attempt(spread), base, labels)
    if dimensions > 1:
        yield Case("for an upstream gradient that is a transpose in memory", attempt(turned), base, labels)


def _expanded(u: torch.Tensor) -> torch.Tensor:
    return torch.full((), 1.75, dtype=u.dtype, device=u.device).expand(u.shape)
