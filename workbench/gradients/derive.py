"""derive: from a scalar function to its derivative, as a formula to read and as source that float32 computes well."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import torch
from sympy.printing.latex import greek_letters_set

from workbench.executors import best_device
from workbench.gradients.symbolic import forms, points
from workbench.gradients.symbolic.kinks import kinks
from workbench.gradients.symbolic.printing import compiled, source
from workbench.gradients.symbolic.reading import DerivationError, Formula, formula
from workbench.gradients.symbolic.recognition import recognise
from workbench.gradients.symbolic.stability import Stability, sweep
from workbench.gradients.symbolic.truth import Truth
from workbench.gradients.symbolic.verdict import Verdict, compare

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
REACH = 120.0
"""The forms of a derivative are tried from -120 to 120: beyond 104, exp leaves float32 on both ends."""


@dataclass(frozen=True)
class Step:
    """A line of the derivation: what was done, and the formula that it led to, as LaTeX."""

    words: str
    latex: str


@dataclass(frozen=True, repr=False)
class Derivation:
    """The derivative of a scalar function by one of its parameters.

    ``latex`` is the derivative in its shortest form. ``source`` is a module with a ``cuda.jit(device=True)`` function
    ``name`` of the same parameters, in the form that this dtype computes best; ``function`` is that function, to call
    from a kernel. ``kinks`` says, where the function or its slope jumps, which slope it takes; it says nothing of where
    pieces meet in both, as those of Huber's loss do.
    """

    name: str
    by: str
    dtype: torch.dtype
    latex: str
    source: str
    steps: tuple[Step, ...]
    kinks: tuple[str, ...]
    formula: Formula

    @functools.cached_property
    def function(self) -> Any:
        """The derivative as a device function."""
        return compiled(self.source, self.name)

    def same_as(self, hand_written: Callable) -> Verdict:
        """Whether a gradient written by hand is this derivative, whatever its form.

        It has the same parameters, by name. Raises DerivationError where it is no formula of them.
        """
        return compare(self.formula, self._position, formula(hand_written))

    def stability(
        self,
        low: float = -120.0,
        high: float = 120.0,
        dtype: torch.dtype | None = None,
        **others: Sequence[float],
    ) -> Stability:
        """The error over a range of the parameter, against mpmath, as a kernel on this machine computes it.

        ``others`` are the values of the other parameters to try, by name; each is else 0, 1, 0.25 and -3 in turn.
        Raises DerivationError for a range without numbers, another dtype, and a name that is no other parameter.
        """
        dtype = dtype or self.dtype
        _check_dtype(dtype)
        if not low < high:
            raise DerivationError(f"low={low:g} is not below high={high:g}")
        names = {p.name for p in self.formula.parameters} - {self.by}
        for name in others:
            if name not in names:
                raise DerivationError(f"{name!r} is not one of the other parameters, {', '.join(sorted(names))}")
        derived = self if dtype == self.dtype else _derived(self.formula, self._position, dtype)
        return sweep(self.name, self.formula, self._position, derived.source, low, high, dtype, others, best_device())

    @property
    def _position(self) -> int:
        return [p.name for p in self.formula.parameters].index(self.by)

    def __repr__(self) -> str:
        kinks = "".join(f"# {kink}\n" for kink in self.kinks)
        return f"# d/d{self.by} of {self.formula.name} = {self.latex}\n{kinks}\n{self.source}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {_slope(self.by)} = {self.latex}$"

    def _repr_html_(self) -> str:
        steps = "".join(
            f"<li>{html.escape(s.words)}<br>$\\displaystyle {html.escape(s.latex)}$</li>" for s in self.steps
        )
        kinks = "".join(f"<p>{html.escape(kink)}</p>" for kink in self.kinks)
        return f"<div><ol>{steps}</ol>{kinks}<pre>{html.escape(self.source)}</pre></div>"


def derive(function: Callable, by: str | None = None, dtype: torch.dtype = torch.float32) -> Derivation:
    """The derivative of a scalar function by the parameter ``by``, or by its first.

    ``function`` is a plain Python function, a lambda, or a ``cuda.jit(device=True)`` function: arithmetic, ``math.*``,
    ``min``, ``max``, ``abs``, ``if``/``else``, constants by name, and calls of functions made of the same.
    ``dtype`` is what the device function computes in.

    Raises DerivationError, with the line, for what has no formula: a loop, an array, a call of anything else.
    """
    _check_dtype(dtype)
    read = formula(function)
    names = [p.name for p in read.parameters]
    if not names:
        raise DerivationError(f"{read.name!r} has no parameter to derive by")
    if by is not None and by not in names:
        raise DerivationError(f"{read.name!r} has no parameter {by!r}; it has {', '.join(names)}")
    return _derived(read, names.index(by) if by else 0, dtype)


def _derived(read: Formula, position: int, dtype: torch.dtype) -> Derivation:
    parameter = read.parameters[position]
    known = recognise(read.value)
    raw = recognise(forms.derivative(known, parameter))
    found = forms.forms(raw)
    short = forms.shortest(found)
    kind = getattr(np, DTYPES[dtype])
    tried = points.table([p.name for p in read.parameters], position, points.along(-REACH, REACH, kind, 17), {}, kind)
    computed = forms.best(found, read, Truth(read, position, REACH), tried, DTYPES[dtype])
    own = "derivative" if read.name == "<lambda>" else read.name
    name = f"{own}_d{parameter.name}"
    return Derivation(
        name=name,
        by=parameter.name,
        dtype=dtype,
        latex=_latex(short, read),
        source=source(name, read, computed, DTYPES[dtype]),
        steps=_steps(read, parameter, known, raw, short, computed, DTYPES[dtype]),
        kinks=kinks(known, read, position),
        formula=read,
    )


def _steps(
    read: Formula, by: sp.Symbol, known: sp.Expr, raw: sp.Expr, short: sp.Expr, computed: sp.Expr, dtype: str
) -> tuple[Step, ...]:
    """The derivation line by line, without the lines that change nothing."""
    slope = _slope(by.name)
    lines = [
        ("the function", "f = ", read.value),
        ("with sigmoid and softplus kept whole", "f = ", known),
        ("differentiated rule by rule", f"{slope} = ", raw),
        ("in its shortest form", f"{slope} = ", short),
        (f"in the form that {dtype} computes best", f"{slope} = ", computed),
    ]
    steps: list[Step] = []
    for words, left, value in lines:
        latex = left + _latex(value, read)
        if not steps or latex != steps[-1].latex:
            steps.append(Step(words, latex))
    return tuple(steps)


def _latex(value: sp.Expr, read: Formula) -> str:
    """A formula as LaTeX, with Greek letters for constants that are named after them."""
    names = {}
    for constant in read.constants:
        name = constant.name.lower()
        is_greek = name in greek_letters_set
        names[constant] = f"\\{name}" if is_greek else sp.latex(sp.Symbol(constant.name))
    return sp.latex(value, symbol_names=names)


def _slope(by: str) -> str:
    return rf"\frac{{\partial f}}{{\partial {sp.latex(sp.Symbol(by))}}}"


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in DTYPES:
        raise DerivationError(f"dtype={dtype} cannot be derived for; choose torch.float32 or torch.float64")
