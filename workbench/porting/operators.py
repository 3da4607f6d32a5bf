"""Operators: what Python's arithmetic, comparisons and conditions are in C++."""

from __future__ import annotations

import ast
import operator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numba.core import types

from workbench.porting.expression import Effect, Expression, Level, computed, literal, order, typed
from workbench.porting.function import Function
from workbench.porting.kinds import BOOL, DOUBLE, HALF, Kind, Range, fits, limits, promoted
from workbench.porting.ranges import SIZE, combined, joined

BINARY = {
    ast.Add: (operator.add, "+", Level.SUM),
    ast.Sub: (operator.sub, "-", Level.SUM),
    ast.Mult: (operator.mul, "*", Level.PRODUCT),
    ast.Div: (operator.truediv, "/", Level.PRODUCT),
    ast.FloorDiv: (operator.floordiv, "//", Level.PRODUCT),
    ast.Mod: (operator.mod, "%", Level.PRODUCT),
    ast.Pow: (operator.pow, "**", Level.PRODUCT),
    ast.BitAnd: (operator.and_, "&", Level.BIT_AND),
    ast.BitOr: (operator.or_, "|", Level.BIT_OR),
    ast.BitXor: (operator.xor, "^", Level.BIT_XOR),
    ast.LShift: (operator.lshift, "<<", Level.SHIFT),
    ast.RShift: (operator.rshift, ">>", Level.SHIFT),
}

COMPARISONS = {
    ast.Lt: (operator.lt, "<", Level.RELATION),
    ast.LtE: (operator.le, "<=", Level.RELATION),
    ast.Gt: (operator.gt, ">", Level.RELATION),
    ast.GtE: (operator.ge, ">=", Level.RELATION),
    ast.Eq: (operator.eq, "==", Level.EQUALITY),
    ast.NotEq: (operator.ne, "!=", Level.EQUALITY),
}

LARGEST_POWER = 64
"""The largest constant exponent that is multiplied out."""


class Operators(Function):
    """Expressions made by operators of other expressions."""

    unary: ClassVar[dict] = {ast.USub: (operator.neg, "-"), ast.Invert: (operator.invert, "~")}

    def binary(self, node: ast.BinOp) -> Expression:
        return self.operation(node, node.op, self.operand(node.left), self.operand(node.right))

    def operand(self, node: ast.expr) -> Expression:
        """A scalar, in the parentheses that its author put around it."""
        found = self.scalar(node)
        if found.level < Level.UNARY and isinstance(node, ast.BinOp) and self.text.has_parentheses(node):
            return replace(found, parenthesized=True)
        return found

    def operation(self, node: ast.AST, op: ast.operator, a: Expression, b: Expression) -> Expression:
        """``a op b`` as C++, with Numba's types and Python's meaning."""
        function, symbol, level = BINARY[type(op)]
        self.keep_order(node, a, b)
        if symbol == "**":
            return self._power(node, a, b)
        result, _ = self.signature(node, function, (a.kind, b.kind))
        if result.single == types.float64:
            self.note_float64(node, a, b)
        found = self._wrapped(symbol, result, a, b)
        natural = result.is_integer and (
            found[0] >= 0
            or (a.natural and b.natural and symbol not in "-^~")
            or (symbol == "&" and (a.natural or b.natural))
        )
        facts = {"range": found, "natural": natural, "effect": max(a.effect, b.effect)}
        if symbol in ("//", "%"):
            return self._division(symbol, result, a, b, facts)
        if symbol in ("<<", ">>"):
            return self._shift(symbol, level, result, a, b, facts)
        a, b, cpp = self._agree(a, b, result, found)
        code = f"{a.at(level)} {symbol} {b.at(level + 1)}"
        return Expression(code, level, result, cpp, **facts, left=a.code, right=b.code)

    def _wrapped(self, symbol: str, result: Kind, a: Expression, b: Expression) -> Range | None:
        """The range of an integer result, which wraps round where it overflows."""
        if not result.is_integer:
            return None
        found = combined(symbol, a.range, b.range)
        return found if found is not None and fits(found, result.single) else limits(result.single)

    def _agree(
        self, a: Expression, b: Expression, result: Kind, found: Range | None
    ) -> tuple[Expression, Expression, Kind]:
        """The operands such that C++ computes what Numba does, with a cast only where it would do otherwise."""

        def is_right(a: Expression, b: Expression) -> bool:
            cpp = computed(a, b)
            if result.is_float:
                return cpp == result
            return all(fits(found, one) and fits(a.range, one) and fits(b.range, one) for one in cpp)

        if is_right(a, b):
            return a, b, computed(a, b)
        tries = [(typed(a, result), b), (a, typed(b, result)), (typed(a, result), typed(b, result))]
        if (b if result.is_float else a).constant is not None:  # 2.0 * x, and int64_t(t) * 7
            tries[:2] = tries[1::-1]
        for one, other in tries:
            if is_right(one, other):
                return one, other, computed(one, other)
        return *tries[-1], result

    def _division(self, symbol: str, result: Kind, a: Expression, b: Expression, facts: dict) -> Expression:
        # a thread that has an element of an array divides by no extent of 0
        if result.is_integer and a.range[0] >= 0 and (b.range[0] > 0 or b.range == SIZE):
            one, other, cpp = self._agree(a, b, result, facts["range"])
            plain_symbol = symbol[0]
            code = f"{one.at(Level.PRODUCT)} {plain_symbol} {other.at(Level.UNARY)}"
            return Expression(code, Level.PRODUCT, result, cpp, **facts, left=one.code, right=other.code)
        helper = "floor_div" if symbol == "//" else "floor_mod"
        return self.helper_call(helper, result, (a, b), facts)

    def helper_call(self, helper: str, kind: Kind, arguments: tuple[Expression, ...], facts: dict) -> Expression:
        """A call of a template of the headers, all of whose parameters have the type of its result."""
        if all(e.cpp == kind for e in arguments):
            code = f"{helper}({', '.join(e.code for e in arguments)})"
        else:
            code = f"{helper}<{self.cpp_name(kind)}>({', '.join(e.into(kind) for e in arguments)})"
        return Expression(code, Level.PRIMARY, kind, kind, **facts)

    def _shift(self, symbol: str, level: Level, result: Kind, a: Expression, b: Expression, facts: dict) -> Expression:
        cpp = a.cpp.map(promoted)
        if not all(fits(facts["range"], one) and fits(a.range, one) for one in cpp):
            a, cpp = typed(a, result), result
        code = f"{a.at(level)} {symbol} {b.at(level + 1)}"
        return Expression(code, level, result, cpp, **facts, left=a.code, right=b.code)

    def _power(self, node: ast.AST, a: Expression, b: Expression) -> Expression:
        result, wanted = self.signature(node, operator.pow, (a.kind, b.kind))
        if result.single == types.float64:
            self.note_float64(node, a, b)
        facts: dict[str, Any] = {"effect": max(a.effect, b.effect)}
        if result.is_integer:
            facts |= {"range": limits(result.single)}
        exponent = None if b.constant is None else b.constant[0]
        # of constants alone Python computes it before Numba sees it, by pow
        folded = result.is_float and not any(isinstance(part, ast.Name) for part in ast.walk(node))
        if isinstance(exponent, int) and b.kind.is_integer and abs(exponent) <= LARGEST_POWER and not folded:
            if exponent == 2 and a.is_simple and a.cpp == result:
                return Expression(f"{a.code} * {a.code}", Level.PRODUCT, result, result, **facts)
            base = typed(a, result)
            return Expression(f"power<{exponent}>({base.code})", Level.PRIMARY, result, result, **facts)
        if b.kind.is_integer and not folded:
            return Expression(f"power({typed(a, result).code}, {b.code})", Level.PRIMARY, result, result, **facts)
        code = f"pow({typed(a, wanted[0]).code}, {typed(b, DOUBLE if folded else wanted[1]).code})"
        return Expression(code, Level.PRIMARY, result, result, **facts)

    def unary_operation(self, node: ast.UnaryOp) -> Expression:
        if isinstance(node.op, ast.Not):
            return self._negated(self.truth(node.operand))
        a = self.operand(node.operand)
        if isinstance(node.op, ast.UAdd):
            return a
        if isinstance(node.op, ast.Invert) and a.kind == BOOL:  # which Numba takes for `not`
            return self._negated(a)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return literal(-a.constant[0], f"-{a.code}" if a.code.startswith("0x") else None)
        function, symbol = self.unary[type(node.op)]
        result, _ = self.signature(node, function, (a.kind,))
        if result.is_float:
            return Expression(f"{symbol}{_after(symbol, a)}", Level.UNARY, result, a.cpp, effect=a.effect)
        return self._of_bits(symbol, result, a)

    def _of_bits(self, symbol: str, result: Kind, a: Expression) -> Expression:
        """``-a`` or ``~a`` of an integer, which Numba computes in the type of ``a``, if not bool, before it widens."""
        found = (-a.range[1], -a.range[0]) if symbol == "-" else (~a.range[1], ~a.range[0])
        cpp, wraps = a.cpp.map(promoted), a.kind != BOOL and not all(fits(found, one) for one in a.kind)
        if wraps or not all(fits(found, one) and fits(a.range, one) for one in cpp):
            a, cpp = typed(a, a.kind), a.kind.map(promoted)
        code = f"{symbol}{_after(symbol, a)}"
        if not wraps:
            return Expression(code, Level.UNARY, result, cpp, found, found[0] >= 0, effect=a.effect)
        level, found = Level.UNARY, limits(a.kind.single)
        if cpp != a.kind:
            code, level, cpp = f"{self.cpp_name(a.kind)}({code})", Level.PRIMARY, a.kind
        return Expression(code, level, result, cpp, found, found[0] >= 0, effect=a.effect)

    @staticmethod
    def _negated(e: Expression) -> Expression:
        return Expression(f"!{e.at(Level.UNARY)}", Level.UNARY, BOOL, BOOL, (0, 1), True, effect=e.effect)

    def truth(self, node: ast.expr) -> Expression:
        """A condition: where C++ asks for true or false, as Python does."""
        if isinstance(node, ast.BoolOp):
            symbol, level = ("&&", Level.AND) if isinstance(node.op, ast.And) else ("||", Level.OR)
            parts = []
            effect = Effect.NONE
            for value in node.values:
                part = self.truth(value)
                effect = max(effect, part.effect)
                mixed = level == Level.OR and part.level == Level.AND  # right without, and clearer with
                parts.append(f"({part.code})" if mixed else part.at(level))
            return Expression(f" {symbol} ".join(parts), level, BOOL, BOOL, (0, 1), True, effect=effect)
        found = self.scalar(node)
        if found.kind == HALF:
            raise self.refused(node, f"`{ast.unparse(node)}` is a float16; convert with float32(...) first")
        return found

    def logic(self, node: ast.BoolOp) -> Expression:
        """``and`` and ``or`` where their value is asked for: that of one of the operands."""
        values = [self.scalar(value) for value in node.values]
        if all(value.kind == BOOL for value in values):
            return self.truth(node)
        found = values[-1]
        for value in reversed(values[:-1]):
            if value.effect > Effect.READS:
                raise self.refused(node, f"`{ast.unparse(node)}` evaluates an operand once; give it a name before")
            chosen = (value, found) if isinstance(node.op, ast.Or) else (found, value)
            found = self._choice(node, value, *chosen)
        return found

    def condition(self, node: ast.IfExp) -> Expression:
        a, b = self.scalar(node.body), self.scalar(node.orelse)
        if a.kind != b.kind and (known := self._settled(node.test)) is not None:
            return a if known else b  # Numba infers no type for what is never computed
        return self._choice(node, self.truth(node.test), a, b)

    def _settled(self, node: ast.expr) -> bool | None:
        """Whether a comparison of two constants holds; None for any other condition."""
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS):
            return None
        one, other = self.scalar(node.left).constant, self.scalar(node.comparators[0]).constant
        if one is None or other is None:
            return None
        found = {bool(COMPARISONS[type(node.ops[0])][0](*pair)) for pair in zip(one, other, strict=True)}
        return found.pop() if len(found) == 1 else None

    def _choice(self, node: ast.AST, test: Expression, a: Expression, b: Expression) -> Expression:
        kind = a.kind
        if a.kind != b.kind:
            if HALF in (a.kind, b.kind):
                raise self.refused(node, f"`{ast.unparse(node)}` is a float16 or not; convert with float32(...) first")
            kind = Kind(*(self.unify(node, one, other) for one, other in zip(a.kind, b.kind, strict=True)))
        found = joined(a.range, b.range) if kind.is_integer else None
        if kind.is_integer:
            if found is None or not fits(found, kind.single):
                found = limits(kind.single)
            a, b, cpp = self._agree(a, b, kind, found) if a.cpp != b.cpp else (a, b, a.cpp)
        else:
            if a.cpp == b.cpp == kind:
                cpp = kind
            else:
                a, b, cpp = self._agree(a, b, kind, found)
        code = f"{test.at(Level.OR)} ? {a.at(Level.OR)} : {b.at(Level.CONDITIONAL)}"
        effect = max(test.effect, a.effect, b.effect)
        return Expression(code, Level.CONDITIONAL, kind, cpp, found, a.natural and b.natural, effect=effect)

    def comparison(self, node: ast.Compare) -> Expression:
        values = [self.operand(value) for value in (node.left, *node.comparators)]
        if any(value.effect > Effect.READS for value in values[1:-1]):
            raise self.refused(node, "Python evaluates the middle of this comparison once; give it a name before")
        parts = [self._compare(node, op, a, b) for op, a, b in zip(node.ops, values[:-1], values[1:], strict=True)]
        if len(parts) == 1:
            return parts[0]
        effect = max(part.effect for part in parts)
        code = " && ".join(part.at(Level.AND) for part in parts)
        return Expression(code, Level.AND, BOOL, BOOL, (0, 1), True, effect=effect)

    def _compare(self, node: ast.AST, op: ast.cmpop, a: Expression, b: Expression) -> Expression:
        if type(op) not in COMPARISONS:
            raise self.refused(node, f"`{ast.unparse(node)}`: C++ has ==, !=, <, <=, > and >= for numbers")
        self.keep_order(node, a, b)
        function, symbol, level = COMPARISONS[type(op)]
        _, wanted = self.signature(node, function, (a.kind, b.kind))
        a, b = self.comparable(a, b, wanted)
        code = f"{a.at(level + 1)} {symbol} {b.at(level + 1)}"
        return Expression(code, level, BOOL, BOOL, (0, 1), True, effect=max(a.effect, b.effect))

    def comparable(self, a: Expression, b: Expression, wanted: tuple[Kind, Kind]) -> tuple[Expression, Expression]:
        """The operands such that C++ compares the values that Numba does."""

        def is_right(a: Expression, b: Expression) -> bool:
            cpp = computed(a, b)
            if cpp.is_float:
                return cpp == wanted[0] or all(self._is_exact(e, cpp) for e in (a, b))
            return all(fits(a.range, one) and fits(b.range, one) for one in cpp)

        if is_right(a, b):
            return a, b
        tries = [(typed(a, wanted[0]), b), (a, typed(b, wanted[1]))]
        if a.constant is not None:
            tries.reverse()
        tries.append((typed(a, wanted[0]), typed(b, wanted[1])))
        return next((pair for pair in tries if is_right(*pair)), tries[-1])

    @staticmethod
    def _is_exact(e: Expression, kind: Kind) -> bool:
        """Whether every value that the expression can have is a value of this float type too."""
        if e.cpp == kind:
            return True
        digits = [24 if one == types.float32 else 53 for one in kind]
        if e.kind.is_integer:
            return all(max(map(abs, e.range)) <= 2**count for count in digits)
        if e.constant is not None:
            return bool(np.float32(e.constant[0]) == e.constant[0]) or kind == DOUBLE
        return False

    def keep_order(self, node: ast.AST, *operands: Expression) -> None:
        """Refuse an expression whose value depends on which operand is evaluated first."""
        for k, a in enumerate(operands):
            for b in operands[k + 1 :]:
                if order(a, b) is None:
                    raise self.refused(
                        node,
                        f"`{ast.unparse(node)}`: one part writes what another may read, and C++ does not fix which "
                        "comes first; give the first a name on a line of its own",
                    )


def _after(symbol: str, e: Expression) -> str:
    """An operand behind its sign; two signs in a row would be a decrement."""
    return f"({e.code})" if e.code.startswith(symbol) else e.at(Level.UNARY)
