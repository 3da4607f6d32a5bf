"""Emit a kernel for the sanitizer: the state-by-state form, with every access to an array checked."""

from __future__ import annotations

import ast
import copy
import math
import re
from dataclasses import dataclass

import numpy as np
from numba.core import types

from workbench.executors.cpu import atomics, exchanges, sanitize
from workbench.executors.cpu.dialect import SHUFFLES, assign, file_of, loads, name, stores
from workbench.executors.cpu.emit import Text
from workbench.executors.cpu.machine import BLOCK_WAIT, FINISHED, LOOK, ForBlock, Machine
from workbench.executors.cpu.memory import layout_of
from workbench.executors.cpu.states import Wait

WATCH = ("state__", "shadow__")
"""What the block function is handed for the sanitizer."""


@dataclass(frozen=True)
class Site:
    """A place in the kernel that is watched.

    ``array`` is what it is about, as the kernel writes it, and ``mode`` what it does to it. ``constant`` is the value
    that it stores, in words, if that is the same for all threads. ``file`` is that of its line; empty for the kernel's.
    """

    line: int
    file: str
    array: str = ""
    mode: int = sanitize.READ
    constant: str = ""


class Watched(Machine):
    """A Machine whose accesses are checked. Sites below the number of states are waits, by the state after them."""

    extra = WATCH

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        allocations = self.thread.allocations
        self.sites = {s.after.to: Site(s.after.at.lineno, s.after.at.file) for s in self.states if _waits(s.after)}
        plain = {n: a for n, a in allocations.items() if not isinstance(a.element, types.Record)}
        self.shared = [n for n, a in plain.items() if a.space == "shared" and a.shape != (0,)]
        self.dynamic = [n for n, a in allocations.items() if a.shape == (0,)]
        self.atomics = {n for n, v in self.namespace.items() if atomics.is_atomic(v)}
        self.bound = set().union(*(stores(s) for state in self.states for s in state.statements))
        self.labels = {
            n.value.func.id: n.targets[0].id
            for state in self.states
            for n in state.statements
            if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call) and isinstance(n.targets[0], ast.Name)
            if isinstance(n.value.func, ast.Name) and n.value.func.id in allocations
        }
        self.namespace |= {f"{n}__": getattr(sanitize, n) for n in dir(sanitize) if n.startswith("watch")}
        self.namespace |= {"begin__": sanitize.begin, "cas__": atomics.cas, "int64__": np.int64, "layout__": layout_of}
        self.namespace |= {f"lane_of__{o}": getattr(exchanges, f"lane_of_{o}") for o in SHUFFLES}

    def label(self, identifier: str) -> str:
        """The kernel's name for an array that it allocates."""
        return as_written(self.labels.get(identifier, "shared memory"))

    def is_followed(self, array: ast.expr) -> bool:
        """Whether accesses to an array's elements are compared: not if it is local, nor if it is of records."""
        if isinstance(array, ast.Name) and array.id in self.kept.local:
            return False
        kinds = [self.kinds.get(variable) for variable in loads(array)]
        return not any(isinstance(k, types.Array) and isinstance(k.dtype, types.Record) for k in kinds)

    def is_constant(self, value: ast.expr) -> bool:
        """Whether an expression is of constants and of the kernel's scalar arguments only."""
        scalars = {p for p in self.parameters if isinstance(self.kinds.get(p), types.Number)} - self.bound
        outside = {n for n, v in self.thread.outside.items() if not isinstance(v, np.ndarray)} - self.atomics
        return loads(value) <= scalars | outside

    def _for_block(self) -> ast.NodeTransformer:
        return _ForWatched(self)

    def _begin(self, text: Text) -> None:
        number = "blockIdx__x + gridDim__x * (blockIdx__y + gridDim__y * blockIdx__z)"
        text.add(1, f"begin__(state__, {number}, {math.prod(self.block)})")
        for k, identifier in enumerate(self.shared):
            text.add(1, f"watch_shared__(layout__({identifier}__array), {k}, state__)")

    def _warp_released(self, text: Text, indent: int) -> None:
        text.add(indent, "watch_warp__(state__, waits__, group__, masks__, warp__, last__)")

    def _block_waits(self, text: Text, indent: int) -> None:
        text.add(indent, f"watch_barrier__(state__, waits__, at__all, {BLOCK_WAIT}, {FINISHED})")


class _ForWatched(ForBlock):
    def __init__(self, machine: Watched) -> None:
        super().__init__(machine)
        self.watched = machine
        self.statement: ast.AST = ast.Pass(lineno=0)
        self.constant = ""

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST] | None:
        if isinstance(node, ast.stmt):
            self.statement = node
        return super().visit(node)

    def _site(self, node: ast.expr, array: str, mode: int, constant: str = "") -> ast.expr:
        place = node if hasattr(node, "lineno") else self.statement
        number = len(self.watched.states) + len(self.watched.sites)
        self.watched.sites[number] = Site(place.lineno, file_of(place), array, mode, constant)
        return ast.Constant(number)

    def _dimensions(self, node: ast.expr) -> int | None:
        """How many indices an expression that stands for an array takes; None for anything else."""
        if isinstance(node, ast.Name):
            kind = self.watched.kinds.get(node.id)
            known = self.watched.thread.outside.get(node.id)
            return kind.ndim if isinstance(kind, types.Array) else known.ndim if isinstance(known, np.ndarray) else None
        if isinstance(node, ast.Subscript):
            inner = self._dimensions(node.value)
            if not inner or _is_field(node):
                return inner or None
            parts = self._parts(node.slice, inner)
            return inner + sum(map(_is_new_axis, parts)) - sum(map(_is_index, parts))
        return None

    def _parts(self, index: ast.expr, axes: int) -> list[ast.expr]:
        """The indices of an array apart: the items of a tuple, and slices in place of an ellipsis."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        kind = self.watched.kinds.get(index.id) if isinstance(index, ast.Name) else None
        if isinstance(kind, types.BaseTuple):
            parts = [ast.Subscript(index, ast.Constant(k), ast.Load()) for k in range(len(kind))]
        outside = self.watched.thread.outside
        parts = [ast.Constant(None) if isinstance(p, ast.Name) and outside.get(p.id, 0) is None else p for p in parts]
        for k, part in enumerate(parts):
            if isinstance(part, ast.Constant) and part.value is ...:
                named = sum(not _is_new_axis(other) for other in parts) - 1
                return [*parts[:k], *[ast.Slice()] * (axes - named), *parts[k + 1 :]]
        return parts

    def _layout(self, array: ast.expr) -> ast.expr:
        return _call("layout__", self.visit(copy.deepcopy(array)))

    def _checked(self, array: ast.expr, index: ast.expr, node: ast.expr, mode: int) -> ast.expr:
        """The call that checks an access and gives its index back."""
        parts = self._parts(index, self._dimensions(array) or 1)
        whole = ast.Tuple([_call("int64__", self.visit(copy.deepcopy(part))) for part in parts], ast.Load())
        site = self._site(node, _text(array), mode, self.constant if mode == sanitize.WRITE else "")
        mode = mode if self.watched.is_followed(array) else sanitize.LOCAL
        about = [name("thread__"), site, ast.Constant(mode), *map(name, WATCH)]
        return _call("watch__", self._layout(array), whole, *about)

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        axes = self._dimensions(node.value)
        if not axes or _is_field(node):
            return self.generic_visit(node)
        parts = self._parts(node.slice, axes)
        if sum(not _is_new_axis(part) for part in parts) > axes:
            return self.generic_visit(node)
        if self._dimensions(node) == 0:
            mode = sanitize.WRITE if isinstance(node.ctx, ast.Store) else sanitize.READ
            index = self._checked(node.value, node.slice, node, mode)
        else:
            site = self._site(node, _text(node.value), sanitize.READ)
            at = [sum(not _is_new_axis(before) for before in parts[:k]) for k in range(len(parts))]
            index = ast.Tuple([self._axis(node.value, *one, site) for one in zip(at, parts, strict=True)], ast.Load())
        return ast.copy_location(ast.Subscript(self.visit(node.value), index, node.ctx), node)

    def _axis(self, array: ast.expr, axis: int, part: ast.expr, site: ast.expr) -> ast.expr:
        """One index of several that stand for a part of an array."""
        if not _is_index(part):
            return self.visit(copy.deepcopy(part))
        index = _call("int64__", self.visit(copy.deepcopy(part)))
        about = [name("thread__"), site, name("state__")]
        return _call("watch_axis__", self._layout(array), ast.Constant(axis), index, *about)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        if not isinstance(node.target, ast.Subscript) or self._dimensions(node.target) != 0:
            return self.generic_visit(node)
        array, before = node.target.value, []
        index = node.target.slice
        if any(isinstance(n, ast.Call) for n in ast.walk(index)):  # evaluated once
            index = name(f"index__{len(self.watched.sites)}")
            before = _listed(self.visit(ast.copy_location(assign(index.id, node.target.slice, node.lineno), node)))
        old, new = (ast.copy_location(ast.Subscript(array, index, c), node) for c in (ast.Load(), ast.Store()))
        sum_ = ast.copy_location(ast.BinOp(copy.deepcopy(old), node.op, node.value), node)
        made = ast.copy_location(ast.Assign([new], sum_), node)
        made.file = new.file = old.file = file_of(node)
        return [*before, *_listed(self.visit(made))]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called not in self.watched.atomics:
            return super().visit_Call(node)
        array, *rest = node.args
        function = node.func
        if self.watched.namespace[called] is atomics.compare_and_swap:
            function, rest = name("cas__"), [ast.Constant(0), *rest]
        index = self._checked(array, rest[0], node, sanitize.ATOMIC)
        return ast.copy_location(_call(function.id, self.visit(array), index, *map(self.visit, rest[1:])), node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt] | None:
        value, before = node.value, []
        called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if called.startswith(LOOK) and called.removeprefix(LOOK) in SHUFFLES:
            source = _call(f"lane_of__{called.removeprefix(LOOK)}", name("thread__"), self.visit(value.args[-1]))
            site = self._site(node, "", sanitize.READ)
            before = [ast.Expr(_call("watch_lane__", name("state__"), name("group__"), name("thread__"), source, site))]
        for target in node.targets:
            if (
                isinstance(target, ast.Subscript)
                and self._dimensions(target)
                and self.watched.is_followed(target.value)
            ):
                site = self._site(target, _text(target.value), sanitize.WRITE, self._constant(value))
                part = self.visit(ast.Subscript(target.value, copy.deepcopy(target.slice), ast.Load()))
                about = [name("thread__"), site, ast.Constant(sanitize.WRITE), *map(name, WATCH)]
                before.append(ast.Expr(_call("watch_all__", part, *about)))
        self.constant = "" if isinstance(value, ast.Tuple) else self._constant(value)
        made = super().visit_Assign(node)
        self.constant = ""
        return [*before, *_listed(made)]

    def _constant(self, value: ast.expr) -> str:
        return _text(value) if self.watched.is_constant(value) else ""


def as_written(text: str) -> str:
    """A name without what the executor added to tell names of device functions and from outside apart."""
    return re.sub(r"(?<=\w)__\w+", "", text)


def _text(node: ast.expr) -> str:
    return as_written(ast.unparse(node))


def _is_new_axis(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and part.value is None


def _is_index(part: ast.expr) -> bool:
    """Whether a part of a subscript takes one element of an axis."""
    return not isinstance(part, ast.Slice) and not _is_new_axis(part)


def _is_field(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)


def _waits(after: object) -> bool:
    return isinstance(after, Wait)


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(name(function), list(arguments), [])


def _listed(made: ast.stmt | list[ast.stmt] | None) -> list[ast.stmt]:
    return [] if made is None else made if isinstance(made, list) else [made]
