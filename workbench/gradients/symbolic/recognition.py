"""Sigmoid, softplus and their tails, found in a formula before anything simplifies it.

SymPy simplifies 1 / (1 + exp(-x)) into quotients of exp(x), which overflow. A function that is kept whole does not.
"""

from __future__ import annotations

import sympy as sp

from workbench.gradients.symbolic.functions import Maximum, Sigmoid, Softplus


def recognise(expression: sp.Basic) -> sp.Basic:
    """The same function with sigmoid, softplus and log-sigmoid in place of what they are made of."""
    if not expression.args:
        return expression
    arguments = [recognise(a) for a in expression.args]
    if list(expression.args) != arguments:
        expression = expression.func(*arguments)
    rule = next((rule for kind, rule in RULES.items() if isinstance(expression, kind)), None)
    return expression if rule is None else rule(expression)


def complement(total: sp.Expr) -> sp.Expr:
    """A sum that is linear in a sigmoid, as a blend of its two tails: A(0) sigmoid(-u) + A(1) sigmoid(u).

    With one minus sigmoid written as the other tail, nothing cancels that does not cancel in truth.
    """
    if not total.is_Add:
        return total
    for sigmoid in sorted(total.atoms(Sigmoid), key=sp.default_sort_key):
        p = sp.Dummy(real=True)
        other = Sigmoid(-sigmoid.args[0])
        blend = total.subs(other, 1 - p).subs(sigmoid, p)
        if blend.is_polynomial(p) and sp.degree(blend, p) == 1:
            none, all_ = sp.factor(blend.subs(p, 0)), sp.factor(blend.subs(p, 1))
            if none == -all_:
                return all_ * sp.tanh(sigmoid.args[0] / 2)
            return all_ * sigmoid + none * other
    return total


def complements(expression: sp.Expr) -> sp.Expr:
    """:func:`complement` for every sum in the expression."""
    return expression.replace(lambda e: e.is_Add and e.has(Sigmoid), complement)


def _one_plus_exp(e: sp.Expr) -> sp.Expr | None:
    """The u of 1 + exp(u)."""
    if e.is_Add and len(e.args) == 2 and sp.S.One in e.args:
        other = e - 1
        if isinstance(other, sp.exp):
            return other.args[0]
    return None


def _log(e: sp.log) -> sp.Expr:
    """log(1 + exp(u)) is softplus(u); log(sigmoid(u)) is -softplus(-u)."""
    inner = e.args[0]
    u = _one_plus_exp(inner)
    if u is not None:
        return Softplus(u)
    if isinstance(inner, Sigmoid):
        return -Softplus(-inner.args[0])
    return e


def _power(e: sp.Pow) -> sp.Expr:
    """(1 + exp(u))^-n is sigmoid(-u)^n; a power that is not whole is exp(n log): neither tail underflows first."""
    base, exponent = e.args
    u = _one_plus_exp(base)
    if exponent.is_Integer:
        return Sigmoid(-u) ** (-exponent) if u is not None and exponent < 0 else e
    if u is not None:
        return sp.exp(exponent * Softplus(u))
    if isinstance(base, Sigmoid):
        return sp.exp(-exponent * Softplus(-base.args[0]))
    return e


def _product(e: sp.Mul) -> sp.Expr:
    """exp(u) sigmoid(-u) is sigmoid(u)."""
    for factor in e.args:
        if isinstance(factor, sp.exp):
            tail = Sigmoid(-factor.args[0])
            if any(f == tail or (f.is_Pow and f.base == tail and f.exp.is_Integer and f.exp > 0) for f in e.args):
                return _product_of(e / factor / tail * Sigmoid(factor.args[0]))
    return e


def _product_of(e: sp.Expr) -> sp.Expr:
    return _product(e) if e.is_Mul else e


def _sum(e: sp.Add) -> sp.Expr:
    """1 - sigmoid(u) is sigmoid(-u); max(u, 0) + softplus(-|u|) is softplus(u), smooth where both parts have a kink."""
    for term in e.args:
        factor, rest = term.as_independent(Softplus, as_Add=False)
        if isinstance(rest, Softplus) and isinstance(-rest.args[0], sp.Abs):
            u = (-rest.args[0]).args[0]
            for v in (u, -u):
                for pair in (Maximum(v, sp.S.Zero), Maximum(sp.S.Zero, v)):
                    if factor * pair in e.args:
                        return _sum_of(e - term - factor * pair + factor * Softplus(v))
        factor, rest = term.as_independent(Sigmoid, as_Add=False)
        if isinstance(rest, Sigmoid) and -factor in e.args:
            return _sum_of(e - term + factor - factor * Sigmoid(-rest.args[0]))
    return e


def _sum_of(e: sp.Expr) -> sp.Expr:
    return _sum(e) if e.is_Add else e


RULES = {sp.log: _log, sp.Pow: _power, sp.Mul: _product, sp.Add: _sum}
