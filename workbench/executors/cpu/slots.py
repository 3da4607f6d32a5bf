"""Which variables of a thread outlive a wait, and where they are kept: one slot for each thread of the block.

A scalar gets an array of slots. A variable that stands for an array or a part of one (``row = x[i]``) is worked out
again instead, from what it was made of.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from numba.core import types

from workbench.executors.cpu.dialect import Scope, loads, stores
from workbench.executors.cpu.thread import Allocation, Thread
from workbench.source import SourceError


@dataclass
class Kept:
    """How the variables that outlive a wait are kept.

    ``scalars`` have slots of the given type; ``arrays`` are worked out again by the given expression, in this order;
    ``local`` are local arrays, one for each thread, by their allocation.
    """

    scalars: dict[str, types.Type] = field(default_factory=dict)
    arrays: dict[str, ast.expr] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)


def kept(
    thread: Thread,
    pieces: list[list[ast.AST]],
    variable_types: dict[str, types.Type],
    allocations: dict[str, Allocation],
) -> Kept:
    """How to keep the variables that one of ``pieces`` of the program reads before it binds them itself.

    Raises SourceError for a variable that cannot be kept.
    """
    bound: set[str] = set()
    early: set[str] = set()
    for piece in pieces:
        seen: set[str] = set()
        for node in piece:
            early |= exposed(node, seen)
            bound |= stores(node)
    definitions: dict[str, list[ast.AST]] = {}
    for piece in pieces:
        for node in piece:
            for inner in ast.walk(node):
                if isinstance(inner, (ast.Assign, ast.AugAssign, ast.For)):
                    for variable in stores(inner if not isinstance(inner, ast.For) else inner.target):
                        definitions.setdefault(variable, []).append(inner)
    outliving = bound & early
    todo = sorted(outliving)
    while todo:  # what a part of an array is made of, too
        for definition in definitions[todo.pop()]:
            if isinstance(definition, ast.Assign) and _is_array(variable_types, definition.targets[0]):
                more = loads(definition.value) & bound - outliving
                outliving |= more
                todo += more
    found = Kept()
    for variable in sorted(outliving):
        kind = variable_types.get(variable)
        if kind is None:
            continue  # never given a value that anything depends on
        kind = types.unliteral(kind)
        if isinstance(kind, types.Array):
            _keep_array(variable, definitions[variable], allocations, found)
        elif isinstance(kind, (types.Number, types.Boolean)) or (
            isinstance(kind, types.BaseTuple) and all(isinstance(t, (types.Number, types.Boolean)) for t in kind)
        ):
            found.scalars[variable] = kind
        else:
            line = definitions[variable][0].lineno
            raise SourceError(
                f"line {line}: {variable!r} is {kind}, which the CPU executor cannot keep while threads wait"
            )
    found.arrays = _in_order(found.arrays)
    for variable, value in found.arrays.items():
        for used in loads(value) & set(definitions):
            if len(definitions[used]) > 1:
                raise SourceError(
                    f"line {definitions[variable][0].lineno}: {variable!r} is made from {used!r}, which changes later; "
                    "the CPU executor cannot keep such a view while threads wait: index the array itself"
                )
    return found


def _is_array(variable_types: dict[str, types.Type], target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and isinstance(variable_types.get(target.id), types.Array)


def _keep_array(variable: str, definitions: list[ast.AST], allocations: dict[str, Allocation], found: Kept) -> None:
    only = definitions[0]
    if len(definitions) > 1 or not isinstance(only, ast.Assign) or not isinstance(only.targets[0], ast.Name):
        raise SourceError(
            f"line {definitions[-1].lineno}: {variable!r} stands for several arrays, and threads wait while it does; "
            "bind each name to one array"
        )
    value = only.value
    called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
    if called in allocations and allocations[called].space == "local":
        found.local[variable] = called
        return
    found.arrays[variable] = value


def _in_order(arrays: dict[str, ast.expr]) -> dict[str, ast.expr]:
    """The arrays, each after those that it is made of."""
    ordered: dict[str, ast.expr] = {}

    def place(variable: str) -> None:
        if variable in arrays and variable not in ordered:
            for used in loads(arrays[variable]):
                if used != variable:
                    place(used)
            ordered[variable] = arrays[variable]

    for variable in arrays:
        place(variable)
    return ordered


def exposed(node: ast.AST, bound: set[str]) -> set[str]:
    """The names that a statement may read before they are surely bound; ``bound`` grows by those that it binds."""
    if isinstance(node, ast.If):
        found = loads(node.test) - bound
        arms = []
        for arm in (node.body, node.orelse):
            inside = set(bound)
            for statement in arm:
                found |= exposed(statement, inside)
            arms.append(inside)
        bound |= arms[0] & arms[1]
        return found
    if isinstance(node, (ast.For, ast.While)):
        head = node.iter if isinstance(node, ast.For) else node.test
        found = loads(head) - bound
        inside = set(bound)
        if isinstance(node, ast.For):
            inside |= stores(node.target)
        for statement in [*node.body, *node.orelse]:
            found |= exposed(statement, inside)
        return found
    found = loads(node) - bound
    if not isinstance(node, Scope):  # which may be left before it has bound them
        bound |= stores(node)
    return found
