"""Functions that SymPy must keep whole, because taking them apart is what makes float32 overflow or cancel."""

from __future__ import annotations

from typing import Any

import sympy as sp


class _Real(sp.Function):
    """A real function of real arguments."""

    def _eval_is_extended_real(self) -> bool:
        return True


class Sigmoid(_Real):
    """1 / (1 + exp(-u)). Its derivative is written with both tails, so that neither is one minus the other."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Sigmoid(self.args[0]) * Sigmoid(-self.args[0])

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _named(r"\sigma", self, printer, exp)


class Softplus(_Real):
    """log(1 + exp(u))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Sigmoid(self.args[0])

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _named(r"\operatorname{softplus}", self, printer, exp)


class Maximum(_Real):
    """max(a, b) as Python has it: a where they tie, and so the derivative of a."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b = self.args
        return sp.Piecewise((sp.Integer(argindex == 1), a >= b), (sp.Integer(argindex == 2), True))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _named(r"\max", self, printer, exp)


class Minimum(_Real):
    """min(a, b) as Python has it: a where they tie, and so the derivative of a."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b = self.args
        return sp.Piecewise((sp.Integer(argindex == 1), a <= b), (sp.Integer(argindex == 2), True))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _named(r"\min", self, printer, exp)


def _named(name: str, call: sp.Function, printer: Any, exp: str | None) -> str:
    arguments = ", ".join(printer._print(a) for a in call.args)
    power = "" if exp is None else f"^{{{exp}}}"
    return rf"{name}{power}\left({arguments}\right)"
