"""Whether a gradient written by hand is the derivative."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np

from workbench.gradients.symbolic import points
from workbench.gradients.symbolic.reading import DerivationError, Formula
from workbench.gradients.symbolic.truth import SAME, Truth, exact

ROUNDED = 1e-6
"""A difference up to this is what a constant makes that was rounded to seven digits or more."""

REACH = 8.0
"""Compared from -8 to 8, where functions that agree on a stretch and differ elsewhere have their branches."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """``same`` or not, and ``words`` that say where, how much and what kind of mistake it may be.

    ``difference`` is the largest relative difference, at ``where``. A verdict is true where the functions are the same.
    """

    same: bool
    words: str
    difference: float
    where: dict[str, float]

    def __bool__(self) -> bool:
        return self.same

    def __repr__(self) -> str:
        return f"{'the same function' if self.same else 'NOT the same function'}: {self.words}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def compare(formula: Formula, by: int, hand: Formula) -> Verdict:
    """Hold a formula written by hand against the derivative of another, in 50 digits.

    Raises DerivationError if it has other parameters.
    """
    names = [p.name for p in formula.parameters]
    if [p.name for p in hand.parameters] != names:
        raise DerivationError(
            f"{hand.name!r} has the parameters {', '.join(p.name for p in hand.parameters)}; "
            f"a gradient to compare has those of {formula.name!r}: {', '.join(names)}"
        )
    truth = Truth(formula, by, REACH)
    written = exact(hand.parameters, hand.number)
    values = points.along(-REACH, REACH, np.float64, 33)
    seen = []
    for point in points.table(names, by, values, {}, np.float64):
        true = truth.at(point)
        got = _at(written, point) if true is not None else None
        if got is None:
            continue
        scale = max(abs(true), abs(got))
        difference = float(abs(true - got) / scale) if scale else 0.0
        if difference > SAME and truth.is_slope(got, point, true):
            continue
        seen.append((difference, point, got, true))
    if not seen:
        raise DerivationError(f"{formula.name!r} has no real derivative at any of the points that were tried")
    difference, point, got, true = max(seen, key=lambda s: s[0])
    where = dict(zip(names, point, strict=True))
    if difference <= SAME:
        words = f"at {len(seen):,} points they agree to {-math.log10(SAME):.0f} digits or more"
        return Verdict(True, words, difference, where)
    wrong = [s for s in seen if s[0] > SAME]
    at = ", ".join(f"{name} = {value:.6g}" for name, value in where.items())
    words = (
        f"{_kind(wrong, seen)}{len(wrong):,} of {len(seen):,} points differ; "
        f"at {at} it is {float(got):.6g} and should be {float(true):.6g}"
    )
    return Verdict(False, words, difference, where)


def _at(function: object, point: Sequence[float]) -> mpmath.mpf | None:
    """A formula at a point; NaN where it is not a real number."""
    with mpmath.workdps(60):
        try:
            found = mpmath.mpf(function(*map(mpmath.mpf, point)))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            return mpmath.nan
    return found


def _kind(wrong: Sequence[tuple], seen: Sequence[tuple]) -> str:
    """A likely cause, where one factor explains every point."""
    ratios = [float(got / true) for _, _, got, true in seen if true]
    if not ratios or len(wrong) < len(ratios) or any(not math.isfinite(r) for r in ratios):
        return ""
    middle = sorted(ratios)[len(ratios) // 2]
    if max(abs(r - middle) for r in ratios) > 1e-9 * abs(middle):
        return "only a constant is rounded: " if max(s[0] for s in seen) < ROUNDED else ""
    named: Mapping[float, str] = {-1.0: "the sign is flipped", 2.0: "a factor 2 too many", 0.5: "a factor 2 is missing"}
    for factor, words in named.items():
        if math.isclose(middle, factor, rel_tol=1e-9):
            return f"{words}: "
    if abs(middle - 1) < ROUNDED:
        return "only a constant is rounded: "
    return f"it is {middle:.6g} times the derivative everywhere: "
