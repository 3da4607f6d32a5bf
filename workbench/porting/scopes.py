"""Where C++ declares each of a function's variables: as far inside as all of its uses allow.

A Python variable belongs to the whole function. Where each of several blocks assigns it before it reads it, each gets
one of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from workbench.porting.kinds import Kind, Range


@dataclass(eq=False)
class Variable:
    """A variable of the C++ function. What is known of its values grows from one pass over the function to the next.

    ``stores`` counts the statements that assign it. ``at`` is the statement that declares it with its first value; it
    is None where the variable is declared before, a parameter, or that of a ``for``.
    """

    name: str
    stores: int = 0
    at: ast.stmt | None = None
    is_parameter: bool = False
    counts: bool = False
    kind: Kind | None = None
    cpp: Kind | None = None
    range: Range | None = None
    natural: bool = True
    code: str = ""


class Scopes(NamedTuple):
    """``of`` has the variable of each name in the tree, by identity; ``before`` those declared ahead of a statement."""

    of: dict[int, Variable]
    before: dict[int, list[Variable]]


class _Flow(NamedTuple):
    """What statements do with a name: read a value that it had before, and assign it (or leave) on every way."""

    exposed: bool
    definite: bool


def scopes_of(function: ast.FunctionDef) -> Scopes:
    """The variables of a function."""
    scopes = Scopes({}, {})
    parameters = [a.arg for a in function.args.args]
    names = dict.fromkeys([*parameters, *(n.id for n in ast.walk(function) if is_stored(n))])
    for name in names:
        if name in parameters:
            variable = Variable(name, is_parameter=True)
            _claim(variable, function.body, scopes)
        else:
            _place(name, function.body, scopes)
    return scopes


def is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _claim(variable: Variable, statements: list[ast.stmt], scopes: Scopes) -> None:
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == variable.name:
                scopes.of[id(node)] = variable
            for target in _targets(node):
                variable.stores += variable.name in target


def _targets(node: ast.AST) -> Iterator[set[str]]:
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield {n.id for n in ast.walk(target) if is_stored(n)}


def _place(name: str, block: list[ast.stmt], scopes: Scopes) -> None:
    involved = [statement for statement in block if _mentions(statement, name)]
    if not involved:
        return
    if any(_is_here(statement, name) for statement in involved):
        variable = Variable(name)
        _claim(variable, involved, scopes)
        first = involved[0]
        if isinstance(first, (ast.Assign, ast.AnnAssign)) and any(
            is_stored(n) for t in _written(first) for n in ast.walk(t)
        ):
            variable.at = first
        else:
            scopes.before.setdefault(id(first), []).append(variable)
        return
    for statement in involved:
        if isinstance(statement, ast.For) and name in next(_targets(statement)):
            variable = Variable(name, counts=True)
            _claim(variable, [statement], scopes)
            if variable.stores > 1:  # it is changed in its loop, so that the loop counts by another
                variable.counts = False
                scopes.before.setdefault(id(statement), []).append(variable)
        else:
            for inner in _blocks(statement):
                _place(name, inner, scopes)


def _written(statement: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _is_here(statement: ast.stmt, name: str) -> bool:
    """Whether a name that a statement of a block mentions must be declared in that block, or outside it."""
    if _flow(statement, name).exposed:
        return True
    if isinstance(statement, ast.For):
        return _mentions(statement.iter, name)
    if isinstance(statement, (ast.If, ast.While)):
        return _mentions(statement.test, name)
    return True


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    return [getattr(statement, "body", []), getattr(statement, "orelse", [])]


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _reads(node: ast.AST | None, name: str) -> bool:
    return node is not None and any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(node)
    )


def _flow_of(statements: list[ast.stmt], name: str) -> _Flow:
    for statement in statements:
        flow = _flow(statement, name)
        if flow.exposed or flow.definite:
            return flow
    return _Flow(False, False)


def _flow(statement: ast.stmt, name: str) -> _Flow:
    if isinstance(statement, ast.If):
        if _reads(statement.test, name):
            return _Flow(True, False)
        body, other = _flow_of(statement.body, name), _flow_of(statement.orelse, name)
        return _Flow(body.exposed or other.exposed, body.definite and other.definite)
    if isinstance(statement, ast.While):
        return _Flow(_reads(statement.test, name) or _flow_of(statement.body, name).exposed, False)
    if isinstance(statement, ast.For):
        inside = name not in next(_targets(statement)) and _flow_of(statement.body, name).exposed
        return _Flow(_reads(statement.iter, name) or inside, False)
    if isinstance(statement, (ast.Return, ast.Break, ast.Continue)):
        return _Flow(_reads(statement, name), True)
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name) and statement.target.id == name:
        return _Flow(True, True)
    return _Flow(_reads(statement, name), any(name in target for target in _targets(statement)))
