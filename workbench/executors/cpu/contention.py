"""Atomics of memory that blocks share: what several workers need for them, and when they are not worth it.

One worker runs its blocks one after the other, and an atomic is a plain read and write. Where several workers share the
blocks, an atomic of an array that they share is an exchange in one step, which is ten times as slow, and more where
they meet. That pays where threads do more than that: a sum over a loop or a block, and one atomic in the end.
"""

from __future__ import annotations

import ast
from typing import Any

from workbench.executors.cpu.atomics import is_atomic
from workbench.executors.cpu.dialect import stores
from workbench.executors.cpu.thread import MARK, Thread


def is_shared_work(thread: Thread) -> bool:
    """Whether it pays that several workers share the blocks of a kernel."""
    return all(_is_rare(one, thread) for one in thread.reachable if _atomics(one))


def has_contended(thread: Thread) -> bool:
    """Whether a kernel has atomics of memory that blocks share."""
    return any(map(_atomics, thread.reachable))


def use_contended(thread: Thread) -> None:
    """Make a kernel's atomics of memory that blocks share right for several workers.

    Updates: the statements of the kernel and of its device functions, and the objects that they name.
    """
    for one in thread.reachable:
        _Contend(one).run()


def _atomics(thread: Thread) -> list[ast.Call]:
    """The calls of atomics whose array is not surely the block's own."""
    own = _shared_arrays(thread)
    return [n for s in thread.body for n in ast.walk(s) if _is_on_memory_of_all(n, thread, own)]


def _is_on_memory_of_all(node: ast.AST, thread: Thread, own: set[str]) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    if not is_atomic(thread.outside.get(node.func.id)):
        return False
    array = node.args[0] if node.args else None
    return not (isinstance(array, ast.Name) and array.id in own)


def _shared_arrays(thread: Thread) -> set[str]:
    """The names that stand for one shared array, and for nothing else."""
    shared: dict[str, int] = {}
    bound: dict[str, int] = {p: 1 for p in thread.parameters}
    for statement in thread.body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For)):
                for variable in stores(node if not isinstance(node, ast.For) else node.target):
                    bound[variable] = bound.get(variable, 0) + 1
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                called: Any = node.value.func
                allocation = thread.allocations.get(called.id) if isinstance(called, ast.Name) else None
                if allocation is not None and allocation.space == "shared":
                    for variable in stores(node):
                        shared[variable] = shared.get(variable, 0) + 1
    return {variable for variable in shared if shared[variable] == bound[variable] == 1}


class _Contend(ast.NodeTransformer):
    def __init__(self, thread: Thread) -> None:
        self.thread, self.own = thread, _shared_arrays(thread)

    def run(self) -> None:
        self.thread.body = [self.visit(statement) for statement in self.thread.body]

    def visit_Call(self, node: ast.Call) -> ast.Call:
        node = self.generic_visit(node)
        if _is_on_memory_of_all(node, self.thread, self.own):
            operation = self.thread.outside[node.func.id]
            node.func = ast.Name(f"{node.func.id}__contended", ast.Load())
            self.thread.outside[node.func.id] = operation.contended
        return node


SHORT = 1024
"""Where a loop that ends at a constant ends at the latest for it not to count as a loop here."""


def _is_rare(one: Thread, kernel: Thread) -> bool:
    """Whether a thread does more than the atomics of a function: beside each of them is a loop or a wait."""
    own = _shared_arrays(one)

    def is_loop(node: ast.AST) -> bool:
        if not isinstance(node, ast.For):
            return isinstance(node, ast.While)
        ends = node.iter.args[:2] if isinstance(node.iter, ast.Call) else []
        return not (ends and isinstance(ends[-1], ast.Constant) and ends[-1].value <= SHORT)

    def works(node: ast.AST) -> bool:
        return is_loop(node) or (isinstance(node, ast.Name) and node.id.startswith(MARK))

    def rare(body: list[ast.stmt], beside: bool) -> bool:
        """``beside``: whether there is a loop or a wait in the loop around, or in the function."""
        for statement in body:
            if is_loop(statement):
                inner = [n for s in statement.body for n in ast.walk(s)]
                ok = rare([*statement.body, *statement.orelse], any(map(works, inner)))
            elif isinstance(statement, (ast.If, ast.For)):
                ok = rare([*statement.body, *statement.orelse], beside)
            else:
                ok = beside or not any(_is_on_memory_of_all(n, one, own) for n in ast.walk(statement))
            if not ok:
                return False
        return True

    around = [n for t in (one, kernel) for s in t.body for n in ast.walk(s)]
    calls_devices = any(device.synchronises for device in kernel.devices.values())
    return rare(one.body, calls_devices or any(map(works, around)))
