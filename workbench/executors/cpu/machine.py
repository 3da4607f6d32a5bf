"""Emit a kernel whose threads wait for each other: every thread goes from state to state, at its own pace.

Each thread of a block has a state, and slots for the variables that outlive a wait. A thread runs until it waits; when
all threads of its warp do, those that wait for the warp go on; when all threads of the block do, those that wait for
the block go on. Any control flow is right this way, also where threads of a warp go different ways.
"""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import types

from workbench import numba_cuda
from workbench.executors.cpu import exchanges
from workbench.executors.cpu.dialect import EXCHANGES, INDEX_NAMES, SHUFFLES, WARP, loads
from workbench.executors.cpu.emit import Text, add_statements
from workbench.executors.cpu.memory import array_maker
from workbench.executors.cpu.slots import Kept, kept
from workbench.executors.cpu.states import Branch, Go, State, Wait, states
from workbench.executors.cpu.thread import Thread

RUNNING, WARP_WAIT, BLOCK_WAIT, FINISHED, RETURNED = 0, 1, 2, 3, 4
LOOK = "look__"


class Machine:
    """The emitted text of a kernel's ``block`` function, and the namespace that it is compiled in."""

    def __init__(
        self, thread: Thread, body: list[ast.stmt], block: numba_cuda.Dimensions, parameter_types: dict
    ) -> None:
        self.thread, self.block, self.threads = thread, block, math.prod(block)
        self.parameters = list(parameter_types)
        self.states = _numbered(states(body))
        self.namespace = dict(thread.outside)
        for identifier, allocation in thread.allocations.items():
            if allocation.shape != (0,):
                self.namespace[identifier] = array_maker(allocation.shape, allocation.element)
            else:
                self.namespace[identifier] = njit(_dynamic_view(allocation.element))
        self.inference = self._one_thread()
        self.kept = Kept()
        self.kinds: dict[str, types.Type] = {}

    # -- types

    def _one_thread(self) -> Text:
        """The program of a single thread, for Numba to infer the types of its variables from."""
        text = Text()
        text.add(0, f"def one_thread({', '.join([*INDEX_NAMES, 'thread__', 'dynamic__', *self.parameters])}):")
        text.add(1, "at__ = 0")
        text.add(1, "while True:")
        self._emit_states(text, 2, _ForInference(self))
        return text

    def keep(self, variable_types: dict[str, types.Type]) -> None:
        """Decide what to keep where, from the types of the variables."""
        self.kinds = variable_types
        pieces = [[*s.statements, *_asked_after(s)] for s in self.states]
        handed = [a.id for p in pieces for n in p for a in _looks(n)]
        self.kept = kept(self.thread, pieces, variable_types, self.thread.allocations)
        for variable in handed:
            self.kept.scalars.setdefault(variable, types.unliteral(variable_types[variable]))

    # -- text

    def text(self) -> Text:
        """The function of one block."""
        text = Text()
        text.add(0, f"def block({', '.join([*INDEX_NAMES[3:], 'dynamic__', *self.extra, *self.parameters])}):")
        for identifier, allocation in self.thread.allocations.items():
            if allocation.space == "shared":
                argument = "dynamic__" if allocation.shape == (0,) else ""
                text.add(1, f"{identifier}__array = {identifier}({argument})")
        for variable, identifier in self.kept.local.items():
            allocation = self.thread.allocations[identifier]
            self._make(text, f"{variable}__slots", (self.threads, *allocation.shape), allocation.element)
        for slot, kind in self._slot_types():
            self._make(text, f"{slot}__slots", (self.threads,), kind)
        for variable in sorted(set(self.parameters) & set(self.kept.scalars)):
            text.add(1, f"{variable}__slots[:] = {variable}")
        for array in ("at__all", "waits__", "group__"):
            self._make(text, array, (self.threads,), types.int32)
        self._make(text, "masks__", (self.threads,), types.int64)
        self._begin(text)
        text.add(1, f"for thread__ in range({self.threads}):")
        text.add(2, "at__all[thread__] = 0")
        text.add(2, f"waits__[thread__] = {RUNNING}")
        text.add(1, "while True:")
        text.add(2, f"for warp__ in range(0, {self.threads}, {WARP}):")
        text.add(3, f"last__ = min(warp__ + {WARP}, {self.threads})")
        text.add(3, "while True:")
        text.add(4, "for thread__ in range(warp__, last__):")
        text.add(5, f"if waits__[thread__] == {RUNNING}:")
        self._emit_turn(text, 6)
        text.add(4, "if not meet__(waits__, at__all, group__, masks__, warp__, last__):")
        text.add(5, "break")
        self._warp_released(text, 4)
        self._block_waits(text, 2)
        text.add(2, f"if not release__(waits__, at__all, group__, 0, {self.threads}, {BLOCK_WAIT}):")
        text.add(3, "break")
        self.namespace |= {"release__": exchanges.release, "meet__": exchanges.meet}
        self.namespace |= {LOOK + operation: getattr(exchanges, operation) for operation in EXCHANGES}
        return text

    extra: tuple[str, ...] = ()
    """Parameters of the block function beside the kernel's own."""

    def _begin(self, text: Text) -> None:
        """What comes before the threads begin."""

    def _warp_released(self, text: Text, indent: int) -> None:
        """What comes after the threads of ``warp__`` met."""

    def _block_waits(self, text: Text, indent: int) -> None:
        """What comes before the threads of the block go on."""

    def _for_block(self) -> ast.NodeTransformer:
        """What a thread's statements are rewritten by."""
        return ForBlock(self)

    def _make(self, text: Text, array: str, shape: tuple[int, ...], element: types.Type) -> None:
        self.namespace[f"make__{array}"] = array_maker(shape, element)
        text.add(1, f"{array} = make__{array}()")

    def _slot_types(self) -> list[tuple[str, types.Type]]:
        """The names of the slots and their element types: a tuple has one for each of its items."""
        named: list[tuple[str, types.Type]] = []
        for variable, kind in self.kept.scalars.items():
            if isinstance(kind, types.BaseTuple):
                named += [(f"{variable}__{k}", item) for k, item in enumerate(kind)]
            else:
                named.append((variable, kind))
        return named

    def _emit_turn(self, text: Text, indent: int) -> None:
        """What a thread does when it is its turn: take its variables up, run until it waits, put them back."""
        width, height, _ = self.block
        text.add(indent, f"threadIdx__x = thread__ % {width}")
        text.add(indent, f"threadIdx__y = thread__ // {width} % {height}")
        text.add(indent, f"threadIdx__z = thread__ // {width * height}")
        for variable, kind in self.kept.scalars.items():
            if isinstance(kind, types.BaseTuple):
                items = "".join(f"{variable}__{k}__slots[thread__], " for k in range(len(kind)))
                text.add(indent, f"{variable} = ({items})")
            else:
                text.add(indent, f"{variable} = {variable}__slots[thread__]")
        for variable in self.kept.local:
            text.add(indent, f"{variable} = {variable}__slots[thread__]")
        text.add(indent, "at__ = at__all[thread__]")
        text.add(indent, "while True:")
        self._emit_states(text, indent + 1, self._for_block())
        for variable, kind in self.kept.scalars.items():
            if isinstance(kind, types.BaseTuple):
                for k in range(len(kind)):
                    text.add(indent, f"{variable}__{k}__slots[thread__] = {variable}[{k}]")
            else:
                text.add(indent, f"{variable}__slots[thread__] = {variable}")
        text.add(indent, "at__all[thread__] = at__")
        text.add(indent, "waits__[thread__] = wait__")

    def _emit_states(self, text: Text, indent: int, rewrite: ast.NodeTransformer) -> None:
        for number, state in enumerate(self.states):
            text.add(indent, f"{'if' if number == 0 else 'elif'} at__ == {number}:")
            self._emit_arrays(text, indent + 1, state, rewrite)
            statements = [rewrite.visit(copy.deepcopy(s)) for s in state.statements]
            add_statements(text, indent + 1, [s for made in statements for s in _listed(made)])
            after = state.after
            if isinstance(after, Go):
                text.add(indent + 1, f"at__ = {after.to}")
            elif isinstance(after, Branch):
                test = ast.unparse(rewrite.visit(copy.deepcopy(after.test)))
                line = getattr(after.test, "lineno", None)
                text.add(indent + 1, f"at__ = {after.then} if {test} else {after.otherwise}", line)
            elif isinstance(after, Wait):
                text.add(indent + 1, f"at__ = {after.to}")
                if not isinstance(rewrite, _ForInference):
                    if after.mask is not None:
                        text.add(
                            indent + 1, f"masks__[thread__] = {ast.unparse(rewrite.visit(copy.deepcopy(after.mask)))}"
                        )
                    text.add(indent + 1, f"wait__ = {WARP_WAIT if after.scope == 'warp' else BLOCK_WAIT}")
                    text.add(indent + 1, "break")
            else:
                text.add(indent + 1, f"wait__ = {RETURNED if after.early else FINISHED}")
                text.add(indent + 1, "break")

    def _emit_arrays(self, text: Text, indent: int, state: State, rewrite: ast.NodeTransformer) -> None:
        """Work out again the arrays that a state uses."""
        if isinstance(rewrite, _ForInference):
            return
        used = set().union(*(loads(s) for s in state.statements)) if state.statements else set()
        if isinstance(state.after, Branch):
            used |= loads(state.after.test)
        for variable in reversed(self.kept.arrays):
            if variable in used:
                used |= loads(self.kept.arrays[variable])
        for variable, value in self.kept.arrays.items():
            if variable in used:
                # without the sanitizer's checks: they were made where the kernel has it
                text.add(indent, f"{variable} = {ast.unparse(ForBlock(self).visit(copy.deepcopy(value)))}")


def _numbered(graph: list[State]) -> list[State]:
    """The states that can be reached, numbered anew, a state that only one leads to joined with that one."""

    def targets(state: State) -> list[int]:
        after = state.after
        if isinstance(after, Branch):
            return [after.then, after.otherwise]
        return [after.to] if isinstance(after, (Go, Wait)) else []

    sources: dict[int, list[int]] = {0: [-1]}
    todo = [0]
    while todo:
        number = todo.pop()
        for target in targets(graph[number]):
            if target not in sources:
                todo.append(target)
            sources.setdefault(target, []).append(number)
    for number in sorted(sources):
        state = graph[number]
        while number in sources and isinstance(state.after, Go) and sources[state.after.to] == [number]:
            joined = state.after.to
            state.statements = state.statements + graph[joined].statements
            state.after = graph[joined].after
            for target in targets(state):
                sources[target] = [number if s == joined else s for s in sources[target]]
            del sources[joined]
    order = _outward(graph, targets)
    new = {old: k for k, old in enumerate(order)}
    for old in order:
        state = graph[old]
        after = state.after
        if isinstance(after, Go):
            state.after = Go(new[after.to])
        elif isinstance(after, Branch):
            state.after = Branch(after.test, new[after.then], new[after.otherwise])
        elif isinstance(after, Wait):
            state.after = Wait(after.scope, new[after.to], after.at, after.mask)
    return [graph[old] for old in order]


def _outward(graph: list[State], targets: Callable[[State], list[int]]) -> list[int]:
    """The reachable states in reverse postorder: one that binds a variable comes before those that it is bound for."""
    order: list[int] = []
    begun = {0}
    stack = [(0, iter(targets(graph[0])[::-1]))]  # what comes after a loop first, and so behind the loop in the end
    while stack:
        number, left = stack[-1]
        following = next((t for t in left if t not in begun), None)
        if following is None:
            order.append(number)
            stack.pop()
        else:
            begun.add(following)
            stack.append((following, iter(targets(graph[following])[::-1])))
    return order[::-1]


def _asked_after(state: State) -> list[ast.expr]:
    """The expressions that decide what comes after a state."""
    if isinstance(state.after, Branch):
        return [state.after.test]
    return [state.after.mask] if isinstance(state.after, Wait) and state.after.mask is not None else []


def _listed(made: ast.stmt | list[ast.stmt] | None) -> list[ast.stmt]:
    return [] if made is None else made if isinstance(made, list) else [made]


def _looks(node: ast.AST) -> list[ast.Name]:
    """The variables whose handed-out values a statement looks at."""
    return [
        n.args[0]
        for n in ast.walk(node)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id.startswith(LOOK)
    ]


def _dynamic_view(element: types.Type) -> Any:
    from numba.np.numpy_support import as_dtype

    dtype = as_dtype(element)
    return lambda dynamic: dynamic.view(dtype)


class _Rewrite(ast.NodeTransformer):
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.allocations = machine.thread.allocations

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node = self.generic_visit(node)
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in self.allocations and self.allocations[called].space == "shared":
            return self.shared(node, called)
        if called.startswith(LOOK):
            return self.look(node, called.removeprefix(LOOK))
        return node


class _ForInference(_Rewrite):
    """What Numba infers types from: each thread gets its own value back."""

    def shared(self, node: ast.Call, identifier: str) -> ast.expr:
        if self.allocations[identifier].shape == (0,):
            node.args = [ast.Name("dynamic__", ast.Load())]
        return node

    def look(self, node: ast.Call, operation: str) -> ast.expr:
        return ast.Call(node.func, node.args if operation in SHUFFLES else [node.args[0]], [])


class ForBlock(_Rewrite):
    """What runs: shared arrays are the block's, and what was handed out is looked at."""

    def shared(self, node: ast.Call, identifier: str) -> ast.expr:
        return ast.Name(f"{identifier}__array", ast.Load())

    def look(self, node: ast.Call, operation: str) -> ast.expr:
        handed = ast.Name(f"{node.args[0].id}__slots", ast.Load())
        about = [ast.Name("group__", ast.Load()), ast.Name("thread__", ast.Load())]
        return ast.Call(node.func, [handed, *about, *node.args[1:]], [])

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        target = node.targets[0]
        if isinstance(target, ast.Name) and target.id in self.machine.kept.local:
            return None
        return self.generic_visit(node)
