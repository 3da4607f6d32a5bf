"""Run a kernel on the CPU: compile it once for its block shape and argument types, then call it over its blocks."""

from __future__ import annotations

import ast
import copy
import itertools
import linecache
import math
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaError, UnsupportedBytecodeError
from numba.extending import intrinsic

from workbench import numba_cuda
from workbench.errors import CompileError, LaunchError
from workbench.executors.cpu import exchanges
from workbench.executors.cpu.dialect import INDEX_NAMES
from workbench.executors.cpu.emit import Text, emit_run, emit_thread, over_threads
from workbench.executors.cpu.fission import Plan, Strided
from workbench.executors.cpu.loops import Loops
from workbench.executors.cpu.machine import LOOK, Machine
from workbench.executors.cpu.memory import array_maker
from workbench.executors.cpu.normal import normalise
from workbench.executors.cpu.ranges import count_by_ranges
from workbench.executors.cpu.read import Thread, read
from workbench.executors.cpu.uniform import NotUniform, Uniformity
from workbench.numba_cuda import Configuration, Dimensions
from workbench.source import SourceError
from workbench.tensors import as_numpy

# Without reference counts (_nrt): a kernel's arrays outlive its run, and counting them in the innermost loop can cost
# forty times what the kernel does.
OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False}

BYTES = types.Array(types.uint8, 1, "C")

TYPED = {LOOK + operation: function for operation, function in exchanges.RESULTS.items()}

_compiled: WeakKeyDictionary[Any, dict[tuple, Callable]] = WeakKeyDictionary()
_numbers = itertools.count(1)


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Run the kernel to its end on the memory of CPU tensors and NumPy arrays, block after block, in this thread.

    Raises LaunchError for a float16 argument, and CompileError, which names the kernel's own line, for a kernel that
    the executor does not cover or that does not compile.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    key = (block, *map(numba.typeof, values))
    variants = _compiled.setdefault(kernel, {})
    function = variants.get(key)
    if function is None:
        function = variants[key] = compile_kernel(kernel, block, key[1:])
    function(0, math.prod(grid), *grid, np.empty(shared_bytes, np.uint8), *values)


def compile_kernel(kernel: Any, block: Dimensions, argument_types: tuple) -> Callable:
    """The compiled ``run(first, last, gridDim x, y, z, dynamic, *arguments)`` of a kernel for one block shape."""
    thread = read(kernel, block)
    given = thread.parameters[: len(argument_types)]
    for name, kind in zip(given, argument_types, strict=True):
        if getattr(kind, "dtype", kind) == types.float16:
            raise LaunchError(
                f"{thread.name}: {name!r} is float16, which the CPU executor does not do; pass .float(), or use a GPU"
            )
    if thread.synchronises or _has_loops(thread):
        inner, namespace = _block(thread, block, given, argument_types)
    else:
        inner, namespace = _straight(thread, block, given, argument_types)
    run = _jit(emit_run(given, inner), "run", {**namespace, "assume__": _assume}, thread.fastmath)
    _compile(run, thread, (types.int64,) * 5 + (BYTES,) + argument_types)
    return run


Inner = tuple[list[str], dict[str, Any]]
"""The lines that run one block, and the namespace that they need."""


def _straight(thread: Thread, block: Dimensions, given: list[str], argument_types: tuple) -> Inner:
    """A block whose threads run one after the other, each from its beginning to its end."""
    one_thread = _compile_thread(thread, given)
    _compile(one_thread, thread, (types.int64,) * len(thread.indices) + argument_types)
    return over_threads(thread, block, given), {"thread__": one_thread}


def _block(thread: Thread, block: Dimensions, given: list[str], argument_types: tuple) -> Inner:
    """A block cut into loops over its threads, or run state by state where it cannot be."""
    waits = thread.synchronises
    try:
        body = count_by_ranges(normalise(thread))
        devices = _compile_devices(thread)  # also those of device functions that were written out
        machine = Machine(thread, copy.deepcopy(body), block, dict(zip(given, argument_types, strict=True)))
        one_thread = _jit(
            machine.inference, "one_thread", {**machine.namespace, **devices, **TYPED}, False, thread.file
        )
        indices = (types.int64,) * (len(INDEX_NAMES) + 1)
        try:
            kinds = numba_cuda.local_types(one_thread.py_func, (*indices, BYTES, *argument_types))
        except (NumbaError, UnsupportedBytecodeError) as error:
            raise CompileError(_explain(error, thread)) from None
        kinds |= dict(zip(given, argument_types, strict=True))
        try:
            known = Uniformity(thread, kinds, body, given, block[1] * block[2] == 1)
            plan = Plan(body, known)
            if not waits and not any(isinstance(node, Strided) for node in plan.nodes):
                return _straight(thread, block, given, argument_types)
            emitted: Loops | Machine = Loops(plan, known, block, machine.namespace)
            text = emitted.text(given)
        except NotUniform:
            if not waits:
                return _straight(thread, block, given, argument_types)
            emitted = machine
            machine.keep(kinds)
            text = machine.text()
    except SourceError as problem:
        raise CompileError(f"{thread.name}: {problem}") from None
    function = _jit(text, "block", {**emitted.namespace, **devices}, thread.fastmath, thread.file)
    _compile(function, thread, (types.int64,) * 6 + (BYTES,) + argument_types)
    return [f"block__run({', '.join([*INDEX_NAMES[3:], 'dynamic__', *given])})"], {"block__run": function}


def _has_loops(thread: Thread) -> bool:
    """Whether there is a loop that might be turned inside out."""
    return any(isinstance(n, (ast.For, ast.While)) for s in thread.body for n in ast.walk(s))


def _compile_thread(thread: Thread, given: list[str] | None = None, made: dict[int, Any] | None = None) -> Any:
    """The function of one thread. ``made`` holds those that are being made, which a recursive one calls itself."""
    made = {} if made is None else made
    namespace = dict(thread.outside)
    for identifier, allocation in thread.allocations.items():
        namespace[identifier] = array_maker(allocation.shape, allocation.element)
    function = _jit(emit_thread(thread, given), thread.name, namespace, thread.fastmath, thread.file)
    made[id(thread)] = function
    function.py_func.__globals__.update(_compile_devices(thread, made))
    return function


def _compile_devices(thread: Thread, made: dict[int, Any] | None = None) -> dict[str, Any]:
    made = {} if made is None else made
    return {
        identifier: made.get(id(device)) or _compile_thread(device, None, made)
        for identifier, device in thread.devices.items()
        if not device.synchronises
    }


_origins: dict[str, tuple[str, list[int | None]]] = {}


def _jit(text: Text, name: str, namespace: dict[str, Any], fastmath: bool, origin: str = "") -> Any:
    source = str(text)
    file = f"<cpu executor: {name} {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    _origins[file] = (origin, text.origins)
    namespace = dict(namespace)
    exec(compile(source, file, "exec"), namespace)
    # contraction to fused multiply-add is what a GPU's compiler does by default
    return numba.njit(fastmath=fastmath or {"contract"}, **OPTIONS)(namespace[name])


def _compile(function: Any, thread: Thread, argument_types: tuple) -> None:
    try:
        function.compile(argument_types)
    except (NumbaError, UnsupportedBytecodeError) as error:
        raise CompileError(_explain(error, thread)) from None


def _explain(error: Exception, thread: Thread) -> str:
    positions, sentence = numba_cuda.compile_problem(error)
    for file, emitted_line in positions:
        origin, lines = _origins.get(file, ("", []))
        if origin and lines[emitted_line - 1] is not None:
            line = lines[emitted_line - 1]
            code = linecache.getline(origin, line).strip()
            return f"{thread.name} does not compile: line {line}, `{code}`: {sentence}"
    return f"{thread.name} does not compile: {sentence}"


@intrinsic
def _assume(typing_context, condition):
    """Tell the optimiser that a condition holds."""

    def generate(context, builder, signature, arguments):
        function = builder.module.declare_intrinsic("llvm.assume", [], ir.FunctionType(ir.VoidType(), [ir.IntType(1)]))
        builder.call(function, [arguments[0]])
        return context.get_dummy_value()

    return types.void(types.boolean), generate
