"""Bring a thread's program into normal form: whatever makes threads wait stands alone, as a statement of its own.

A shuffle in the middle of an expression becomes an Exchange before it, with everything that Python evaluates earlier
put aside first; a device function that synchronises is written out where it is called. Barriers inside ``and``,
``or`` and conditional expressions keep to the branch that they are in.
"""

from __future__ import annotations

import ast
import copy

from workbench.executors.cpu.dialect import (
    BARRIERS,
    EXCHANGES,
    SHUFFLES,
    Barrier,
    Exchange,
    Leave,
    Scope,
    assign,
    file_of,
    loads,
    name,
    result_of,
    stores,
)
from workbench.executors.cpu.thread import MARK, Thread
from workbench.source import SourceError

ARGUMENTS = {
    "syncthreads": "nothing",
    "syncwarp": "nothing or a mask",
    "activemask": "nothing",
    **{o: "a mask, a value and a lane or distance" for o in SHUFFLES},
    **{o: "a predicate" for o in EXCHANGES if EXCHANGES[o] == "block"},
    **{o: "a mask and a predicate" for o in ("any_sync", "all_sync", "eq_sync", "ballot_sync")},
    **{o: "a mask and a value" for o in ("match_any_sync", "match_all_sync")},
}


def normalise(thread: Thread, as_written: bool = False) -> list[ast.stmt]:
    """The body in normal form; what inlined device functions need is added to ``thread``.

    ``as_written`` keeps early returns where they are and writes out every device function that does not call itself,
    for the sanitizer. Raises SourceError for a synchronising construct that is not covered.
    """
    normaliser = _Normaliser(thread, as_written)
    if as_written:
        return normaliser.statements(thread.body)
    body = normaliser.statements(thread.body)
    return without_returns(body) or body


def without_returns(body: list[ast.stmt], kind: type[ast.stmt] = ast.Return) -> list[ast.stmt] | None:
    """The statements with each early return as the other branch of an ``if``; None where a loop returns.

    ``kind`` is the statement that returns: a Return, or a Leave in an inlined device function.

    ``if done: return`` and what follows becomes ``if not done:`` and what follows. A return at the end goes.
    """
    for at, statement in enumerate(body):
        if isinstance(statement, kind):
            return body[:at]
        if not any(isinstance(n, kind) for n in ast.walk(statement)):
            continue
        if not isinstance(statement, ast.If):
            return None
        rest = body[at + 1 :]
        ends = [bool(arm) and isinstance(arm[-1], kind) for arm in (statement.body, statement.orelse)]
        if not any(ends) and rest:
            return None
        arms = [
            without_returns(arm if ended else [*arm, *rest], kind)
            for arm, ended in zip((statement.body, statement.orelse), ends, strict=True)
        ]
        if arms[0] is None or arms[1] is None:
            return None
        test = statement.test
        if not arms[0]:
            test, arms = ast.copy_location(ast.UnaryOp(ast.Not(), test), test), [arms[1], []]
        if not arms[0]:
            return body[:at]
        return [*body[:at], ast.copy_location(ast.If(test, arms[0], arms[1]), statement)]
    return body


class _Normaliser:
    def __init__(self, thread: Thread, everything: bool) -> None:
        self.thread, self.everything = thread, everything
        self.count = 0

    def is_inlined(self, identifier: str) -> bool:
        """Whether a name is of a device function that is to be written out."""
        device = self.thread.devices.get(identifier)
        if device is None:
            return False
        return device.synchronises or (self.everything and not device.recursive)

    def fresh(self, label: str) -> str:
        self.count += 1
        return f"{label}__{self.count}"

    # -- statements

    def statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            getattr(self, f"_{type(statement).__name__}", self._other)(statement, out)
        return out

    def _other(self, statement: ast.stmt, out: list[ast.stmt]) -> None:
        out.append(statement)

    def _Expr(self, statement: ast.Expr, out: list[ast.stmt]) -> None:
        marked = _marked(statement.value)
        if marked in BARRIERS:
            out.append(self._barrier(marked, statement.value))
            return
        statement.value = self.expression(statement.value, out)
        if not isinstance(statement.value, (ast.Constant, ast.Name)):
            out.append(statement)

    def _Assign(self, statement: ast.Assign, out: list[ast.stmt]) -> None:
        apart = _one_by_one(statement)
        if apart:
            out.extend(self.statements(apart))
            return
        statement.value = self.expression(statement.value, out)
        for k, target in enumerate(statement.targets):
            if self._waits(target):
                value = self._put_aside(statement.value, out, statement.lineno)
                statement.value = value
                statement.targets[k] = self.expression(target, out)
        out.append(statement)

    def _AnnAssign(self, statement: ast.AnnAssign, out: list[ast.stmt]) -> None:
        if statement.value is not None:
            plain = ast.copy_location(ast.Assign([statement.target], statement.value), statement)
            self._Assign(plain, out)

    def _AugAssign(self, statement: ast.AugAssign, out: list[ast.stmt]) -> None:
        if self._waits(statement.value) and isinstance(statement.target, ast.Subscript):
            # the element is read before what is added to it is worked out
            index = self._put_aside(self.expression(statement.target.slice, out), out, statement.lineno)
            array = statement.target.value
            old = self._put_aside(ast.Subscript(array, index, ast.Load()), out, statement.lineno)
            new = ast.BinOp(old, statement.op, self.expression(statement.value, out))
            store = ast.Assign([ast.Subscript(array, index, ast.Store())], new)
            out.append(ast.copy_location(store, statement))
            return
        statement.value = self.expression(statement.value, out)
        out.append(statement)

    def _Return(self, statement: ast.Return, out: list[ast.stmt]) -> None:
        if statement.value is not None:
            statement.value = self.expression(statement.value, out)
        out.append(statement)

    def _If(self, statement: ast.If, out: list[ast.stmt]) -> None:
        statement.test = self.expression(statement.test, out)
        statement.body = self.statements(statement.body)
        statement.orelse = self.statements(statement.orelse)
        out.append(statement)

    def _For(self, statement: ast.For, out: list[ast.stmt]) -> None:
        self._refuse_else(statement)
        statement.iter = self.expression(statement.iter, out)
        statement.body = self.statements(statement.body)
        out.append(statement)

    def _While(self, statement: ast.While, out: list[ast.stmt]) -> None:
        self._refuse_else(statement)
        before: list[ast.stmt] = []
        test = self.expression(statement.test, before)
        statement.body = self.statements(statement.body)
        if before:
            leave = ast.If(ast.UnaryOp(ast.Not(), test), [ast.Break(lineno=statement.lineno)], [])
            ast.copy_location(leave, statement)
            statement.body = [*before, leave, *statement.body]
            test = ast.Constant(True)
        statement.test = test
        out.append(statement)

    def _refuse_else(self, statement: ast.For | ast.While) -> None:
        if statement.orelse and self._waits(statement):
            raise SourceError(f"line {statement.lineno}: a loop with `else` in which threads wait is not covered")

    # -- expressions

    def _waits(self, node: ast.AST) -> bool:
        """Whether an operation in there synchronises."""
        return any(isinstance(n, ast.Name) and (n.id.startswith(MARK) or self.is_inlined(n.id)) for n in ast.walk(node))

    def _put_aside(self, value: ast.expr, out: list[ast.stmt], line: int) -> ast.expr:
        """The value in a variable, evaluated here; itself if evaluating it later makes no difference."""
        if not any(isinstance(n, (ast.Subscript, ast.Call)) for n in ast.walk(value)):
            return value
        variable = self.fresh("aside")
        out.append(assign(variable, value, line))
        return name(variable)

    def expression(self, node: ast.expr, out: list[ast.stmt]) -> ast.expr:
        """The expression without anything that synchronises, which goes to ``out``, in Python's order."""
        if not self._waits(node):
            return node
        if isinstance(node, ast.IfExp):
            return self._branch(node, node.test, node.body, node.orelse, out)
        if isinstance(node, ast.BoolOp):
            first = name(self._kept(self.expression(node.values[0], out), out, node.lineno))
            rest = node.values[1] if len(node.values) == 2 else ast.BoolOp(node.op, node.values[1:])
            ast.copy_location(rest, node)
            taken = (rest, first) if isinstance(node.op, ast.And) else (first, rest)
            return self._branch(node, first, *taken, out)
        self._children(node, out)
        marked = _marked(node)
        if marked in EXCHANGES:
            return self._exchange(marked, node, out)
        if marked in BARRIERS:
            out.append(self._barrier(marked, node))
            return ast.Constant(None)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and self.is_inlined(node.func.id):
            return self._inline(self.thread.devices[node.func.id], node, out)
        return node

    def _kept(self, value: ast.expr, out: list[ast.stmt], line: int) -> str:
        variable = self.fresh("kept")
        out.append(assign(variable, value, line))
        return variable

    def _branch(
        self, node: ast.expr, test: ast.expr, body: ast.expr, orelse: ast.expr, out: list[ast.stmt]
    ) -> ast.expr:
        variable = self.fresh("either")
        arms = []
        test = self.expression(test, out)
        for arm in (body, orelse):
            statements: list[ast.stmt] = []
            value = self.expression(arm, statements)
            arms.append([*statements, assign(variable, value, node.lineno)])
        out.append(ast.copy_location(ast.If(test, *arms), node))
        return name(variable)

    def _children(self, node: ast.expr, out: list[ast.stmt]) -> None:
        """Rewrite an expression's operands, in Python's order, each put aside if a later one synchronises."""
        places: list[tuple[object, str, int | None]] = []
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr) and not (isinstance(node, ast.Call) and field == "func"):
                places.append((node, field, None))
            elif isinstance(value, list):
                places += [(node, field, k) for k, v in enumerate(value) if isinstance(v, ast.expr)]
                places += [(v, "value", None) for v in value if isinstance(v, ast.keyword)]

        def get(place: tuple) -> ast.expr:
            owner, field, k = place
            return getattr(owner, field) if k is None else getattr(owner, field)[k]

        for at, place in enumerate(places):
            operand = self.expression(get(place), out)
            if any(self._waits(get(later)) for later in places[at + 1 :]):
                operand = self._put_aside(operand, out, node.lineno)
            owner, field, k = place
            if k is None:
                setattr(owner, field, operand)
            else:
                getattr(owner, field)[k] = operand

    def _barrier(self, operation: str, node: ast.Call) -> Barrier:
        if node.keywords or len(node.args) > (BARRIERS[operation] == "warp"):
            raise _wrong_arguments(operation, node)
        mask = node.args[0] if node.args and BARRIERS[operation] == "warp" else None
        return Barrier(BARRIERS[operation], node.lineno, mask, file_of(node))

    def _exchange(self, operation: str, node: ast.Call, out: list[ast.stmt]) -> ast.expr:
        target = self.fresh(operation.removesuffix("_sync"))
        values = node.args if EXCHANGES[operation] == "block" else node.args[1:]
        wanted = 2 if operation in SHUFFLES else 0 if operation == "activemask" else 1
        if len(values) != wanted or node.keywords:
            raise _wrong_arguments(operation, node)
        value = values[0] if wanted else ast.Constant(True)
        lane = values[1] if wanted == 2 else None
        whole = EXCHANGES[operation] == "block" or operation == "activemask"
        mask = None if whole else node.args[0]
        out.append(Exchange(operation, target, value, lane, mask, node.lineno, file_of(node)))
        return name(target)

    # -- device functions

    def _inline(self, device: Thread, call: ast.Call, out: list[ast.stmt]) -> ast.expr:
        """Write a device function out where it is called; the expression that its result is in."""
        body = copy.deepcopy(device.body)
        for node in (n for s in body for n in ast.walk(s)):
            node.file = device.file
        bound = set().union(*(stores(s) for s in body)) if body else set()
        given = self._arguments(device, call)
        prefix = self.fresh(device.name)
        renamed: dict[str, ast.expr] = {variable: name(f"{variable}__{prefix}") for variable in bound}
        for parameter, argument in given.items():
            if parameter not in bound and isinstance(argument, (ast.Name, ast.Constant)):
                renamed[parameter] = argument
            else:
                variable = f"{parameter}__{prefix}"
                renamed[parameter] = name(variable)
                out.append(assign(variable, argument, call.lineno))
        self.thread.outside.update(device.outside)
        self.thread.devices.update(device.devices)
        self.thread.allocations.update(device.allocations)
        returns = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Return)]
        result = result_of(prefix)
        substitution = _Inlined(renamed, result, prefix)
        if not returns:
            out.extend(self.statements([substitution.visit(s) for s in body]))
            return ast.Constant(None)
        if len(returns) == 1 and body[-1] is returns[0]:
            out.extend(self.statements([substitution.visit(s) for s in body[:-1]]))
            if returns[0].value is None:
                return ast.Constant(None)
            value = self.expression(substitution.visit(returns[0].value), out)
            return self._put_aside(value, out, call.lineno)
        inside = self.statements([s for statement in body for s in _listed(substitution.visit(statement))])
        straight = without_returns(inside, Leave)
        out.extend([Scope(prefix, inside, call.lineno)] if straight is None else straight)
        return name(result) if any(r.value is not None for r in returns) else ast.Constant(None)

    def _arguments(self, device: Thread, call: ast.Call) -> dict[str, ast.expr]:
        passed = call.args if device.synchronises else call.args[len(device.indices) :]
        given = dict(zip(device.parameters, passed, strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords}
        without_default = len(device.parameters) - len(device.defaults)
        for k, parameter in enumerate(device.parameters):
            if parameter not in given and k >= without_default:
                given[parameter] = device.defaults[k - without_default]
        if set(given) != set(device.parameters) or len(passed) > len(device.parameters):
            raise SourceError(
                f"line {call.lineno}: {device.name} takes {', '.join(device.parameters)}; `{ast.unparse(call)}` does "
                "not fit"
            )
        return given


class _Inlined(ast.NodeTransformer):
    """Renames a device function's variables and turns its returns into an assignment and a Leave."""

    def __init__(self, renamed: dict[str, ast.expr], result: str, label: str) -> None:
        self.renamed, self.result, self.label = renamed, result, label

    def visit_Name(self, node: ast.Name) -> ast.expr:
        new = self.renamed.get(node.id)
        if new is None:
            return node
        if isinstance(new, ast.Name):
            return ast.copy_location(ast.Name(new.id, node.ctx), node)
        return ast.copy_location(copy.deepcopy(new), node)

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        leave = Leave(self.label, node.lineno)
        if node.value is None:
            return [leave]
        return [assign(self.result, self.visit(node.value), node.lineno), leave]


def _one_by_one(statement: ast.Assign) -> list[ast.stmt]:
    """``row, column = a, b`` as an assignment each; nothing where a value needs a variable that another one binds."""
    target, value = statement.targets[0], statement.value
    if len(statement.targets) > 1 or not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)):
        return []
    if len(target.elts) != len(value.elts) or not all(isinstance(e, ast.Name) for e in target.elts):
        return []
    if len(stores(target)) < len(target.elts) or stores(target) & loads(value):
        return []
    pairs = zip(target.elts, value.elts, strict=True)
    return [ast.copy_location(ast.Assign([one], other), statement) for one, other in pairs]


def _wrong_arguments(operation: str, node: ast.Call) -> SourceError:
    code = ast.unparse(node).removeprefix(MARK)
    how = ", by position" if node.keywords else ""
    return SourceError(f"line {node.lineno}: `cuda.{code}`: {operation} takes {ARGUMENTS[operation]}{how}")


def _listed(found: ast.stmt | list[ast.stmt]) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]


def _marked(node: ast.expr) -> str:
    """The synchronising operation that a call is of, or an empty string."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith(MARK):
        return node.func.id[len(MARK) :]
    return ""
