"""Guards that are bounds: ``if i < n:``, where ``i`` counts up with the thread, as the end of a loop over threads."""

from __future__ import annotations

import ast

from workbench.executors.cpu.fission import Plan
from workbench.executors.cpu.ranges import is_integer
from workbench.executors.cpu.uniform import Uniformity

OPPOSITE = {ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.NotEq: ast.Eq}
MIRRORED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Eq: ast.Eq}


def bound(test: ast.expr, plan: Plan, known: Uniformity) -> ast.expr | None:
    """For how many threads, counted from the first, a guard holds, as a uniform expression; None for another guard."""
    opposite = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, opposite = test.operand, not opposite
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right, operator = test.left, test.comparators[0], type(test.ops[0])
    if opposite:
        operator = OPPOSITE.get(operator)
    if plan.first_of(left) is None:
        left, right, operator = right, left, MIRRORED.get(operator)
    first = plan.first_of(left)
    if (
        first is None
        or not known.is_uniform(right)
        or not (is_integer(right, known.kinds) and is_integer(first, known.kinds))
    ):
        return None
    count = ast.BinOp(right, ast.Sub(), first)
    if operator is ast.Lt:
        return count
    if operator is ast.LtE:
        return ast.BinOp(count, ast.Add(), ast.Constant(1))
    if operator is ast.Eq and all(isinstance(e, ast.Constant) and e.value == 0 for e in (right, first)):
        return ast.Constant(1)
    return None
