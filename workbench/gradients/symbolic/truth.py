"""What a derivative is in truth: differences of the function itself in hundreds of digits, by mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import mpmath
import numpy as np
import sympy as sp

from workbench.gradients.symbolic.reading import Formula

EXCUSED = 4.0
"""Errors below this many units in the last place are not looked at twice."""


def exact(parameters: Sequence[sp.Symbol], value: sp.Expr) -> Callable:
    """An expression as a function of mpmath numbers."""
    whole = {
        "Maximum": lambda a, b: b if b > a else a,
        "Minimum": lambda a, b: b if b < a else a,
        "Sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
        "Softplus": lambda u: mpmath.log(1 + mpmath.exp(u)),
    }
    return sp.lambdify(parameters, value, modules=[whole, "mpmath"])


SAME = 1e-13
"""Two derivatives are the same if they differ by no more, relative to the larger: constants have 16 digits."""


class Truth:
    """The derivative of a formula by one parameter, at any point, from values of the formula alone."""

    def __init__(self, formula: Formula, by: int, reach: float) -> None:
        self.value = exact(formula.parameters, formula.number)
        self.by = by
        self.digits = 50 + min(2 * math.ceil(reach), 2000)  # exp(-reach) beside 1, and squared

    def at(self, point: Sequence[float], side: int = 0) -> mpmath.mpf | None:
        """The derivative, from one side where ``side`` is 1 or -1; None where there is no real one."""
        where = [p if isinstance(p, mpmath.mpf) else mpmath.mpf(float(p)) for p in point]

        def along(moved: mpmath.mpf) -> mpmath.mpf:
            return self.value(*where[: self.by], moved, *where[self.by + 1 :])

        with mpmath.workdps(self.digits):
            try:
                found = mpmath.diff(along, where[self.by], direction=side)
            except (ZeroDivisionError, ValueError, TypeError, OverflowError):
                return None
            return found if isinstance(found, mpmath.mpf) and mpmath.isfinite(found) else None

    def error(self, got: float, point: Sequence[float], truth: mpmath.mpf, dtype: type) -> tuple[float, float]:
        """The error in units of the last place of the truth, and in those of the truth or of what it is derived
        by, if larger.

        The second forgives what no formula can avoid: near a crossing of zero, the last bit of the input decides. At
        a kink, any value between the slopes to both sides is right.
        """
        plain = _units(got, truth, spacing(truth, dtype), dtype)
        if plain <= EXCUSED:
            return plain, plain
        sides = [self.at(point, side) for side in (-1, 1)]
        if None not in sides and sides[0] != sides[1]:
            low, high = sorted(sides)
            slack = EXCUSED * max(spacing(s, dtype) for s in sides)
            if low - slack <= got <= high + slack and abs(high - low) > slack:
                return 0.0, 0.0
        unit = spacing(truth, dtype)
        there = self.at([*point[: self.by], float(np.nextafter(dtype(point[self.by]), dtype(np.inf))),
                         *point[self.by + 1 :]])  # fmt: skip
        if there is not None:
            unit = max(unit, abs(there - truth))
        return plain, _units(got, truth, unit, dtype)

    def is_slope(self, got: mpmath.mpf, point: Sequence[float], truth: mpmath.mpf) -> bool:
        """Whether a derivative that was computed in many digits is this one: at a kink, between those to both sides."""
        scale = max(abs(truth), abs(got))
        if abs(got - truth) <= SAME * scale:
            return True
        sides = [self.at(point, side) for side in (-1, 1)]
        if None in sides or abs(sides[0] - sides[1]) <= SAME * scale:
            return False
        return min(sides) - SAME * scale <= got <= max(sides) + SAME * scale


def spacing(value: mpmath.mpf, dtype: type) -> mpmath.mpf:
    """The unit in the last place of a dtype at a value."""
    limits = np.finfo(dtype)
    smallest = mpmath.mpf(float(limits.tiny))
    exponent = mpmath.frexp(max(abs(value), smallest))[1]
    return mpmath.ldexp(mpmath.mpf(1), int(exponent) - 1 - limits.nmant)


def _units(got: float, truth: mpmath.mpf, unit: mpmath.mpf, dtype: type) -> float:
    """The distance in these units; infinite for NaN, and for an infinity where the truth fits the dtype."""
    if math.isnan(got):
        return math.inf
    if math.isinf(got):
        return 0.0 if abs(truth) >= float(np.finfo(dtype).max) and (got > 0) == (truth > 0) else math.inf
    return float(abs(mpmath.mpf(got) - truth) / unit)
