"""Cut a block's program at its barriers into loops over threads: loop fission.

Between two barriers the threads of a block are independent, so what each does there becomes the body of a loop over
them. Control flow that holds a barrier goes around those loops, which is possible where it is the same for all
threads; an ``if`` that is not becomes a condition inside them. Where threads of a warp exchange values, the same is
done one level down, with a loop over warps around loops over 32 lanes. (J. A. Stratton et al., MCUDA, 2008; R. Han et
al., COX, 2021.)
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.executors.cpu.dialect import SHUFFLES, Barrier, Exchange, assign, loads, name, stores
from workbench.executors.cpu.states import stays_whole
from workbench.executors.cpu.uniform import NotUniform, Uniformity


@dataclass
class Threads:
    """Statements that every thread runs, if the ``guards`` hold for it; inside Warps, every lane."""

    statements: list[ast.stmt]
    guards: list[ast.expr]


@dataclass
class Once:
    """Statements that are run once for the block (inside Warps, once for the warp)."""

    statements: list[ast.stmt]


@dataclass
class Warps:
    """A loop over the warps of the block."""

    body: list[Node]


@dataclass
class Choose:
    """An ``if`` around loops."""

    test: ast.expr
    body: list[Node]
    orelse: list[Node]


@dataclass
class Loop:
    """A ``for`` or ``while`` around loops; ``head`` has no body."""

    head: ast.For | ast.While
    body: list[Node]


@dataclass
class Strided:
    """A loop of each thread over ``first + threadIdx.x, + step, ...`` below ``stop``, turned inside out.

    Threads that are next to each other then touch elements that are, as they do on a GPU.
    """

    target: str
    first: ast.expr
    stop: ast.expr
    step: ast.expr
    threads: Threads


@dataclass
class Some:
    """Nodes that are skipped if the last guard holds for no thread."""

    guards: list[ast.expr]
    body: list[Node]


Node = Threads | Once | Warps | Choose | Loop | Strided | Some


@dataclass
class Place:
    """Where a plan is being made: inside a loop over warps or not, inside a loop of the kernel, under which guards."""

    in_warp: bool = False
    in_loop: bool = False
    guards: list[ast.expr] = field(default_factory=list)


class Plan:
    """The nodes of a kernel's block, and what its loops over threads need to know.

    ``handed`` are the variables whose slots are read by other threads. Raises NotUniform where the block cannot be cut.
    """

    def __init__(self, body: list[ast.stmt], known: Uniformity) -> None:
        self.known = known
        self.handed: dict[str, Exchange] = {}
        self.masks: list[str] = []
        self.count = 0
        self.nodes = self.plan(body, Place())

    def plan(self, body: list[ast.stmt], place: Place) -> list[Node]:
        nodes: list[Node] = []
        pending: list[ast.stmt] = []  # what each thread does before the next cut
        warp_level: list[ast.stmt] = []

        def cut() -> None:
            if pending:
                nodes.append(Threads(list(pending), place.guards))
                pending.clear()

        def cut_warps() -> None:
            if warp_level:
                nodes.append(Warps(self.plan(list(warp_level), Place(True, False, place.guards))))
                warp_level.clear()

        for statement in body:
            if not place.in_warp and self._belongs_to_warps(statement, bool(warp_level)):
                cut()
                warp_level.append(statement)
                continue
            cut_warps()
            if not stays_whole(statement):
                self._split(statement, place, nodes, pending, cut)
            elif self.known.is_once(statement):
                self._once(statement, nodes, pending, cut)
            elif self._is_strided(statement) and not place.in_warp:
                cut()
                nodes.append(self._strided(statement, place))
            else:
                pending.append(statement)
        cut()
        cut_warps()
        return nodes

    def _belongs_to_warps(self, statement: ast.stmt, begun: bool) -> bool:
        """Whether a statement of the block goes into a loop over warps, which may have ``begun``."""
        if stays_whole(statement):
            return begun and not self.known.is_once(statement)
        if _scope(statement) != "warp":
            return False
        if isinstance(statement, ast.If):
            return not self.known.is_uniform(statement.test)
        return not isinstance(statement, (ast.For, ast.While))

    def _once(self, statement: ast.stmt, nodes: list[Node], pending: list, cut: Callable[[], None]) -> None:
        """A statement for the whole block; before what is pending if the two have nothing to do with each other."""
        touched = set().union(*(loads(s) | stores(s) for s in pending)) if pending else set()
        reads_memory = any(isinstance(n, ast.Subscript) for n in ast.walk(statement))
        if stores(statement) & touched or (pending and (reads_memory or loads(statement) & touched & self.known.bound)):
            cut()
        nodes.append(Once([statement]))

    def _split(
        self, statement: ast.stmt, place: Place, nodes: list[Node], pending: list, cut: Callable[[], None]
    ) -> None:
        if isinstance(statement, Barrier):
            if statement.scope == "block" and place.in_warp:
                raise NotUniform
            cut()
            nodes.append(Once([]))  # keeps the loops on both sides apart
        elif isinstance(statement, Exchange):
            self._exchange(statement, place, nodes, pending, cut)
        elif isinstance(statement, ast.If):
            cut()
            nodes.extend(self._if(statement, place))
        elif isinstance(statement, (ast.For, ast.While)):
            cut()
            nodes.extend(self._loop(statement, place))
        elif (isinstance(statement, (ast.Break, ast.Continue)) and place.in_loop) or (
            isinstance(statement, ast.Return) and not place.guards and not place.in_warp
        ):
            cut()
            nodes.append(Once([statement]))
        else:
            raise NotUniform

    def _is_same(self, node: ast.expr, place: Place) -> bool:
        return self.known.is_warp_uniform(node) if place.in_warp else self.known.is_uniform(node)

    def _if(self, statement: ast.If, place: Place) -> list[Node]:
        if self._is_same(statement.test, place):
            return [Choose(statement.test, self.plan(statement.body, place), self.plan(statement.orelse, place))]
        if any(isinstance(n, (Exchange, ast.Break, ast.Continue, ast.Return)) for n in ast.walk(statement)):
            raise NotUniform
        nodes: list[Node] = []
        test = statement.test
        if not self.known.is_cheap(test, set(self.known.again) | self.known.uniform):
            self.count += 1
            mask = f"mask__{self.count}"
            self.masks.append(mask)
            nodes.append(Threads([assign(mask, ast.Call(name("bool"), [test], []), statement.lineno)], place.guards))
            test = name(mask)
        elif self._rebinds(statement, loads(test)):
            raise NotUniform
        for guard, body in ((test, statement.body), (ast.UnaryOp(ast.Not(), test), statement.orelse)):
            if body:
                guards = [*place.guards, guard]
                nodes.append(Some(guards, self.plan(body, Place(place.in_warp, False, guards))))
        return nodes

    def _rebinds(self, statement: ast.If, names: set[str]) -> bool:
        return bool(set().union(*(stores(s) for s in [*statement.body, *statement.orelse])) & names)

    def _loop(self, statement: ast.For | ast.While, place: Place) -> list[Node]:
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        if not self._is_same(head, place) or (place.guards and not self.known.is_uniform(head)):
            raise NotUniform
        if isinstance(statement, ast.For):
            unrolled = self._unrolled(statement, place)
            if unrolled is not None:
                return unrolled
            if not stores(statement.target) <= self.known.uniform:
                raise NotUniform
            bare: ast.For | ast.While = ast.For(statement.target, statement.iter, [], [])
        else:
            bare = ast.While(statement.test, [], [])
        inside = Place(place.in_warp, not place.guards, place.guards)
        return [Loop(ast.copy_location(bare, statement), self.plan(statement.body, inside))]

    def _unrolled(self, statement: ast.For, place: Place) -> list[Node] | None:
        """A loop over a tuple of constants, such as ``(16, 8, 4, 2, 1)``, written out."""
        over = statement.iter
        if not (isinstance(over, ast.Tuple) and all(isinstance(e, ast.Constant) for e in over.elts)):
            return None
        if len(over.elts) > 8 or not isinstance(statement.target, ast.Name):
            return None
        if any(isinstance(n, (ast.Break, ast.Continue)) for n in ast.walk(statement)):
            return None
        variable = statement.target.id
        only_here = sum(
            isinstance(n, ast.Name) and n.id == variable for s in self.known.body for n in ast.walk(s)
        ) == sum(isinstance(n, ast.Name) and n.id == variable for n in ast.walk(statement))
        if not only_here or sum(variable in stores(s) for s in statement.body):
            return None
        written: list[ast.stmt] = []
        for item in over.elts:
            written += [_Put(variable, item).visit(copy.deepcopy(s)) for s in statement.body]
        return self.plan(written, place)

    # -- exchanges

    def _exchange(
        self, statement: Exchange, place: Place, nodes: list[Node], pending: list, cut: Callable[[], None]
    ) -> None:
        if place.guards:
            raise NotUniform
        self.count += 1
        handed = f"handed__{self.count}"
        self.handed[handed] = statement
        pending.append(assign(handed, statement.value, statement.lineno))
        arguments: list[ast.expr] = [name(handed)]
        if statement.lane is not None:
            lane = statement.lane
            if any(isinstance(n, (ast.Subscript, ast.Call)) for n in ast.walk(lane)):
                raise NotUniform
            arguments.append(lane)
        cut()
        meet = ast.Call(name(f"meet__{statement.operation}"), arguments, [])
        if statement.operation in SHUFFLES or statement.operation.startswith("match"):
            pending.append(assign(statement.target, meet, statement.lineno))
        elif statement.scope == "block" and statement.target in self.known.uniform:
            nodes.append(Once([assign(statement.target, meet, statement.lineno)]))
        else:
            result = f"result__{self.count}"
            nodes.append(Once([assign(result, meet, statement.lineno)]))
            pending.append(assign(statement.target, name(result), statement.lineno))

    # -- loops turned inside out

    def _is_strided(self, statement: ast.stmt) -> bool:
        if not (isinstance(statement, ast.For) and isinstance(statement.target, ast.Name) and not statement.orelse):
            return False
        call = statement.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
            return False
        if len(call.args) != 3 or not self.known.block_is_line:
            return False
        start, stop, step = call.args
        leaves = (ast.Break, ast.Continue, ast.Return, ast.While)
        if any(isinstance(n, leaves) for s in statement.body for n in ast.walk(s)):
            return False
        if self.first_of(start) is None or not (self.known.is_uniform(stop) and self.known.is_uniform(step)):
            return False
        if not self.known.is_non_negative(step):
            return False
        rebound = set().union(*(stores(s) for s in statement.body))
        local = {n for s in statement.body for n in loads(s)} & set(self.known.thread.allocations)
        if local or rebound & (loads(stop) | loads(step) | {statement.target.id}):
            return False
        return not self._read_after_loops(statement.target.id)

    def _read_after_loops(self, variable: str) -> bool:
        """Whether a loop's variable is read anywhere but in loops over it."""

        def reads(node: ast.AST) -> bool:
            if isinstance(node, ast.For) and variable in stores(node.target):
                return reads(node.iter)
            if isinstance(node, ast.Name) and node.id == variable:
                return isinstance(node.ctx, ast.Load)
            return any(reads(child) for child in ast.iter_child_nodes(node))

        return any(reads(s) for s in self.known.body)

    def first_of(self, start: ast.expr) -> ast.expr | None:
        """An index of the first thread: ``start`` without its ``threadIdx.x``, if it is a uniform value plus that."""
        if isinstance(start, ast.Name) and start.id in self.known.again:
            return self.first_of(self.known.again[start.id])
        if isinstance(start, ast.Name) and start.id == "threadIdx__x":
            return ast.Constant(0)
        if isinstance(start, ast.BinOp) and isinstance(start.op, ast.Add):
            for one, other in ((start.left, start.right), (start.right, start.left)):
                first = self.first_of(one)
                if first is not None and self.known.is_uniform(other):
                    return ast.BinOp(first, ast.Add(), other)
        return None

    def _strided(self, statement: ast.For, place: Place) -> Node:
        start, stop, step = statement.iter.args
        first = self.first_of(start) or ast.Constant(0)
        self.count += 1
        target = f"{statement.target.id}__{self.count}"
        rename = _Put(statement.target.id, name(target))
        body = [rename.visit(copy.deepcopy(s)) for s in statement.body]
        if self.known.counts_up(statement):
            self.known.counters.add(target)
        return Strided(target, first, stop, step, Threads(body, place.guards))


class _Put(ast.NodeTransformer):
    """Puts a constant in the place of a variable."""

    def __init__(self, variable: str, value: ast.expr) -> None:
        self.variable, self.value = variable, value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.value if node.id == self.variable else node


def _scope(statement: ast.stmt) -> str | None:
    """Among whom threads wait in a statement: the block, if anywhere; else the warp; None if they do not wait."""
    scopes = {n.scope for n in ast.walk(statement) if isinstance(n, (Barrier, Exchange))}
    return "block" if "block" in scopes else "warp" if scopes else None
