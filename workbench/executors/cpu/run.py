"""Run a kernel on the CPU: compile it once for its block shape and argument types, then call it over its blocks."""

from __future__ import annotations

import itertools
import linecache
import math
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numba
from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaError, UnsupportedBytecodeError
from numba.extending import intrinsic

from workbench import numba_cuda
from workbench.errors import CompileError, LaunchError
from workbench.executors.cpu.emit import Text, emit_run, emit_thread
from workbench.executors.cpu.read import Thread, read
from workbench.numba_cuda import Configuration, Dimensions
from workbench.tensors import as_numpy

# Without reference counts (_nrt): a kernel's arrays outlive its run, and counting them in the innermost loop can cost
# forty times what the kernel does.
OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False}

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
    if shared_bytes:
        name = numba_cuda.python_function(kernel).__name__
        raise CompileError(f"{name}: the CPU executor does not do dynamic shared memory yet")
    function = variants.get(key)
    if function is None:
        function = variants[key] = compile_kernel(kernel, block, key[1:])
    function(0, math.prod(grid), *grid, *values)


def compile_kernel(kernel: Any, block: Dimensions, argument_types: tuple) -> Callable:
    """The compiled ``run(first, last, gridDim x, y, z, *arguments)`` of a kernel for one block shape."""
    thread = read(kernel, block)
    for name, kind in zip(thread.parameters, argument_types, strict=False):
        if getattr(kind, "dtype", kind) == types.float16:
            raise LaunchError(
                f"{thread.name}: {name!r} is float16, which the CPU executor does not do; pass .float(), or use a GPU"
            )
    one_thread = _compile_thread(thread, thread.parameters[: len(argument_types)])
    indices = (types.int64,) * len(thread.indices)
    _compile(one_thread, thread, indices + argument_types)
    text = emit_run(thread, block, len(argument_types))
    run = _jit(text, "run", {"thread__": one_thread, "assume__": _assume}, thread.fastmath)
    _compile(run, thread, (types.int64,) * 5 + argument_types)
    return run


def _compile_thread(thread: Thread, given: list[str] | None = None) -> Any:
    devices = {name: _compile_thread(device) for name, device in thread.devices.items()}
    return _jit(emit_thread(thread, given), thread.name, {**thread.outside, **devices}, thread.fastmath, thread.file)


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
