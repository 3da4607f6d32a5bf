"""What a kernel that runs as plain Python consists of: its generators, its memory, and what its names stand for.

CUDA's names stand for this thread's place and this block's memory, functions of numbers for those of the compiled
kernel, and ``breakpoint`` for a debugger that steps over the executor's own frames.
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
from workbench.executors.cpu.dialect import FENCES, WARP
from workbench.executors.cpu.generators import PLACES, ToGenerator
from workbench.executors.cpu.here import PACKAGE, Here
from workbench.executors.cpu.thread import Allocation, Thread
from workbench.executors.cpu.typed import Operand, Typed, compute
from workbench.source import Names, file_of, function_tree

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
        self.hidden = {
            "operand__": Operand,
            "array__": self.array,
            "constant__": self.constant,
            "dimensions__": here.dimensions,
            "lane__": lambda: here.lane,
        }
        self._titles = dict.fromkeys(thread.parameters, "")
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
        generator = ToGenerator(self, names, function.__name__, is_kernel)
        made = generator.function(tree, inspect.getsourcelines(function)[0][0])
        code = compile(ast.Module([made], []), file_of(function), "exec", dont_inherit=True)
        namespace: dict[str, Any] = {}
        for scope in (function.__globals__, names.scopes[0], self._seen(names), self.hidden, generator.meanings):
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

    def title(self, wanted: str, identifier: str, line: int) -> str:
        """What an array is called: by its variable, and by its line too where another one has that name."""
        return wanted if self._titles.setdefault(wanted, identifier) == identifier else f"{wanted} of line {line}"

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
