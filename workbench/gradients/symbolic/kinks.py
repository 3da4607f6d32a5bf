"""Where the slope of a function jumps, and which slope is then taken."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import sympy as sp

from workbench.gradients.symbolic import points
from workbench.gradients.symbolic.functions import Maximum, Minimum
from workbench.gradients.symbolic.printing import typed
from workbench.gradients.symbolic.reading import Formula
from workbench.gradients.symbolic.truth import Truth, exact

REACH = 8.0
"""Joints are looked for from -8 to 8."""

BESIDE = mpmath.mpf("1e-20")
"""How far to both sides of a joint the slopes are compared."""

APART, LEAST = 1e-10, 1e-15
"""A jump, relative to what jumps and absolute: a constant that was rounded to sixteen digits makes less than the one,
and a smooth function over twice BESIDE less than the other."""


def kinks(known: sp.Expr, read: Formula, position: int) -> tuple[str, ...]:
    """A sentence for each place in a recognised formula where the function or its slope jumps.

    Where two branches meet in value and in slope, as those of Huber's loss do, there is none; so where abs is squared.
    A joint that is not found between -8 and 8 is told of, since nothing says that it is smooth.
    """
    by = read.parameters[position]
    truth = Truth(read, position, REACH)
    found = []
    for e in sorted(known.atoms(sp.Abs, Maximum, Minimum, sp.Piecewise), key=sp.default_sort_key):
        for gap, words in _joints(e):
            if gap.has(by) and _jumps(gap, read, position, truth):
                found.append(words)
    return tuple(dict.fromkeys(found))


def _joints(e: sp.Expr) -> list[tuple[sp.Expr, str]]:
    """What is zero where the pieces of an expression meet, and in words which slope is taken there."""
    if isinstance(e, sp.Abs):
        return [(e.args[0], f"where {typed(e.args[0])} = 0, abs has slope 0")]
    if isinstance(e, Maximum | Minimum):
        word = "max" if isinstance(e, Maximum) else "min"
        first, second = e.args
        slope = f"{word} has the slope of {typed(first)}, its first argument"
        return [(first - second, f"where {typed(first)} = {typed(second)}, {slope}")]
    tests = {t for _, condition in e.args for t in condition.atoms(sp.core.relational.Relational)}
    return [
        (t.lhs - t.rhs, f"where a branch ends ({typed(t)}), the slope of the branch that the test chooses")
        for t in sorted(tests, key=sp.default_sort_key)
    ]


def _jumps(gap: sp.Expr, read: Formula, position: int, truth: Truth) -> bool:
    """Whether value or slope differ to both sides of a zero of ``gap``, or no zero is found."""
    at = exact(read.parameters, gap.subs(read.constants))
    others = [p.name for k, p in enumerate(read.parameters) if k != position]
    seen = False
    with mpmath.workdps(truth.digits):
        for rest in points.combinations(others, {}):

            def place(x: mpmath.mpf, rest: tuple = rest) -> list:
                return [*rest[:position], x, *rest[position:]]

            for joint in _zeros(lambda x, place=place: at(*map(mpmath.mpf, place(x)))):
                sides = [place(joint - BESIDE), place(joint + BESIDE)]
                slopes = [truth.at(side) for side in sides]
                if None in slopes:
                    continue
                seen = True
                values = [truth.value(*map(mpmath.mpf, side)) for side in sides]
                if _apart(*slopes) or _apart(*values):
                    return True
    return not seen


def _apart(one: mpmath.mpf, other: mpmath.mpf) -> bool:
    return abs(one - other) > max(APART * abs(one), APART * abs(other), LEAST)


def _zeros(function: object) -> list[mpmath.mpf]:
    """Where a function changes its sign between -REACH and REACH, to far less than BESIDE."""
    found = []
    # none of these is a number that people write
    grid = [mpmath.mpf(float(x)) for x in np.linspace(-REACH - 0.0137, REACH + 0.0071, 66)]
    for low, high in itertools.pairwise(grid):
        try:
            right = function(low) > 0
            if (function(high) > 0) == right:
                continue
            for _ in range(120):
                middle = (low + high) / 2
                low, high = (middle, high) if (function(middle) > 0) == right else (low, middle)
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):  # no real number here
            continue
        found.append((low + high) / 2)
    return found
