"""A name of its own for each value that a variable takes one after the other.

``v = x[i]`` and, further down, ``v = v * 2.0`` are two variables to numba-cuda, the first a float32 and the second a
float64. A variable that is kept while threads wait has one type, so here they get two names. That also shows that each
is bound once.

Only statements at the top of a kernel, or of a device function that is written out, are looked at. They are run in
order, once for each time that the first of them is: what follows one of them cannot mean an earlier value.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterator

from workbench.executors.cpu.dialect import Scope, result_of, stores
from workbench.executors.cpu.ranges import Renamed
from workbench.executors.cpu.slots import exposed


def versions(body: list[ast.stmt], parameters: list[str]) -> list[ast.stmt]:
    """Copies of the statements with the variables that are bound anew renamed from there on."""
    body = copy.deepcopy(body)
    numbers = itertools.count(1)
    _rename(body, set(parameters), set(), numbers)
    for scope in [n for statement in body for n in ast.walk(statement) if isinstance(n, Scope)]:
        seen: set[str] = set()
        given = set().union(*(exposed(statement, seen) for statement in scope.body))
        _rename(scope.body, given, {result_of(scope.label)}, numbers)
    return body


def _rename(body: list[ast.stmt], bound: set[str], read_after: set[str], numbers: Iterator[int]) -> None:
    """Rename what the statements bind anew; ``bound`` were bound before them, ``read_after`` keep their names.

    Updates: body.
    """
    for at, statement in enumerate(body):
        for variable in sorted(_bound_anew(statement) & bound - read_after):
            new = f"{variable}__v{next(numbers)}"
            body[at] = statement = _rebound(statement, variable, new)
            renamed = Renamed(variable, new)
            body[at + 1 :] = [renamed.visit(later) for later in body[at + 1 :]]
        bound |= stores(statement)


def _bound_anew(statement: ast.stmt) -> set[str]:
    """The variables that a statement gives a value whatever they had before."""
    if isinstance(statement, ast.Assign) and all(map(_is_names, statement.targets)):
        return stores(statement)
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()


def _is_names(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) or (isinstance(target, ast.Tuple) and all(map(_is_names, target.elts)))


def _rebound(statement: ast.stmt, variable: str, new: str) -> ast.stmt:
    """The statement with another name for what it binds; what it reads keeps the old one."""
    if isinstance(statement, ast.AugAssign):
        value = ast.BinOp(ast.Name(variable, ast.Load()), statement.op, statement.value)
        ast.copy_location(value, statement)
        return ast.copy_location(ast.Assign([ast.Name(new, ast.Store())], value), statement)
    statement.targets = [Renamed(variable, new).visit(target) for target in statement.targets]
    return statement
