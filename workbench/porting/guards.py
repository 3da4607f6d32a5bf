"""What a condition says of the integers in it, where it holds and where it does not."""

from __future__ import annotations

import ast

from workbench.porting.calls import Calls
from workbench.porting.expression import Expression
from workbench.porting.kinds import Range
from workbench.porting.ranges import ENDLESS, narrowed
from workbench.porting.scopes import Variable

MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}
OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}

Guard = dict[Variable, Range]


class Guards(Calls):
    """Conditions as knowledge."""

    def known(self, test: ast.expr, holds: bool, region: list[ast.stmt]) -> Guard:
        """The ranges that a condition leaves to variables that no statement of the region assigns."""
        found = self._known(test, holds)
        stored = {
            self.scopes.of.get(id(node))
            for statement in region
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return {variable: one for variable, one in found.items() if variable not in stored}

    def _known(self, test: ast.expr, holds: bool) -> Guard:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._known(test.operand, not holds)
        found: Guard = {}
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == holds:
            for value in test.values:
                _merge(found, self._known(value, holds))
        if isinstance(test, ast.Compare) and (holds or len(test.ops) == 1):
            sides = [test.left, *test.comparators]
            for op, left, right in zip(test.ops, sides[:-1], sides[1:], strict=True):
                if type(op) in MIRRORED:
                    kind = type(op) if holds else OPPOSITE[type(op)]
                    _merge(found, self._side(left, kind, right))
                    _merge(found, self._side(right, MIRRORED[kind], left))
        return found

    def _side(self, name: ast.expr, op: type, bound: ast.expr) -> Guard:
        variable = self.scopes.of.get(id(name)) if isinstance(name, ast.Name) else None
        if variable is None or variable.kind is None or not variable.kind.is_integer or op is ast.NotEq:
            return {}
        found = self.value(bound)
        if not isinstance(found, Expression) or not found.kind.is_integer:
            return {}
        low, high = found.range
        ranges = {
            ast.Lt: (-ENDLESS, high - 1),
            ast.LtE: (-ENDLESS, high),
            ast.Gt: (low + 1, ENDLESS),
            ast.GtE: (low, ENDLESS),
            ast.Eq: (low, high),
        }
        return {variable: ranges[op]}


def _merge(into: Guard, more: Guard) -> None:
    for variable, one in more.items():
        into[variable] = narrowed(into.get(variable, one), one)
