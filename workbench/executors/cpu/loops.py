"""Emit a block that was cut into loops over its threads.

The text reads like the kernel, with a loop over threads around what is between two barriers. A variable that outlives
a cut has an array of slots, one for each thread of the block, or one for each lane where only a warp needs it; an
index such as ``i = cuda.grid(1)`` is worked out again in each loop.
"""

from __future__ import annotations

import ast
import copy
import math
from typing import Any

from numba.core import types

from workbench.executors.cpu import lockstep
from workbench.executors.cpu.bounds import bound
from workbench.executors.cpu.dialect import EXCHANGES, INDEX_NAMES, WARP, loads, stores
from workbench.executors.cpu.emit import Text, add_statements
from workbench.executors.cpu.fission import Choose, Loop, Node, Once, Plan, Some, Strided, Threads, Warps
from workbench.executors.cpu.memory import array_maker, assume, unsigned
from workbench.executors.cpu.prefetch import PREFETCHES, next_blocks, used_by_stride
from workbench.executors.cpu.slots import Kept, exposed, kept
from workbench.executors.cpu.uniform import NotUniform, Uniformity
from workbench.numba_cuda import Dimensions
from workbench.source import SourceError

MEET = "meet__"


class Loops:
    """The emitted text of a kernel's ``block`` function, and the namespace that it is compiled in.

    Raises NotUniform where a variable cannot be kept between loops.
    """

    def __init__(self, plan: Plan, known: Uniformity, block: Dimensions, namespace: dict[str, Any]) -> None:
        self.plan, self.known, self.block, self.threads = plan, known, block, math.prod(block)
        self.allocations = known.thread.allocations
        self.namespace = dict(namespace)
        self.namespace |= {MEET + operation: getattr(lockstep, operation) for operation in EXCHANGES}
        self.namespace |= {"assume__": assume, "unsigned__": unsigned, **PREFETCHES}
        self.pieces: list[tuple[Threads, Warps | None]] = list(_pieces(plan.nodes, None))
        self.kept = self._keep()
        self.by_lane = self._kept_by_lane()

    # -- what is kept

    def _keep(self) -> Kept:
        kinds = {m: types.boolean for m in self.plan.masks} | self.known.kinds
        for handed, exchange in self.plan.handed.items():
            kinds[handed] = self._handed_type(exchange)
        elsewhere = self.known.uniform | set(self.known.again)
        pieces = []
        for threads, _ in self.pieces:
            nodes: list[ast.AST] = [*threads.guards, *threads.statements]
            pieces.append([_Without(elsewhere).visit(copy.deepcopy(n)) for n in nodes])
        try:
            found = kept(self.known.thread, pieces, kinds, self.allocations)
        except SourceError:
            raise NotUniform from None
        if found.arrays:
            raise NotUniform
        for handed in self.plan.handed:
            found.scalars[handed] = types.unliteral(kinds[handed])
        if any(isinstance(kind, types.BaseTuple) for kind in found.scalars.values()):
            raise NotUniform
        return found

    def _handed_type(self, exchange: Any) -> types.Type:
        """A vote's value counts as true or false; a shuffle's comes back as it is."""
        if exchange.operation.startswith(("shfl", "match")):
            kind = self.known.kinds.get(exchange.target)
            if exchange.operation.startswith("match") or kind is None:
                raise NotUniform
            return kind
        return types.boolean

    def _kept_by_lane(self) -> set[str]:
        """The variables that only one loop over warps uses, and that each warp binds before it reads them."""
        homes: dict[str, set[int]] = {}
        for threads, warps in self.pieces:
            for node in [*threads.guards, *threads.statements]:
                for variable in loads(node) | stores(node):
                    homes.setdefault(variable, set()).add(id(warps) if warps is not None else 0)
        unready: set[str] = set()
        for _, warps in self.pieces:
            if warps is not None:
                unready |= _exposed_nodes(warps.body, set())
        return {v for v in self.kept.scalars if 0 not in homes[v] and len(homes[v]) == 1 and v not in unready}

    # -- text

    def text(self, parameters: list[str]) -> Text:
        """The function of one block."""
        text = Text()
        text.add(0, f"def block({', '.join([*INDEX_NAMES[3:], 'dynamic__', *parameters])}):")
        for identifier, allocation in self.allocations.items():
            if allocation.space == "shared":
                argument = "dynamic__" if allocation.shape == (0,) else ""
                text.add(1, f"{identifier}__array = {identifier}({argument})")
        for line in next_blocks(self.plan, self.known, self.threads):
            text.add(1, line)
        for variable, identifier in self.kept.local.items():
            allocation = self.allocations[identifier]
            self._make(text, variable, (self.threads, *allocation.shape), allocation.element)
        for variable, kind in self.kept.scalars.items():
            count = WARP if variable in self.by_lane else self.threads
            self._make(text, variable, (count,), kind)
        for variable in sorted(set(parameters) & set(self.kept.scalars)):
            text.add(1, f"{variable}__slots[:] = {variable}")
        self._nodes(text, 1, self.plan.nodes, in_warp=False)
        return text

    def _make(self, text: Text, variable: str, shape: tuple[int, ...], element: types.Type) -> None:
        self.namespace[f"make__{variable}"] = array_maker(shape, element)
        text.add(1, f"{variable}__slots = make__{variable}()")

    def _nodes(self, text: Text, indent: int, nodes: list[Node], in_warp: bool) -> None:
        before = len(text.lines)
        for node in nodes:
            getattr(self, f"_{type(node).__name__}")(text, indent, node, in_warp)
        if len(text.lines) == before:
            text.add(indent, "pass")

    def _rewritten(self, node: Any, in_warp: bool) -> Any:
        return _ForLoops(self, in_warp).visit(copy.deepcopy(node))

    def _shown(self, node: ast.expr, in_warp: bool) -> str:
        return ast.unparse(ast.fix_missing_locations(self._rewritten(node, in_warp)))

    def _again(self, text: Text, indent: int, used: set[str], in_warp: bool) -> None:
        """Work out again what the names in ``used`` need."""
        needed = set(used)
        for variable in reversed(self.known.again):
            if variable in needed:
                needed |= loads(self.known.again[variable])
        for variable, value in self.known.again.items():
            if variable in needed:
                text.add(indent, f"{variable} = {self._shown(value, in_warp)}")

    def _Once(self, text: Text, indent: int, node: Once, in_warp: bool) -> None:
        if in_warp and node.statements:
            self._first_lane(text, indent, set().union(*(loads(s) for s in node.statements)))
        add_statements(text, indent, [self._rewritten(s, in_warp) for s in node.statements])

    def _first_lane(self, text: Text, indent: int, used: set[str]) -> None:
        """The indices of a warp's first thread, for what is the same in the whole warp."""
        if used & (set(self.known.again) | set(INDEX_NAMES[:3])):
            text.add(indent, "threadIdx__x = warp__")
            self._again(text, indent, used, in_warp=True)

    def _Threads(
        self, text: Text, indent: int, node: Threads, in_warp: bool, limits: tuple[str, str] = ("", "")
    ) -> None:
        if not in_warp and not limits[0]:
            node, last = self._bounded(node)
            limits = (last, limits[1])
        used = set().union(*(loads(n) for n in [*node.guards, *node.statements]))
        indent = self._open(text, indent, in_warp, limits[0])
        if limits[1]:
            text.add(indent, limits[1])
        self._again(text, indent, used, in_warp)
        slot = {v: f"{v}__slots[{'lane__' if v in self.by_lane else 'thread__'}]" for v in self.kept.scalars}
        for guard in node.guards:
            for variable in sorted(loads(guard) & set(self.kept.scalars)):
                text.add(indent, f"{variable} = {slot[variable]}")
            text.add(indent, f"if {self._shown(guard, in_warp)}:")
            indent += 1
        bound: set[str] = set()
        early = set().union(*(exposed(s, bound) for s in node.statements)) if node.statements else set()
        written = set().union(*(stores(s) for s in node.statements)) if node.statements else set()
        for variable in self.kept.local:
            if variable in used | written:
                text.add(indent, f"{variable} = {variable}__slots[thread__]")
        for variable in self.kept.scalars:
            # what may not be bound here keeps its value, since all that is written is put back
            if variable in early or (variable in written and variable not in bound):
                text.add(indent, f"{variable} = {slot[variable]}")
        statements = [
            self._rewritten(s, in_warp)
            for s in node.statements
            if not _binds_only(s, set(self.kept.local)) and not _binds_only(s, set(self.known.again))
        ]
        before = len(text.lines)
        add_statements(text, indent, statements)
        for variable in self.kept.scalars:
            if variable in written:
                text.add(indent, f"{slot[variable]} = {variable}")
        if len(text.lines) == before:
            text.add(indent, "pass")

    def _bounded(self, node: Threads) -> tuple[Threads, str]:
        """A guard such as ``if i < n:`` around all that is done, as a bound of the loop, which then vectorises."""
        statements = [s for s in node.statements if not _binds_only(s, set(self.known.again))]
        if not self.known.block_is_line:
            return node, ""
        if node.guards:
            found = bound(node.guards[0], self.plan, self.known)
            rest = Threads(node.statements, node.guards[1:])
        elif len(statements) == 1 and isinstance(statements[0], ast.If) and not statements[0].orelse:
            found = bound(statements[0].test, self.plan, self.known)
            rest = Threads(statements[0].body, [])
        else:
            return node, ""
        if found is None:
            return node, ""
        return rest, f"min({self.threads}, {self._shown(found, False)})"

    def _open(self, text: Text, indent: int, in_warp: bool, last: str) -> int:
        """Open the loop over threads, or over the lanes of a warp; how far its body is indented."""
        width, height, depth = self.block
        if in_warp:
            text.add(indent, f"for lane__ in range({WARP if self.threads % WARP == 0 else 'lanes__'}):")
            text.add(indent + 1, "thread__ = warp__ + lane__")
            if height * depth == 1:
                text.add(indent + 1, "threadIdx__x = thread__")
            else:
                text.add(indent + 1, f"threadIdx__x = thread__ % {width}")
                text.add(indent + 1, f"threadIdx__y = thread__ // {width} % {height}")
                text.add(indent + 1, f"threadIdx__z = thread__ // {width * height}")
            return indent + 1
        if depth > 1:
            text.add(indent, f"for threadIdx__z in range({depth}):")
            indent += 1
        if height > 1:
            text.add(indent, f"for threadIdx__y in range({height}):")
            indent += 1
        text.add(indent, f"for threadIdx__x in range({last or width}):")
        indent += 1
        if depth == 1:
            text.add(indent, "threadIdx__z = 0")
        if height == 1:
            text.add(indent, "threadIdx__y = 0")
        linear = "threadIdx__x"
        if height > 1:
            linear += f" + {width} * threadIdx__y"
        if depth > 1:
            linear += f" + {width * height} * threadIdx__z"
        text.add(indent, f"thread__ = {linear}")
        return indent

    def _Warps(self, text: Text, indent: int, node: Warps, in_warp: bool) -> None:
        text.add(indent, f"for warp__ in range(0, {self.threads}, {WARP}):")
        full = self.threads % WARP == 0
        text.add(indent + 1, f"lanes__ = {WARP}" if full else f"lanes__ = min({WARP}, {self.threads} - warp__)")
        self._nodes(text, indent + 1, node.body, in_warp=True)

    def _Choose(self, text: Text, indent: int, node: Choose, in_warp: bool) -> None:
        if in_warp:
            self._first_lane(text, indent, loads(node.test))
        text.add(indent, f"if {self._shown(node.test, in_warp)}:", getattr(node.test, "lineno", None))
        self._nodes(text, indent + 1, node.body, in_warp)
        if node.orelse:
            text.add(indent, "else:")
            self._nodes(text, indent + 1, node.orelse, in_warp)

    def _Loop(self, text: Text, indent: int, node: Loop, in_warp: bool) -> None:
        head = node.head
        if isinstance(head, ast.For):
            if in_warp:
                self._first_lane(text, indent, loads(head.iter))
            line = f"for {ast.unparse(head.target)} in {self._shown(head.iter, in_warp)}:"
        else:
            line = f"while {self._shown(head.test, in_warp)}:"
        text.add(indent, line, head.lineno)
        self._nodes(text, indent + 1, node.body, in_warp)

    def _Strided(self, text: Text, indent: int, node: Strided, in_warp: bool) -> None:
        first, stop, step = (self._shown(e, False) for e in (node.first, node.stop, node.step))
        last = f"min({self._limit()}, ({stop}) - at__)"
        text.add(indent, f"for at__ in range({first}, {stop}, {step}):")
        if node.target in self.known.counters:
            text.add(indent + 1, "assume__(at__ >= 0)")
        self._prefetch(text, indent + 1, node, step)
        bind = f"{node.target} = at__ + threadIdx__x"
        self._Threads(text, indent + 1, node.threads, False, (last, bind))

    def _prefetch(self, text: Text, indent: int, node: Strided, step: str) -> None:
        for array in used_by_stride(node, self.known):
            text.add(indent, f"prefetch__({array}, at__ + {step}, {self.threads})")

    def _limit(self) -> str:
        """How many threads stride."""
        return str(self.threads)

    def _Some(self, text: Text, indent: int, node: Some, in_warp: bool) -> None:
        text.add(indent, "some__ = False")
        check = Threads([ast.Assign([ast.Name("some__", ast.Store())], ast.Constant(True), lineno=0)], node.guards)
        self._Threads(text, indent, check, in_warp)
        text.add(indent, "if some__:")
        self._nodes(text, indent + 1, node.body, in_warp)


def _binds_only(statement: ast.stmt, variables: set[str]) -> bool:
    """Whether a statement only gives some of these variables their values, and writes no array."""
    return isinstance(statement, ast.Assign) and bool(stores(statement)) and stores(statement) <= variables


def _pieces(nodes: list[Node], warps: Warps | None) -> Any:
    """Every loop over threads in a plan, with the loop over warps that it is in."""
    for node in nodes:
        if isinstance(node, Threads):
            yield node, warps
        elif isinstance(node, Strided):
            yield node.threads, warps
        elif isinstance(node, Warps):
            yield from _pieces(node.body, node)
        elif isinstance(node, Choose):
            yield from _pieces(node.body, warps)
            yield from _pieces(node.orelse, warps)
        elif isinstance(node, Some):
            yield Threads([], node.guards), warps
            yield from _pieces(node.body, warps)
        elif isinstance(node, Loop):
            yield from _pieces(node.body, warps)


def _exposed_nodes(nodes: list[Node], bound: set[str]) -> set[str]:
    """The names that nodes may read before they bind them; ``bound`` grows by those that they surely bind."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, Threads):
            found |= set().union(*(loads(g) for g in node.guards)) - bound if node.guards else set()
            inside = set(bound)
            for statement in node.statements:
                found |= exposed(statement, inside)
            if not node.guards:
                bound |= inside
        elif isinstance(node, Choose):
            arms = []
            for arm in (node.body, node.orelse):
                inside = set(bound)
                found |= _exposed_nodes(arm, inside)
                arms.append(inside)
            bound |= arms[0] & arms[1]
        elif isinstance(node, (Loop, Some)):
            found |= _exposed_nodes(node.body, set(bound))
    return found


class _Without(ast.NodeTransformer):
    """Replaces names that are not kept in slots by a constant, for the question which ones must be."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return ast.Name("_", node.ctx) if isinstance(node.ctx, ast.Store) else ast.Constant(0)
        return node


class _ForLoops(ast.NodeTransformer):
    """What runs: shared arrays are the block's, and exchanges look at the slots of the warp or the block."""

    def __init__(self, loops: Loops, in_warp: bool) -> None:
        self.loops, self.in_warp = loops, in_warp

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node = self.generic_visit(node)
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        allocation = self.loops.allocations.get(called)
        if allocation is not None and allocation.space == "shared":
            return ast.Name(f"{called}__array", ast.Load())
        if called.startswith(MEET):
            handed = node.args[0].id
            node.args[0] = ast.Name(f"{handed}__slots", ast.Load())
            if EXCHANGES[called.removeprefix(MEET)] == "warp":
                by_lane = handed in self.loops.by_lane
                first = ast.Constant(0) if by_lane else ast.Name("warp__", ast.Load())
                node.args[1:1] = [first, ast.Name("lanes__", ast.Load())]
                if len(node.args) > 3:
                    node.args.insert(3, ast.Name("lane__", ast.Load()))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        known = self.loops.known
        plain = [not isinstance(part, ast.Constant) and known.is_non_negative(part) for part in parts]
        is_array = isinstance(node.value, ast.Name) and isinstance(known.kinds.get(node.value.id), types.Array)
        node = self.generic_visit(node)
        if is_array:
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            parts = [
                ast.Call(ast.Name("unsigned__", ast.Load()), [part], []) if one else part
                for part, one in zip(parts, plain, strict=True)
            ]
            node.slice = ast.Tuple(parts, ast.Load()) if isinstance(node.slice, ast.Tuple) else parts[0]
        return node
