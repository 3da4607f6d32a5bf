"""Make loops easier to see through: a name of its own for each loop's variable, and ranges where a ``while`` counts.

``i = E`` ... ``while i < n:`` ... ``i += step`` becomes ``i = E`` ... ``for i in range(i, n, step):`` where nothing
else binds ``i``, nothing in the loop changes ``n`` or ``step``, and nobody reads ``i`` after the loop.
"""

from __future__ import annotations

import ast

from numba.core import types

from workbench.executors.cpu.dialect import INDEX_NAMES, Exchange, Scope, loads, name, stores, synchronises
from workbench.executors.cpu.slots import exposed


def name_apart(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements with each ``for`` loop's variable renamed, unless its value outlives the loop."""
    _Namer().statements(body, [])
    return body


class _Namer:
    def __init__(self) -> None:
        self.count = 0

    def statements(self, body: list[ast.stmt], after: list[ast.stmt]) -> None:
        """``after`` are the statements that may run once these are through."""
        for at, statement in enumerate(body):
            rest = [*body[at + 1 :], *after]
            if isinstance(statement, ast.For) and isinstance(statement.target, ast.Name):
                self._rename(statement, rest)
            if isinstance(statement, ast.If):
                self.statements(statement.body, rest)
                self.statements(statement.orelse, rest)
            elif isinstance(statement, (ast.For, ast.While)):
                self.statements(statement.body, [statement, *rest])
            elif isinstance(statement, Scope):
                self.statements(statement.body, rest)

    def _rename(self, loop: ast.For, rest: list[ast.stmt]) -> None:
        variable = loop.target.id
        bound: set[str] = set()
        outlives = any(variable in exposed(statement, bound) for statement in rest)
        if outlives or variable in loads(loop.iter) or variable in exposed_in_body(loop):
            return
        self.count += 1
        renamed = Renamed(variable, f"{variable}__loop{self.count}")
        loop.target = renamed.visit(loop.target)
        loop.body = [renamed.visit(statement) for statement in loop.body]


def exposed_in_body(loop: ast.For) -> set[str]:
    """The names that a loop's body reads before they are bound, its own variable being bound by the loop."""
    bound = stores(loop.target)
    return set().union(*(exposed(statement, bound) for statement in loop.body))


def count_by_ranges(body: list[ast.stmt], kinds: dict[str, types.Type]) -> list[ast.stmt]:
    """The statements with every ``while`` that counts in integers, and in which nothing waits, turned into a ``for``.

    ``kinds`` are the types of the variables.
    """
    return _Counter(body, kinds).statements(body)


class _Counter:
    def __init__(self, body: list[ast.stmt], kinds: dict[str, types.Type]) -> None:
        self.body, self.kinds = body, kinds
        self.count = 0

    def statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out = []
        for statement in body:
            if isinstance(statement, ast.While):
                statement = self._as_for(statement, out) or statement
            for arm in ("body", "orelse"):
                if isinstance(statement, (ast.If, ast.For, ast.While)):
                    setattr(statement, arm, self.statements(getattr(statement, arm)))
            out.append(statement)
        return out

    def _as_for(self, loop: ast.While, before: list[ast.stmt]) -> ast.For | None:
        test, last = loop.test, loop.body[-1] if loop.body else None
        if synchronises(loop) or loop.orelse or not isinstance(last, ast.AugAssign):
            return None
        if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and len(test.ops) == 1):
            return None
        counter, stop, step = test.left.id, test.comparators[0], last.value
        counts_up = isinstance(test.ops[0], ast.Lt) and isinstance(last.op, ast.Add)
        if not counts_up or not isinstance(last.target, ast.Name) or last.target.id != counter:
            return None
        if not all(is_integer(e, self.kinds) for e in (test.left, stop, step)):
            return None
        inner = loop.body[:-1]
        if any(isinstance(n, (ast.Continue, ast.Break, ast.Return)) for s in inner for n in ast.walk(s)):
            return None
        changed = set().union(*(stores(s) for s in inner)) | {counter}
        if changed & (loads(stop) | loads(step)) or counter in set().union(*(stores(s) for s in inner)):
            return None
        if any(isinstance(n, (ast.Subscript, ast.Call)) for e in (stop, step) for n in ast.walk(e) if not _is_size(n)):
            return None
        # its starting value, the loop's test and the loop's step are all that mention it outside the body
        if self._mentions(self.body, counter) != self._mentions(inner, counter) + 3 or not _is_positive(step):
            return None
        # it must start anew each time that the loop is reached, which an outer loop may do often
        if not any(isinstance(s, ast.Assign) and counter in stores(s) for s in before):
            return None
        self.count += 1
        inside = f"{counter}__{self.count}"
        renamed = [Renamed(counter, inside).visit(s) for s in inner]
        over = ast.Call(name("range"), [name(counter), stop, step], [])
        return ast.copy_location(ast.For(ast.Name(inside, ast.Store()), over, renamed or [ast.Pass()], []), loop)

    def _mentions(self, body: list[ast.stmt], variable: str) -> int:
        return sum(isinstance(n, ast.Name) and n.id == variable for s in body for n in ast.walk(s))


def _is_size(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"


def _is_positive(step: ast.expr) -> bool:
    """A range refuses a step of zero, with which a ``while`` only never ends; a negative one must not get here."""
    if isinstance(step, ast.Constant):
        return isinstance(step.value, int) and step.value > 0
    names = {n.id for n in ast.walk(step) if isinstance(n, ast.Name)}
    return bool(names) and not any(isinstance(n, (ast.Sub, ast.USub)) for n in ast.walk(step))


def is_integer(node: ast.expr, kinds: dict[str, types.Type]) -> bool:
    """Whether an expression is known to be an integer."""
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Name):
        return node.id in INDEX_NAMES or isinstance(kinds.get(node.id), types.Integer)
    if isinstance(node, ast.Attribute):
        return node.attr in ("size", "ndim")
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if isinstance(node, ast.BinOp):
        whole = isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift))
        return whole and is_integer(node.left, kinds) and is_integer(node.right, kinds)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


class Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.new, node.ctx), node) if node.id == self.old else node

    def visit_Exchange(self, node: Exchange) -> Exchange:
        node.target = self.new if node.target == self.old else node.target
        return self.generic_visit(node)
