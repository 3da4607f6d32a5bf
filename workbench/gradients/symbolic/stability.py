"""Over which range a derivative holds in float32 or float64, and to how many units in the last place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from workbench.gradients.symbolic import points
from workbench.gradients.symbolic.printing import compiled
from workbench.gradients.symbolic.reading import Formula
from workbench.gradients.symbolic.truth import Truth
from workbench.launch import blocks, launch
from workbench.tables import Table

ALLOWED = 16.0
"""A derivative holds where it errs by no more than this, in ulps of the result or of the parameter."""

KERNEL = """

@cuda.jit
def evaluate(arguments, answers):
    i = cuda.grid(1)
    if i < answers.size:
        answers[i] = {call}
"""
"""A kernel that evaluates a device function at arguments [n, parameters]. Updates: answers [n]."""


@dataclass(frozen=True, repr=False)
class Stability:
    """A sweep of a derivative over a range of one parameter, against mpmath.

    ``worst`` is the largest error in units of the last place (ulp) of the true derivative, at ``where``; ``relative``
    is the same with what the last bit of the parameter makes of the result for unit, where that is more. ``holds`` is
    the part of the range around its middle where ``relative`` stays within 16, or None.
    """

    name: str
    by: str
    dtype: torch.dtype
    low: float
    high: float
    holds: tuple[float, float] | None
    worst: float
    where: dict[str, float]
    relative: float
    points: int

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        held = f"{self.holds[0]:g} to {self.holds[1]:g}" if self.holds else "nowhere"
        at = ", ".join(f"{name} = {value:.9g}" for name, value in self.where.items())
        return Table(
            f"{self.name} in {str(self.dtype).removeprefix('torch.')}, {self.by} from {self.low:g} to {self.high:g}",
            ("question", "answer"),
            (
                (f"holds to {ALLOWED:g} ulp for {self.by}", held),
                ("worst error", f"{self.worst:.3g} ulp of the result, at {at}"),
                ("worst error, in ulps of the result or of the parameter", f"{self.relative:.3g} ulp"),
                ("points, each against mpmath", f"{self.points:,}"),
            ),
        )


def sweep(
    name: str,
    formula: Formula,
    by: int,
    source: str,
    low: float,
    high: float,
    dtype: torch.dtype,
    others: Mapping[str, Sequence[float]],
    device: torch.device,
) -> Stability:
    """Run the device function ``name`` of this source over the range and hold each answer against the truth."""
    kind = np.float32 if dtype == torch.float32 else np.float64
    names = [p.name for p in formula.parameters]
    values = points.along(low, high, kind, 121)
    tried = points.table(names, by, values, others, kind)
    truth = Truth(formula, by, max(abs(low), abs(high)))
    got = run(source, name, tried, dtype, device)
    worst, relative, where, count = 0.0, 0.0, tried[0], 0
    errors = dict.fromkeys(values.tolist(), 0.0)
    for point, answer in zip(tried, got, strict=True):
        true = truth.at(point)
        if true is None:
            continue
        count += 1
        plain, eased = truth.error(answer, point, true, kind)
        if plain > worst:
            worst, where = plain, point
        relative = max(relative, eased)
        errors[point[by]] = max(errors[point[by]], eased)
    return Stability(
        name, names[by], dtype, low, high, _held(errors, (low + high) / 2), worst,
        dict(zip(names, where, strict=True)), relative, count,
    )  # fmt: skip


def run(
    source: str, function: str, tried: Sequence[tuple[float, ...]], dtype: torch.dtype, device: torch.device
) -> list[float]:
    """What a device function of this source returns at each point, computed by a kernel in this dtype."""
    kernel = compiled(source + KERNEL.format(call=_call(function, len(tried[0]))), "evaluate")
    arguments = torch.tensor(tried, dtype=dtype, device=device)
    answers = torch.empty(len(tried), dtype=dtype, device=device)
    launch(kernel[blocks(len(tried)), 256], arguments, answers)
    return answers.tolist()


def _call(function: str, parameters: int) -> str:
    return f"{function}({', '.join(f'arguments[i, {k}]' for k in range(parameters))})"


def _held(errors: Mapping[float, float], middle: float) -> tuple[float, float] | None:
    """The longest stretch about the middle without an error above ALLOWED."""
    tried = sorted(errors)
    start = min(range(len(tried)), key=lambda k: math.fabs(tried[k] - middle))
    if errors[tried[start]] > ALLOWED:
        return None
    first = last = start
    while first > 0 and errors[tried[first - 1]] <= ALLOWED:
        first -= 1
    while last < len(tried) - 1 and errors[tried[last + 1]] <= ALLOWED:
        last += 1
    return tried[first], tried[last]
