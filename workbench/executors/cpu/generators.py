"""A kernel's own source as a Python generator that yields where its thread waits, for a person to step through.

The loops over threads that the executor emits are fast, and nobody's own code. Here the kernel's syntax tree is
compiled nearly as it stands, under its own file and lines, so that a debugger shows the kernel's source and variables:

- what makes threads wait (a barrier, a shuffle, a vote) becomes ``yield`` of the operation and its arguments;
- a call of a device function becomes ``yield from`` a generator made of it in the same way;
- operators and functions of numbers compute in the types of the compiled kernel (:mod:`.typed`);
- CUDA's names stand for this thread's place and this block's memory.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import pdb
import sys
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import cuda
from numba.core import types
from numba.np.numpy_support import as_dtype

from workbench import numba_cuda
from workbench.executors.cpu import atomics, libdevice, semantics
from workbench.executors.cpu.accesses import Array, Memory, memory_of, uninitialised
from workbench.executors.cpu.dialect import BARRIERS, EXCHANGES, FENCES, WARP, name
from workbench.executors.cpu.here import PACKAGE, Here
from workbench.executors.cpu.read import Allocation, Thread, allocation_name
from workbench.executors.cpu.typed import Operand, Typed, compute
from workbench.source import UNKNOWN, Names, file_of, function_tree

PLACES = ("threadIdx", "blockIdx", "blockDim", "gridDim")

OF_NUMBERS = (int, float, bool, complex, abs, round, divmod)
"""Builtins that take numbers and that a kernel's types matter to."""

SKIPPED = [f"{PACKAGE}*", "numba.*", "numpy.*", "namedtuple_*"]
"""Modules that a debugger steps over."""


class Program:
    """A kernel and its device functions as generators: ``kernel(*arguments)`` is one thread of the block at ``here``.

    ``thread`` is what read found of the kernel.
    """

    def __init__(self, kernel: Any, thread: Thread, here: Here, shared_bytes: int) -> None:
        self.here, self.shared_bytes = here, shared_bytes
        self.allocations: dict[str, Allocation] = {}
        for one in thread.reachable:
            self.allocations |= one.allocations
        self.shared: dict[str, Array] = {}
        self.dynamic = uninitialised("", "shared", (0,), np.dtype(np.uint8))
        self.debugger = _debugger()
        self._made: dict[Any, Callable] = {}
        self._calls: list[tuple[dict, dict[str, Any]]] = []
        self._make(kernel, is_kernel=True)
        for namespace, devices in self._calls:
            namespace.update({identifier: self._made[device] for identifier, device in devices.items()})
        self.kernel = self._made[kernel]

    def begin(self) -> None:
        """Begin a block, whose shared memory has no values yet."""
        self.shared = {}
        self.dynamic = uninitialised("", "shared", (self.shared_bytes,), np.dtype(np.uint8))

    def _make(self, kernel: Any, is_kernel: bool = False) -> None:
        function = numba_cuda.python_function(kernel)
        self._made[kernel] = function  # so that a recursive one is made once
        tree, names = function_tree(function), Names(function)
        generator = _ToGenerator(self, names, function.__name__, is_kernel)
        made = generator.function(tree, inspect.getsourcelines(function)[0][0])
        code = compile(ast.Module([made], []), file_of(function), "exec", dont_inherit=True)
        namespace: dict[str, Any] = {}
        for scope in (function.__globals__, names.scopes[0], self._seen(names), generator.hidden):
            namespace |= scope
        found: dict[str, Any] = {}
        exec(code, namespace, found)
        self._made[kernel] = found[function.__name__]
        self._made[kernel].__defaults__ = function.__defaults__
        self.here.codes.add(self._made[kernel].__code__)
        self._calls.append((namespace, generator.devices))
        for device in generator.devices.values():
            if device not in self._made:
                self._make(device)

    def _seen(self, names: Names) -> dict[str, Any]:
        """CUDA's names as a person finds them in a debugger."""
        operations = numba_cuda.operations()
        seen: dict[str, Any] = {}
        for title, value in names.taken.items():
            if value is cuda:
                seen[title] = _Live(lambda: _Cuda(self.here))
            elif operations.get(id(value)) in PLACES:
                seen[title] = _Live(functools.partial(self.here.dimensions, operations[id(value)]))
        return seen

    # -- what the kernel's names stand for

    def array(self, identifier: str, title: str) -> Array:
        """``cuda.shared.array`` or ``cuda.local.array``."""
        if identifier in self.shared:
            return self.shared[identifier]
        allocation = self.allocations[identifier]
        dtype = as_dtype(allocation.element)
        memory = uninitialised(title, allocation.space, allocation.shape, dtype)
        if allocation.shape == (0,) and allocation.space == "shared":
            count = self.dynamic.root.size // dtype.itemsize
            whole = self.dynamic.root[: count * dtype.itemsize].view(dtype)
            memory = Memory(title, "shared", whole, self.dynamic.written)
        made = Array(memory.root, memory, self.here)
        if allocation.space == "shared":
            self.shared[identifier] = made
        return made

    def constant(self, title: str, values: Any) -> Array:
        """``cuda.const.array_like``, or an array that the kernel takes from its module."""
        if isinstance(values, Array):
            return values
        return Array(values, Memory(title, "constant", values, None), self.here)

    def meaning(self, value: Any, title: str) -> Any:
        """What stands in a kernel for an object from outside; the object itself if it needs nothing else."""
        operation = numba_cuda.operations().get(id(value), "")
        if operation:
            return self._operation(operation, value)
        if isinstance(value, np.ndarray):
            return self.constant(title, value)
        if value is breakpoint:
            return self.debugger
        if isinstance(value, types.Type) or (isinstance(value, type) and issubclass(value, (np.number, np.bool_))):
            return Typed(value, value)
        if not callable(value):
            return value
        if value in semantics.MEANINGS:
            return Typed(semantics.MEANINGS[value], value)
        found = libdevice.meaning(value)
        if found is not None:
            return Typed(found, value)
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            return lambda *given: compute(value, *map(memory_of, given))
        if value in OF_NUMBERS or getattr(value, "__module__", None) == "math":
            return Typed(value, value)
        return value

    def _operation(self, operation: str, value: Any) -> Any:
        here = self.here
        if operation in FENCES:
            return lambda *_: None
        if operation.startswith("atomic."):
            return _atomic(getattr(atomics, operation.removeprefix("atomic.")))
        known = {
            "grid": here.position,
            "gridsize": here.size,
            "lanemask_lt": lambda: compute(semantics.lanemask_lt, here.lane),
            "warpsize": WARP,
        }
        return known[operation] if operation in known else Typed(getattr(semantics, operation), value)


def _atomic(operation: Callable) -> Callable:
    if operation is atomics.compare_and_swap:
        return lambda array, expected, value: array.atomic(atomics.cas, 0, (expected, value))
    return lambda array, index, *values: array.atomic(operation, index, values)


def _debugger() -> Callable:
    """What ``breakpoint`` calls: Python's own debugger, made to step over the executor; another one as it is."""
    if sys.breakpointhook is not sys.__breakpointhook__ or os.environ.get("PYTHONBREAKPOINT"):
        return breakpoint
    return pdb.Pdb(skip=SKIPPED).set_trace


class _Live:
    """An object that is looked up anew each time that somebody asks for one of its attributes."""

    def __init__(self, look: Callable) -> None:
        self._look = look

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._look(), attribute)

    def __repr__(self) -> str:
        return repr(self._look())


class _Cuda:
    """``numba.cuda`` of the thread whose turn it is."""

    def __init__(self, here: Here) -> None:
        for place in PLACES:
            setattr(self, place, here.dimensions(place))
        self.grid, self.gridsize, self.laneid, self.warpsize = here.position, here.size, here.lane, WARP

    def __getattr__(self, attribute: str) -> Any:
        return getattr(cuda, attribute)


class _ToGenerator(ast.NodeTransformer):
    """Rewrites one function. ``hidden`` and ``devices`` hold what its new names stand for."""

    def __init__(self, program: Program, names: Names, title: str, is_kernel: bool) -> None:
        self.program, self.names, self.title, self.is_kernel = program, names, title, is_kernel
        self.operations = numba_cuda.operations()
        self.hidden: dict[str, Any] = {
            "operand__": Operand,
            "array__": program.array,
            "constant__": program.constant,
            "dimensions__": program.here.dimensions,
            "lane__": lambda: program.here.lane,
        }
        self.devices: dict[str, Any] = {}
        self.target = ""

    def function(self, tree: ast.FunctionDef, first_line: str) -> ast.FunctionDef:
        """The generator function of a function whose source begins with ``first_line``."""
        body = [self.visit(statement) for statement in tree.body]
        # on the line of the first statement, so that nobody sees it; a docstring is no statement
        first = body[1] if ast.get_docstring(tree) is not None and len(body) > 1 else body[0]
        never = ast.copy_location(ast.If(ast.Constant(False), [ast.Expr(ast.Yield())], []), first)
        parameters = [ast.arg(a.arg) for a in tree.args.args]
        arguments = ast.arguments([], parameters, kwonlyargs=[], kw_defaults=[], defaults=[])
        made = ast.FunctionDef(tree.name, arguments, [never, *body], [])
        made = ast.fix_missing_locations(ast.copy_location(made, tree))
        indent = len(first_line) - len(first_line.lstrip())
        for node in ast.walk(made):  # the tree's columns count from the function's own
            if hasattr(node, "col_offset"):
                node.col_offset += indent
                node.end_col_offset += indent
        return made

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._outside(node) if isinstance(node.ctx, ast.Load) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner = self.names.value(node.value)
        place = "" if owner is UNKNOWN else self.operations.get(id(owner), "")
        if place in PLACES:
            node.value = _call("dimensions__", [ast.Constant(place)], node)
            return node
        return self._outside(node)

    def _outside(self, node: ast.Name | ast.Attribute) -> ast.expr:
        value = self.names.value(node)
        if value is UNKNOWN:
            return self.generic_visit(node)
        if self.operations.get(id(value)) == "laneid":
            return _call("lane__", [], node)
        title = node.id if isinstance(node, ast.Name) else node.attr
        if inspect.ismodule(value) or numba_cuda.is_kernel(value):
            return node
        meaning = self.program.meaning(value, title)
        return node if meaning is value else ast.copy_location(self._hide(meaning, f"{title}__{id(value):x}"), node)

    def _hide(self, meaning: Any, identifier: str) -> ast.Name:
        self.hidden[identifier] = meaning
        return name(identifier)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = self.names.value(node.func)
        operation = "" if called is UNKNOWN else self.operations.get(id(called), "")
        if operation in BARRIERS or operation in EXCHANGES:
            given = [ast.Constant(operation), *map(self.visit, node.args)]
            return ast.copy_location(ast.Yield(ast.Tuple(given, ast.Load())), node)
        if operation in ("shared.array", "local.array"):
            space = operation.split(".")[0]
            identifier = allocation_name(space, node, self.title)
            title = self.target or f"{space} array of line {node.lineno}"
            return _call("array__", [ast.Constant(identifier), ast.Constant(title)], node)
        if operation == "const.array_like":
            title = self.target or ast.unparse(node.args[0])
            return _call("constant__", [ast.Constant(title), self.visit(node.args[0])], node)
        if called is not UNKNOWN and numba_cuda.is_kernel(called):
            identifier = f"{numba_cuda.python_function(called).__name__}__{id(called):x}"
            self.devices[identifier] = called
            call = ast.Call(name(identifier), list(map(self.visit, node.args)), list(map(self.visit, node.keywords)))
            return ast.copy_location(ast.YieldFrom(ast.copy_location(call, node)), node)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        is_named = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
        self.target = node.targets[0].id if is_named else ""
        node = self.generic_visit(node)
        self.target = ""
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        node = self.generic_visit(node)
        if self.is_kernel:
            node.value = ast.Constant(True)
        return node

    # -- arithmetic

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        node = self.generic_visit(node)
        if not isinstance(node.left, ast.JoinedStr) and not isinstance(getattr(node.left, "value", None), str):
            node.right = _operand(node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        node = self.generic_visit(node)
        node.value = _operand(node.value)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node = self.generic_visit(node)
        if not isinstance(node.op, ast.Not) and not isinstance(node.operand, ast.Constant):
            node.operand = _operand(node.operand)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        node = self.generic_visit(node)
        if not any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
            node.comparators = list(map(_operand, node.comparators))
        return node


def _call(function: str, arguments: list[ast.expr], like: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(ast.copy_location(name(function), like), arguments, []), like)


def _operand(node: ast.expr) -> ast.expr:
    return _call("operand__", [node], node)
