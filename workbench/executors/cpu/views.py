"""Parts of arrays that can be worked out again at any time, for a program that is run state by state.

``row = x[i]`` is not kept while threads wait but made again, so it must be known what ``i`` was: an index that is bound
more than once is held in a variable of its own. A loop over an array's elements becomes one over its indices.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter

from workbench.executors.cpu.dialect import assign, file_of, loads, name
from workbench.executors.cpu.ranges import Renamed


def hold_views(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements in normal form, each part of an array made of variables that keep their values."""
    holder = _Holder(body)
    return [made for statement in body for made in _listed(holder.visit(statement))]


class _Holder(ast.NodeTransformer):
    def __init__(self, body: list[ast.stmt]) -> None:
        bound = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        self.changing = {variable for variable, times in Counter(bound).items() if times > 1}
        self.numbers = itertools.count(1)

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | list[ast.stmt]:
        if not isinstance(node.targets[0], ast.Name) or not isinstance(node.value, ast.Subscript):
            return node
        before: list[ast.stmt] = []
        part: ast.expr = node.value
        while isinstance(part, ast.Subscript):
            for variable in sorted(loads(part.slice) & self.changing):
                held = f"{variable}__held{next(self.numbers)}"
                before.append(assign(held, name(variable), node.lineno))
                part.slice = Renamed(variable, held).visit(part.slice)
            part = part.value
        return [*before, node]

    def visit_For(self, node: ast.For) -> ast.For | list[ast.stmt]:
        if not isinstance(node.iter, (ast.Name, ast.Subscript)):
            return self.generic_visit(node)
        number = next(self.numbers)
        base = next(n.id for n in ast.walk(node.iter) if isinstance(n, ast.Name))
        items, counter = f"{base}__items{number}", f"at__items{number}"
        of = self.visit(assign(items, node.iter, node.lineno))
        item = ast.Assign([node.target], ast.Subscript(name(items), name(counter), ast.Load()), lineno=node.lineno)
        item.file = file_of(node)
        indices = ast.Call(name("range"), [ast.Call(name("len"), [name(items)], [])], [])
        over = ast.copy_location(ast.For(ast.Name(counter, ast.Store()), indices, [item, *node.body], []), node)
        over.orelse = node.orelse
        return [*_listed(of), self.generic_visit(over)]


def _listed(made: ast.stmt | list[ast.stmt]) -> list[ast.stmt]:
    return made if isinstance(made, list) else [made]
