"""A wrong element of a function's value or gradient, looked for at given inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from workbench.gradients.diagnosis import ulps
from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.subject import Subject, Upstream, is_floating

DIFFERENCES = 64
"""Elements at which a gradient is held against differences where there is no reference, spread over the tensor."""


@dataclass(frozen=True)
class Element:
    """A wrong element: its index, what it is, what it should be, and whether any gradient came at all."""

    index: tuple[int, ...]
    got: float
    expected: float
    came: bool

    def is_like(self, other: Element) -> bool:
        """Whether both are wrong in the same way: as many times too large, or not finite."""
        mine, theirs = self.got * other.expected, other.got * self.expected
        return math.isclose(mine, theirs, rel_tol=1e-3) or not (math.isfinite(mine) or math.isfinite(theirs))


@dataclass(frozen=True)
class Search:
    """For a wrong element of a value or gradient, which stands at ``which`` of the subject's labels.

    It is wrong if it is more than ``allowed`` ulps of ``dtype`` from ``reference`` in float64, or, without a reference,
    if it is not what differences of the value say.
    """

    subject: Subject
    reference: Callable | None
    which: int
    dtype: torch.dtype
    allowed: float

    @property
    def input(self) -> int | None:
        """Which input the gradient is by; None if it is a value."""
        after = self.which - len(self.subject.outputs)
        return self.subject.moving[after] if after >= 0 else None

    def wrong_element(self, inputs: Sequence, upstream: Upstream) -> Element | None:
        """The first wrong element for these inputs and this upstream gradient, which are of ``dtype``."""
        values = self.subject.values(self.subject.function, inputs)
        if self.input is None:
            got: torch.Tensor | None = values[self.which].detach()
        else:
            got = None
            used = [(v, u) for v, u in zip(values, upstream, strict=True) if u is not None and v.requires_grad]
            if used:
                outputs, handed = zip(*used, strict=True)
                (got,) = torch.autograd.grad(outputs, [inputs[self.input]], handed, allow_unused=True)
        came = got is not None
        got = got if came else torch.zeros_like(inputs[self.input])
        wide = [
            x.detach().double().requires_grad_(k in self.subject.moving) if is_floating(x) else x
            for k, x in enumerate(inputs)
        ]
        if self.reference is None:
            return None if self.input is None else self._off_differences(wide, upstream, got, came)
        truth = self.subject.gradients(self.reference, wide, upstream)[self.which]
        wrong = (ulps(got, truth, self.dtype) > self.allowed).nonzero()
        if not len(wrong):
            return None
        at = tuple(wrong[0].tolist())
        return Element(at, float(got[at]), float(truth[at]), came)

    def _off_differences(self, inputs: list, upstream: Upstream, got: torch.Tensor, came: bool) -> Element | None:
        points = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]

        def weighted(*moved: torch.Tensor) -> torch.Tensor:
            values = zip(upstream, self.subject.values(self.subject.function, moved), strict=True)
            return torch.cat([(u * value).flatten() for u, value in values if u is not None])

        for k in torch.linspace(0, got.numel() - 1, min(got.numel(), DIFFERENCES)).long().tolist():
            at = tuple(int(j) for j in torch.unravel_index(torch.tensor(k), got.shape))
            along = torch.zeros_like(points[self.input])
            along[at] = 1.0
            direction = [along if j == self.input else None for j in range(len(points))]
            truth = finite_difference(weighted, *points, scheme="richardson", direction=direction)
            if not abs(float(got[at]) - truth.value) <= max(10 * truth.error, 1e-6 * abs(truth.value)):
                return Element(at, float(got[at]), truth.value, came)
        return None
