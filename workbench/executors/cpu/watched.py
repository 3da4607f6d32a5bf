"""Emit a kernel for the sanitizer: the state-by-state form, with every access to an array checked."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass

import numpy as np
from numba.core import types

from workbench.executors.cpu import atomics, exchanges, sanitize
from workbench.executors.cpu.dialect import SHUFFLES, WARP
from workbench.executors.cpu.emit import Text
from workbench.executors.cpu.machine import BLOCK_WAIT, FINISHED, LOOK, ForBlock, Machine
from workbench.executors.cpu.states import Wait

WATCH = ("found__", "buffers__", "shadow__", "clock__")
"""What the block function is handed for the sanitizer."""


@dataclass(frozen=True)
class Site:
    """A place in the kernel that is watched: its line, its code, and the array that it is about."""

    line: int
    code: str
    array: str


class Watched(Machine):
    """A Machine whose accesses are checked; ``sites`` are numbered from one, barriers by minus the state after them."""

    extra = WATCH

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.sites: dict[int, Site] = {}
        self.shared = [n for n, a in self.thread.allocations.items() if a.space == "shared" and a.shape != (0,)]
        self.atomics = {
            n for n, v in self.namespace.items() if atomics.is_atomic(v) and v is not atomics.compare_and_swap
        }
        self.namespace |= {
            "watch__": sanitize.watch,
            "watch_shared__": sanitize.watch_shared,
            "watch_lane__": sanitize.watch_lane,
            "watch_barrier__": sanitize.watch_barrier,
            "int64__": np.int64,
        }
        self.namespace |= {f"lane_of__{o}": getattr(exchanges, f"lane_of_{o}") for o in SHUFFLES}
        for state in self.states:
            if isinstance(state.after, Wait):
                self.sites[-state.after.to] = Site(state.after.line, "", "")

    def _for_block(self) -> ast.NodeTransformer:
        return _ForWatched(self)

    def _begin(self, text: Text) -> None:
        text.add(1, "clock__[:] = 0")
        text.add(1, f"clock__[{sanitize.FENCED}] = {int(any(thread.fences for thread in self.thread.reachable))}")
        number = "blockIdx__x + gridDim__x * (blockIdx__y + gridDim__y * blockIdx__z)"
        text.add(1, f"clock__[{sanitize.BLOCK}] = {number}")
        for k, identifier in enumerate(self.shared):
            text.add(1, f"watch_shared__({identifier}__array, {k}, buffers__, shadow__)")
        if any(a.shape == (0,) for a in self.thread.allocations.values()):
            text.add(1, f"watch_shared__(dynamic__, {len(self.shared)}, buffers__, shadow__)")

    def _warp_released(self, text: Text, indent: int) -> None:
        text.add(indent, f"clock__[{sanitize.TIMES} + warp__ // {WARP}] += 1")

    def _block_waits(self, text: Text, indent: int) -> None:
        text.add(indent, f"watch_barrier__(found__, clock__, waits__, at__all, {BLOCK_WAIT}, {FINISHED})")


class _ForWatched(ForBlock):
    def __init__(self, machine: Watched) -> None:
        super().__init__(machine)
        self.watched = machine

    def _site(self, node: ast.expr, array: ast.expr) -> ast.expr:
        number = len(self.watched.sites) + 1_000_000
        self.watched.sites[number] = Site(getattr(node, "lineno", 0), ast.unparse(node), ast.unparse(array))
        return ast.Constant(number)

    def _dimensions(self, node: ast.expr) -> int | None:
        """How many indices an expression that stands for an array takes; None for anything else."""
        if isinstance(node, ast.Name):
            kind = self.watched.kinds.get(node.id)
            return kind.ndim if isinstance(kind, types.Array) else None
        if isinstance(node, ast.Subscript):
            inner = self._dimensions(node.value)
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return None if inner is None else inner - sum(not isinstance(part, ast.Slice) for part in parts)
        return None

    def _checked(self, array: ast.expr, index: ast.expr, node: ast.expr, mode: int) -> ast.expr:
        """The call that checks an access and gives its index back."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        whole = [ast.Call(ast.Name("int64__", ast.Load()), [part], []) for part in parts]
        handed = [ast.Name(n, ast.Load()) for n in WATCH]
        site = self._site(node, array)
        array = self.visit(copy.deepcopy(array))
        arguments = [array, ast.Tuple(whole, ast.Load()), ast.Name("thread__", ast.Load()), site, ast.Constant(mode)]
        return ast.Call(ast.Name("watch__", ast.Load()), [*arguments, *handed], [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if self._dimensions(node.value) != len(parts) or any(isinstance(part, ast.Slice) for part in parts):
            return self.generic_visit(node)
        mode = sanitize.WRITE if isinstance(node.ctx, ast.Store) else sanitize.READ
        index = self._checked(node.value, self.visit(copy.deepcopy(node.slice)), node, mode)
        return ast.copy_location(ast.Subscript(self.visit(node.value), index, node.ctx), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not isinstance(node.target, ast.Subscript):
            return self.generic_visit(node)
        old = ast.copy_location(ast.Subscript(node.target.value, node.target.slice, ast.Load()), node)
        sum_ = ast.copy_location(ast.BinOp(copy.deepcopy(old), node.op, node.value), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], sum_), node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called not in self.watched.atomics:
            return super().visit_Call(node)
        array, index, *rest = node.args
        index = self._checked(array, self.visit(copy.deepcopy(index)), node, sanitize.ATOMIC)
        return ast.copy_location(ast.Call(node.func, [self.visit(array), index, *map(self.visit, rest)], []), node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt] | None:
        value = node.value
        looks = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id.startswith(LOOK)
        operation = value.func.id.removeprefix(LOOK) if looks else ""
        made = super().visit_Assign(node)
        if operation not in SHUFFLES:
            return made
        source = ast.Call(ast.Name(f"lane_of__{operation}", ast.Load()), [_name("thread__"), value.args[-1]], [])
        site = self._site(ast.copy_location(ast.Name(f"cuda.{operation}", ast.Load()), node), ast.Constant(None))
        arguments = [_name("found__"), _name("clock__"), _name("group__"), _name("thread__"), source, site]
        return [ast.Expr(ast.Call(_name("watch_lane__"), arguments, [])), made]


def _name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())
