"""Which variables are the same for all threads of a block, and which are cheap to work out again.

A uniform variable needs one copy and is computed once; control flow that depends on uniform variables alone is the
same for all threads. Every claim starts as true and is withdrawn when a statement contradicts it, until none does.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from numba.core import types

from workbench.executors.cpu.dialect import INDEX_NAMES, WARP, Exchange, loads, stores, synchronises
from workbench.executors.cpu.states import stays_whole
from workbench.executors.cpu.thread import Thread

VARYING = frozenset({"threadIdx__x", "threadIdx__y", "threadIdx__z"})

PURE_BUILTINS = frozenset({"min", "max", "abs", "int", "float", "bool", "len", "range", "round"})

CHEAP = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.Subscript,
    ast.Call, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.expr_context, ast.Slice,
)  # fmt: skip

CHEAP_OPERATIONS = 8
"""Operations up to which a value is worked out again rather than kept in a slot."""


class NotUniform(Exception):
    """The block's control flow is not the same for all threads where they wait; run it state by state."""


@dataclass
class Uniformity:
    """What is known of a kernel's variables.

    ``block_is_line`` says that the block has one dimension, so that ``threadIdx.x`` numbers its threads. ``uniform``
    are computed once a block; ``again`` are worked out again where they are used, by the given expression,
    in the order in which they are bound; ``counters`` are loop variables that count up from zero or more;
    ``values`` has what the uniform variables that are bound once are bound to.
    """

    thread: Thread
    kinds: dict[str, types.Type]
    body: list[ast.stmt]
    parameters: list[str]
    block_is_line: bool
    uniform: set[str] = field(default_factory=set)
    again: dict[str, ast.expr] = field(default_factory=dict)
    counters: set[str] = field(default_factory=set)
    values: dict[str, ast.expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bound = set().union(*(stores(s) for s in self.body)) if self.body else set()
        self.pure = {n for n, v in self.thread.outside.items() if _is_pure(v)}
        self.written = self._written()
        self.uniform = set(self.bound)
        before = None
        while before != self.uniform:
            before = set(self.uniform)
            self._visit(self.body, ())
            self._check_scopes()
        self._find_again()
        self._find_counters()

    # -- expressions

    def is_uniform(self, node: ast.AST) -> bool:
        """Whether an expression has the same value for all threads of a block."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                if inner.id in VARYING or (inner.id in self.bound and inner.id not in self.uniform):
                    return False
            elif isinstance(inner, ast.Call):
                if not self._is_uniform_call(inner):
                    return False
            elif isinstance(inner, ast.Subscript) and not self._is_uniform_load(inner):
                return False
        return True

    def _is_uniform_call(self, call: ast.Call) -> bool:
        called = call.func.id if isinstance(call.func, ast.Name) else ""
        allocation = self.thread.allocations.get(called)
        if allocation is not None:
            return allocation.space == "shared"
        if isinstance(call.func, ast.Attribute):  # such as x.dtype.type(0)
            return ast.unparse(call.func).endswith(".dtype.type")
        return called in PURE_BUILTINS or called in self.pure

    def _is_uniform_load(self, node: ast.Subscript) -> bool:
        base = node.value
        if isinstance(base, ast.Attribute):
            return base.attr in ("shape", "strides")
        if not isinstance(base, ast.Name):
            return False
        kind = self.kinds.get(base.id)
        if isinstance(kind, types.Array):
            count = len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1
            is_view = count < kind.ndim or any(isinstance(n, ast.Slice) for n in ast.walk(node.slice))
            return is_view or (base.id in self.parameters and not self.written and base.id not in self.bound)
        return True

    def _written(self) -> bool:
        """Whether the kernel may write an array that it also reads: then no load is taken to be uniform."""
        read: set[str] = set()
        written: set[str] = set()
        for statement in self.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                    (read if isinstance(node.ctx, ast.Load) else written).add(node.value.id)
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
                    read |= loads(node.target.value)
                if isinstance(node, ast.Call) and not self._is_uniform_call(node):
                    written |= {n for a in node.args for n in loads(a) if isinstance(self.kinds.get(n), types.Array)}
        shared = {n for s in self.body for n in _shared_names(s, self.thread)}
        unclear = (read | written) - set(self.parameters) - shared
        return bool(read & written & set(self.parameters)) or any(
            isinstance(self.kinds.get(n), types.Array) for n in unclear & written
        )

    def is_warp_uniform(self, node: ast.expr) -> bool:
        """Whether an expression has the same value for all threads of a warp, as ``threadIdx.x // 32`` has."""
        if isinstance(node, ast.Name) and node.id in self.again:
            return self.is_warp_uniform(self.again[node.id])
        if self.is_uniform(node):
            return True
        if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and self._is_linear_index(node.left):
            by = node.right.value
            if isinstance(node.op, ast.FloorDiv):
                return isinstance(by, int) and by > 0 and by % WARP == 0
            return isinstance(node.op, ast.RShift) and isinstance(by, int) and by >= 5
        if isinstance(node, ast.BinOp):
            return self.is_warp_uniform(node.left) and self.is_warp_uniform(node.right)
        if isinstance(node, ast.Compare):
            return self._is_whole_warps(node) or all(self.is_warp_uniform(e) for e in (node.left, *node.comparators))
        if isinstance(node, ast.BoolOp):
            return all(self.is_warp_uniform(e) for e in node.values)
        return isinstance(node, ast.UnaryOp) and self.is_warp_uniform(node.operand)

    def _is_whole_warps(self, test: ast.Compare) -> bool:
        """Whether a test is ``threadIdx.x < n`` or its opposite, with a multiple of a warp's threads for n."""
        limit = test.comparators[0]
        whole = isinstance(limit, ast.Constant) and type(limit.value) is int and limit.value % WARP == 0
        ordered = len(test.ops) == 1 and isinstance(test.ops[0], (ast.Lt, ast.GtE))
        return whole and ordered and self._is_linear_index(test.left)

    def _is_linear_index(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name) and node.id in self.again:
            return self._is_linear_index(self.again[node.id])
        return isinstance(node, ast.Name) and node.id == "threadIdx__x" and self.block_is_line

    def is_non_negative(self, node: ast.expr) -> bool:
        """Whether an integer expression is known not to be negative, so that indexing needs no wrap-around."""
        if isinstance(node, ast.Constant):
            return type(node.value) is int and node.value >= 0
        if isinstance(node, ast.Name):
            value = self.again.get(node.id) or self.values.get(node.id)
            if value is not None:
                return self.is_non_negative(value)
            return node.id in INDEX_NAMES or node.id in self.counters
        if isinstance(node, ast.Attribute):
            return node.attr in ("size", "ndim")
        if isinstance(node, ast.Subscript):
            return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
        if isinstance(node, ast.BinOp):
            left, right = self.is_non_negative(node.left), self.is_non_negative(node.right)
            if isinstance(node.op, ast.BitAnd):
                return left or right
            return left and right and isinstance(node.op, (ast.Add, ast.Mult, ast.FloorDiv, ast.Mod, ast.RShift))
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"

    # -- statements

    def is_once(self, statement: ast.stmt) -> bool:
        """Whether a statement in which nothing waits can be run once for the whole block."""
        if isinstance(statement, ast.Assign):
            names = all(isinstance(t, (ast.Name, ast.Tuple)) for t in statement.targets)
            return names and stores(statement) <= self.uniform and self.is_uniform(statement.value)
        if isinstance(statement, ast.AugAssign):
            named = isinstance(statement.target, ast.Name) and statement.target.id in self.uniform
            return named and self.is_uniform(statement.value)
        if isinstance(statement, ast.If):
            return self.is_uniform(statement.test) and all(map(self.is_once, statement.body + statement.orelse))
        if isinstance(statement, ast.For):
            uniform = stores(statement.target) <= self.uniform and self.is_uniform(statement.iter)
            return uniform and all(map(self.is_once, statement.body + statement.orelse))
        if isinstance(statement, ast.While):
            return self.is_uniform(statement.test) and all(map(self.is_once, statement.body + statement.orelse))
        return isinstance(statement, (ast.Pass, ast.Break, ast.Continue))

    def _visit(self, body: list[ast.stmt], scope: tuple) -> None:
        """Withdraw what the statements contradict, and note in which scopes variables are bound and used."""
        if scope == ():
            self.places: dict[str, list[tuple[int, tuple, str]]] = {}
            self.position = 0
        for statement in body:
            self.position += 1
            here = self.position
            if isinstance(statement, Exchange):
                self._note(here, scope, loads(statement), {statement.target}, straight=True)
                if statement.scope == "warp":
                    self.uniform.discard(statement.target)
            elif not synchronises(statement) and stays_whole(statement):
                once = self.is_once(statement)
                self._note(here, scope, loads(statement), stores(statement), isinstance(statement, ast.Assign))
                if not once:
                    self.uniform -= stores(statement)
            elif isinstance(statement, ast.If):
                self._note(here, scope, loads(statement.test), set(), True)
                for arm, inside in enumerate((statement.body, statement.orelse)):
                    divided = not self.is_uniform(statement.test)
                    self._visit(inside, (*scope, (id(statement), arm)) if divided else (*scope, None))
            elif isinstance(statement, (ast.For, ast.While)):
                head = statement.iter if isinstance(statement, ast.For) else statement.test
                bound = stores(statement.target) if isinstance(statement, ast.For) else set()
                self._note(here, scope, loads(head), bound, True)
                if not self.is_uniform(head):
                    self.uniform -= bound
                self._visit(statement.body, (*scope, None))
            else:
                self._note(here, scope, loads(statement), stores(statement), False)

    def _note(self, at: int, scope: tuple, used: set[str], bound: set[str], straight: bool) -> None:
        for variable in used:
            self.places.setdefault(variable, []).append((at, scope, "use"))
        for variable in bound:
            self.places.setdefault(variable, []).append((at, scope, "bind" if straight else "rebind"))

    def _check_scopes(self) -> None:
        """A variable bound where only some threads go is uniform among those alone: withdraw it if others use it.

        Those threads must bind it anew, straight away, each time that they come by; else a thread that comes by for
        the first time would find what others left.
        """
        for variable, places in self.places.items():
            if variable not in self.uniform:
                continue
            divided = {_divided(scope) for _, scope, kind in places if kind != "use"}
            if divided == {()}:
                continue
            home = next(iter(divided))
            first = min(place for place in places if place[2] != "use")
            straight = first[2] == "bind" and first[1][-1:] != (None,) and _divided(first[1]) == home
            inside = all(_divided(scope)[: len(home)] == home for _, scope, _ in places)
            before = any(at <= first[0] for at, _, kind in places if kind == "use")
            if len(divided) > 1 or not (straight and inside) or before:
                self.uniform.discard(variable)

    # -- what is worked out again

    def _find_again(self) -> None:
        counts: dict[str, int] = {p: 1 for p in self.parameters}
        for statement in self.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    counts[node.id] = counts.get(node.id, 0) + 1
                elif isinstance(node, Exchange):
                    counts[node.target] = counts.get(node.target, 0) + 1
        self._again_in(self.body, {p for p in self.parameters if counts[p] == 1}, counts)

    def _find_counters(self) -> None:
        bound: dict[str, list[ast.AST]] = {}
        for statement in self.body:
            for node in ast.walk(statement):
                if isinstance(node, (ast.Assign, ast.AugAssign, Exchange)):
                    for variable in stores(node):
                        bound.setdefault(variable, []).append(node)
                elif isinstance(node, ast.For):
                    for variable in stores(node.target):
                        bound.setdefault(variable, []).append(node)
        for variable, places in bound.items():
            loops = [p for p in places if isinstance(p, ast.For) and isinstance(p.target, ast.Name)]
            if variable not in self.parameters and len(loops) == len(places) and all(map(self.counts_up, loops)):
                self.counters.add(variable)

    def counts_up(self, loop: ast.For) -> bool:
        """Whether a loop goes over a range from zero or more upwards."""
        over = loop.iter
        if not (isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"):
            return False
        return len(over.args) == 1 or all(self.is_non_negative(e) for e in (over.args[0], *over.args[2:]))

    def _again_in(self, body: list[ast.stmt], known: set[str], counts: dict[str, int]) -> None:
        known = set(known)
        for at, statement in enumerate(body):
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                variable = statement.targets[0].id
                if (
                    len(statement.targets) == 1
                    and counts[variable] == 1
                    and self._used_only_in(variable, body[at + 1 :])
                ):
                    if variable in self.uniform:
                        known.add(variable)
                        self.values[variable] = statement.value
                    elif self.is_cheap(statement.value, known):
                        self.again[variable] = statement.value
                        known.add(variable)
            elif not stays_whole(statement) and isinstance(statement, ast.If):
                self._again_in(statement.body, known, counts)
                self._again_in(statement.orelse, known, counts)
            elif not stays_whole(statement) and isinstance(statement, (ast.For, ast.While)):
                inside = set(known)
                if isinstance(statement, ast.For):
                    inside |= {v for v in stores(statement.target) if counts[v] == 1 and v in self.uniform}
                self._again_in(statement.body, inside, counts)

    def _used_only_in(self, variable: str, rest: list[ast.stmt]) -> bool:
        def uses(statements: list[ast.stmt]) -> int:
            return sum(
                isinstance(n, ast.Name) and n.id == variable and isinstance(n.ctx, ast.Load)
                for s in statements
                for n in ast.walk(s)
            )

        return uses(rest) == uses(self.body)

    def is_cheap(self, node: ast.expr, known: set[str]) -> bool:
        operations = 0
        for inner in ast.walk(node):
            if not isinstance(inner, CHEAP):
                return False
            if isinstance(inner, ast.BinOp):
                dear = isinstance(inner.op, (ast.FloorDiv, ast.Mod, ast.Div)) and not isinstance(
                    inner.right, ast.Constant
                )
                operations += 4 if dear else 1
            elif isinstance(inner, ast.Subscript):
                if not self._is_view(inner):
                    return False
            elif isinstance(inner, ast.Call):
                called = inner.func.id if isinstance(inner.func, ast.Name) else ""
                if called not in PURE_BUILTINS and not isinstance(self.thread.outside.get(called), types.Type):
                    return False
            elif isinstance(inner, ast.Name):
                fixed = inner.id not in self.bound and inner.id not in self.thread.allocations
                if not (fixed or inner.id in known):
                    return False
        return operations <= CHEAP_OPERATIONS

    def _is_view(self, node: ast.Subscript) -> bool:
        if isinstance(node.value, ast.Attribute):
            return node.value.attr in ("shape", "strides")
        kind = self.kinds.get(node.value.id) if isinstance(node.value, ast.Name) else None
        count = len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1
        return isinstance(kind, types.Array) and count < kind.ndim


def _divided(scope: tuple) -> tuple:
    return tuple(part for part in scope if part is not None)


def _is_pure(value: object) -> bool:
    """Whether calling an object from outside changes nothing and depends on its arguments alone."""
    if isinstance(value, types.Type):
        return True
    module = getattr(value, "__module__", "") or ""
    return (
        module in ("math", "numpy")
        or module.endswith(("cpu.semantics", "cpu.float32", "cpu.fp16"))
        or type(value).__name__ == "ufunc"
    )


def _shared_names(statement: ast.stmt, thread: Thread) -> set[str]:
    """The names that a statement binds to a shared array."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
            allocation = thread.allocations.get(node.value.func.id)
            if allocation is not None and allocation.space == "shared":
                found |= stores(node)
    return found
