"""Memory: what a call must leave alone, and what it must not leave as it found it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import Case, alike
from workbench.gradients.subject import Subject


def ask(subject: Subject) -> list[Check]:
    """Whether inputs and upstream gradient are unchanged afterwards, and every element of a result is written."""
    inputs = subject.inputs(torch.float64)
    tensors = [x for x in inputs if isinstance(x, torch.Tensor)]
    names = [name for name, x in zip(subject.names, inputs, strict=True) if isinstance(x, torch.Tensor)]
    upstream = subject.upstream
    handed = [u for u in upstream if u is not None]
    before = [x.detach().clone() for x in (*tensors, *handed)]
    plain = subject.attempt_all(inputs, upstream=upstream)
    if isinstance(plain, Exception):
        return []
    after = [x.detach() for x in (*tensors, *handed)]
    kept = [(x.double(), y.double()) for x, y in zip(after, before, strict=True)]
    labels = [*(f"input {name}" for name in names), *["upstream gradient"] * len(handed)]
    left_alone = Case("after forward and backward", [x for x, _ in kept], [y for _, y in kept], labels)
    with _unwritten_is_nan():
        poisoned = subject.attempt_all(subject.inputs(torch.float64))
    written = Case("where memory that torch.empty gives holds NaN", poisoned, plain, subject.labels)
    return [
        alike("inputs and upstream gradient left as they were", [left_alone]),
        alike("every element of a result written", [written]),
    ]


@contextlib.contextmanager
def _unwritten_is_nan() -> Iterator[None]:
    """Within this, torch fills memory that it hands out uninitialised with NaN."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own operations that are not deterministic
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fills
