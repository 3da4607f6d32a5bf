"""Guards that are bounds: ``if i < n:``, where ``i`` counts up with the thread, as the end of a loop over threads."""

from __future__ import annotations

import ast

from numba.core import types

from workbench.executors.cpu.dialect import INDEX_NAMES
from workbench.executors.cpu.fission import Plan
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
    if first is None or not known.is_uniform(right) or not (is_integer(right, known) and is_integer(first, known)):
        return None
    count = ast.BinOp(right, ast.Sub(), first)
    if operator is ast.Lt:
        return count
    if operator is ast.LtE:
        return ast.BinOp(count, ast.Add(), ast.Constant(1))
    if operator is ast.Eq and all(isinstance(e, ast.Constant) and e.value == 0 for e in (right, first)):
        return ast.Constant(1)
    return None


def is_integer(node: ast.expr, known: Uniformity) -> bool:
    """Whether an expression is known to be an integer."""
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Name):
        return node.id in INDEX_NAMES or isinstance(known.kinds.get(node.id), types.Integer)
    if isinstance(node, ast.Attribute):
        return node.attr in ("size", "ndim")
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if isinstance(node, ast.BinOp):
        whole = isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift))
        return whole and is_integer(node.left, known) and is_integer(node.right, known)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
