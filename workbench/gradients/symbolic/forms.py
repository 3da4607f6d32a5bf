"""Of the forms that a derivative can be written in, the one that float32 computes best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from workbench.gradients.symbolic.printing import source
from workbench.gradients.symbolic.reading import DerivationError, Formula
from workbench.gradients.symbolic.recognition import complements, recognise
from workbench.gradients.symbolic.truth import Truth, exact

GOOD = 4.0
"""Forms that err by no more units in the last place than this are told apart by their length alone."""


def derivative(value: sp.Expr, by: sp.Symbol) -> sp.Expr:
    """The derivative of a recognised formula, rule by rule and unsimplified.

    Raises DerivationError where SymPy finds none.
    """
    found = sp.diff(value, by)
    found = found.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    if found.has(sp.Derivative, sp.Subs):
        raise DerivationError(f"SymPy finds no derivative of {value} by {by}")
    return found


def forms(raw: sp.Expr) -> list[sp.Expr]:
    """The derivative in every way of writing it that is tried, each branch by itself."""
    found: list[sp.Expr] = []
    folded = sp.piecewise_fold(raw) if raw.has(sp.Piecewise) else raw
    for rewrite in (lambda e: e, sp.factor_terms, sp.simplify, sp.factor, lambda e: sp.factor(sp.simplify(e))):
        whole = recognise(_by_branch(rewrite, folded))
        for form in (whole, complements(whole)):
            if form not in found:
                found.append(form)
    return found if raw in found else [raw, *found]


def shortest(found: Sequence[sp.Expr]) -> sp.Expr:
    """The form to read: fewest operations."""
    return min(found, key=_length)


def best(
    found: Sequence[sp.Expr],
    read: Formula,
    truth: Truth,
    points: Sequence[tuple[float, ...]],
    dtype: str,
) -> sp.Expr:
    """The form to compute: the shortest of those that err least at these points.

    Raises DerivationError where no form is the derivative, or none can be written as source.
    """
    truths = [(point, true) for point in points if (true := truth.at(point)) is not None]
    if not truths:
        raise DerivationError(f"{read.name!r} has no real derivative at any of the {len(points):,} points tried")
    ranked = []
    problem = DerivationError(f"SymPy's derivative of {read.name!r} is not its slope; write it in another form")
    for form in found:
        try:
            if not _is_derivative(exact(read.parameters, form.subs(read.constants)), truths, truth):
                continue
            function = emulated(source("derivative", read, form, dtype), "derivative", dtype)
        except DerivationError as error:
            problem = error
            continue
        ranked.append((*_badness(function, truths, truth, dtype), _length(form), form))
    if not ranked:
        raise problem
    return min(ranked, key=lambda r: r[:-1])[-1]


def emulated(text: str, name: str, dtype: str) -> Callable[..., Any]:
    """The device function of a module's source, in NumPy's scalars of the dtype."""
    kind = getattr(np, dtype)
    lines = [line for line in text.splitlines() if not line.startswith(("import ", "from "))]
    module: dict[str, Any] = {
        "math": _Math(kind),
        "cuda": SimpleNamespace(jit=lambda **_: lambda function: function),
        dtype: kind,
        "sine": np.sin,
        "cosine": np.cos,
        "tangent": np.tan,
    }
    exec("\n".join(lines), module)
    return module[name]


class _Math:
    """``math`` on NumPy's scalars: infinity and NaN where Python raises."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == "pow":
            return np.power
        found = getattr(np, {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
                             "acosh": "arccosh", "atanh": "arctanh"}.get(name, name), None)  # fmt: skip
        return found or (lambda u: self.kind(getattr(math, name)(u)))


def _is_derivative(form: Callable, truths: Sequence[tuple[tuple[float, ...], mpmath.mpf]], truth: Truth) -> bool:
    """Whether a form is the derivative at these points, in many digits: simplifying must not have changed it."""
    with mpmath.workdps(truth.digits):
        for point, true in truths:
            try:
                got = mpmath.mpf(form(*map(mpmath.mpf, point)))
            except (ZeroDivisionError, TypeError):
                continue  # a removable gap, which _badness counts
            if mpmath.isfinite(got) and not truth.is_slope(got, point, true):
                return False
    return True


def _badness(
    function: Callable, truths: Sequence[tuple[tuple[float, ...], mpmath.mpf]], truth: Truth, dtype: str
) -> tuple[int, int]:
    """How many answers are off by more than half of what they should be, and the order of magnitude of the rest."""
    kind = getattr(np, dtype)
    lost, worst = 0, 0.0
    with np.errstate(all="ignore"):
        for point, true in truths:
            _, error = truth.error(float(function(*map(kind, point))), point, true, kind)
            if error > 1 / (2 * np.finfo(kind).eps):
                lost += 1
            else:
                worst = max(worst, error)
    return lost, math.ceil(math.log2(max(worst, GOOD)))


def _by_branch(rewrite: Callable[[sp.Expr], sp.Expr], e: sp.Expr) -> sp.Expr:
    if isinstance(e, sp.Piecewise):
        return sp.Piecewise(*((_by_branch(rewrite, piece), condition) for piece, condition in e.args))
    return rewrite(e)


def _length(e: sp.Expr) -> int:
    """Operations, and the digits of constants beyond the usual."""
    digits = sum(max(0, len(f"{n.p}{n.q}") - 4) for n in e.atoms(sp.Rational))
    return int(sp.count_ops(e)) + digits
