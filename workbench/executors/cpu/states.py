"""Cut a thread's program where it waits: a graph of states, each run without waiting, and what comes after each.

A statement in which nothing waits, and which leaves for nowhere outside itself, stays whole. The others are taken
apart into states: a loop that waits becomes a state that tests and one that goes back to it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from workbench.executors.cpu.dialect import Barrier, Exchange, Leave, Scope, assign, name, synchronises
from workbench.source import SourceError

CONSTANT = (ast.Tuple, ast.Constant, ast.UnaryOp, ast.USub, ast.Load)
"""What a tuple of constants is made of."""

FULL_MASK = 0xFFFFFFFF
"""The mask of ``cuda.syncwarp()``: all lanes of the warp."""


@dataclass(frozen=True)
class Go:
    """Continue with a state."""

    to: int


@dataclass(frozen=True)
class Branch:
    """Continue with one state or another."""

    test: ast.expr
    then: int
    otherwise: int


@dataclass(frozen=True)
class Wait:
    """Wait for the lanes of the warp that ``mask`` names, or for the block; then go on with a state.

    ``at`` is the statement that waits. A mask of -1 names whoever comes.
    """

    scope: str
    to: int
    at: ast.stmt
    mask: ast.expr | None


@dataclass(frozen=True)
class Done:
    """The thread has come to its end, or ``early`` to a return."""

    early: bool = False


@dataclass
class State:
    """Statements in which nothing waits, and what comes after them."""

    statements: list[ast.stmt] = field(default_factory=list)
    after: Go | Branch | Wait | Done = field(default_factory=Done)


def states(body: list[ast.stmt]) -> list[State]:
    """The states of a program in normal form; the first one is where a thread begins.

    Raises SourceError for a loop that waits over something other than a range or a tuple.
    """
    graph = _Graph()
    graph.run(body)
    return graph.states


def stays_whole(statement: ast.stmt) -> bool:
    """Whether nothing waits in the statement and it leaves for nowhere outside itself."""
    return not synchronises(statement) and not _leaves(statement, in_loop=False)


def _leaves(node: ast.AST, in_loop: bool) -> bool:
    if isinstance(node, (ast.Return, Leave)):
        return True
    if isinstance(node, (ast.Break, ast.Continue)):
        return not in_loop
    in_loop = in_loop or isinstance(node, (ast.For, ast.While))
    return any(_leaves(child, in_loop) for child in ast.iter_child_nodes(node))


class _Graph:
    def __init__(self) -> None:
        self.states = [State()]
        self.now = 0
        self.breaks: list[int] = []
        self.continues: list[int] = []
        self.ends: dict[str, int] = {}
        self.count = 0

    def fresh(self) -> int:
        self.states.append(State())
        return len(self.states) - 1

    def end(self, after: Go | Branch | Wait | Done) -> None:
        self.states[self.now].after = after

    def add(self, statement: ast.stmt) -> None:
        self.states[self.now].statements.append(statement)

    def run(self, body: list[ast.stmt]) -> None:
        """Append statements; what follows one that leaves is never reached, and is dropped."""
        for statement in body:
            if isinstance(statement, (ast.Return, ast.Break, ast.Continue, Leave)):
                self.leave(statement)
                return
            if stays_whole(statement):
                self.add(statement)
            else:
                getattr(self, f"_{type(statement).__name__}")(statement)

    def leave(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Return):
            self.end(Done(early=True))
        elif isinstance(statement, Leave):
            self.end(Go(self.ends[statement.label]))
        else:
            self.end(Go((self.breaks if isinstance(statement, ast.Break) else self.continues)[-1]))
        self.now = self.fresh()

    def _Barrier(self, statement: Barrier) -> None:
        self.wait(statement, ast.Constant(FULL_MASK))

    def wait(self, statement: Barrier | Exchange, default: ast.expr) -> None:
        """Wait at a statement, in a warp for the lanes of its mask or of the default."""
        after = self.fresh()
        mask = None if statement.scope == "block" else statement.mask or default
        self.end(Wait(statement.scope, after, statement, mask))
        self.now = after

    def _Exchange(self, statement: Exchange) -> None:
        # hand out, wait, look, and wait again, so that nobody hands out the next value before all have looked
        self.count += 1
        handed, lane = f"handed__{self.count}", f"lane__{self.count}"
        self.add(assign(handed, statement.value, statement.lineno))
        arguments = [name(handed)]
        if statement.lane is not None:
            self.add(assign(lane, statement.lane, statement.lineno))
            arguments.append(name(lane))
        self.wait(statement, ast.Constant(-1))
        look = ast.Call(name(f"look__{statement.operation}"), arguments, [])
        self.add(assign(statement.target, look, statement.lineno))
        self.wait(statement, ast.Constant(-1))

    def _Scope(self, statement: Scope) -> None:
        after = self.fresh()
        self.ends[statement.label] = after
        self.run(statement.body)
        self.end(Go(after))
        self.now = after

    def _If(self, statement: ast.If) -> None:
        then, otherwise, after = self.fresh(), self.fresh(), self.fresh()
        self.end(Branch(statement.test, then, otherwise))
        for start, body in ((then, statement.body), (otherwise, statement.orelse)):
            self.now = start
            self.run(body)
            self.end(Go(after))
        self.now = after

    def _While(self, statement: ast.While) -> None:
        test, body, after = self.fresh(), self.fresh(), self.fresh()
        self.end(Go(test))
        self.states[test].after = Branch(statement.test, body, after)
        self._loop(statement.body, body, test, test, after)

    def _loop(self, body: list[ast.stmt], start: int, back: int, again: int, after: int) -> None:
        self.breaks.append(after)
        self.continues.append(again)
        self.now = start
        self.run(body)
        self.end(Go(back))
        self.breaks.pop()
        self.continues.pop()
        self.now = after

    def _For(self, statement: ast.For) -> None:
        """A loop over a range or a tuple that waits: a counter, a state that tests it, and one that moves it on."""
        self.count += 1
        counter, line = f"counter__{self.count}", statement.lineno
        test, body, step, after = (self.fresh() for _ in range(4))
        over = statement.iter
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range":
            start, stop, stride = _range(over)
            bounds = {f"stop__{self.count}": stop, f"stride__{self.count}": stride}
            going = _is_before(name(counter), *map(name, bounds))
            item: ast.expr = name(counter)
        elif isinstance(over, ast.Tuple) and all(isinstance(n, CONSTANT) for n in ast.walk(over)):
            start, stride = ast.Constant(0), ast.Constant(1)
            bounds = {f"stride__{self.count}": stride}
            going = ast.Compare(name(counter), [ast.Lt()], [ast.Constant(len(over.elts))])
            item = ast.Subscript(over, name(counter), ast.Load())
        elif isinstance(over, ast.Tuple):
            start, stride = ast.Constant(0), ast.Constant(1)
            bounds = {f"items__{self.count}": over, f"stride__{self.count}": stride}
            going = ast.Compare(name(counter), [ast.Lt()], [ast.Constant(len(over.elts))])
            item = ast.Subscript(name(f"items__{self.count}"), name(counter), ast.Load())
        else:
            raise SourceError(
                f"line {line}: threads wait in a loop over `{ast.unparse(over)}`; the CPU executor does that for a "
                "range or a tuple"
            )
        for variable, value in bounds.items():
            self.add(assign(variable, value, line))
        self.add(assign(counter, start, line))
        self.end(Go(test))
        self.states[test].after = Branch(going, body, after)
        self.states[body].statements.append(ast.Assign([statement.target], item, lineno=line))
        move = ast.AugAssign(ast.Name(counter, ast.Store()), ast.Add(), name(f"stride__{self.count}"), lineno=line)
        self.states[step] = State([move], Go(test))
        self._loop(statement.body, body, step, step, after)


def _range(call: ast.Call) -> tuple[ast.expr, ast.expr, ast.expr]:
    """Start, stop and step of a call of ``range``."""
    if len(call.args) == 1:
        return ast.Constant(0), call.args[0], ast.Constant(1)
    start, stop, *step = call.args
    return start, stop, step[0] if step else ast.Constant(1)


def _is_before(counter: ast.expr, stop: ast.expr, stride: ast.expr) -> ast.expr:
    """Whether a counter has not reached the end of a range, whichever way it counts."""
    up = ast.BoolOp(ast.And(), [_compare(stride, ast.Gt(), ast.Constant(0)), _compare(counter, ast.Lt(), stop)])
    down = ast.BoolOp(ast.And(), [_compare(stride, ast.Lt(), ast.Constant(0)), _compare(counter, ast.Gt(), stop)])
    return ast.BoolOp(ast.Or(), [up, down])


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [operator], [right])
