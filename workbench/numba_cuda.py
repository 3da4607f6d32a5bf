"""The seam to Numba: only here, in numba_cuda_types and in numba_cuda_compile are internals of numba-cuda touched.

numba_cuda_mlir has its own file beside them.

Everything here works without a GPU and without a driver. Numba itself is imported inside the functions, so that
importing workbench does not pay for it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import re
import secrets
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import torch

from workbench import numba_cuda_mlir
from workbench.on_import import when_imported

Dimensions = tuple[int, int, int]


class Configuration(NamedTuple):
    """What ``kernel[grid, block]`` holds."""

    kernel: Any
    grid: Dimensions
    block: Dimensions
    stream: Any
    shared_bytes: int

    @classmethod
    def of(cls, kernel: Any, grid: Any, block: Any, stream: Any = 0, shared_bytes: int = 0) -> Configuration:
        """What ``kernel[grid, block, stream, shared_bytes]`` means."""
        return cls(kernel, _three(grid), _three(block), stream, shared_bytes)

    def __call__(self, *arguments: Any) -> None:
        """Launch the kernel as Numba does; a graph that torch.compile is making breaks here."""
        from workbench.operator import call_apart

        call_apart(self, arguments)


def own_configuration(configuration: Configuration) -> Any:
    """Numba's own ``kernel[grid, block]``."""
    kernel, *launch = configuration
    return kernel[tuple(launch)]


def _three(dimensions: Any) -> Dimensions:
    given = tuple(dimensions) if isinstance(dimensions, (tuple, list)) else (dimensions,)
    return given + (1,) * (3 - len(given))


def let_compile_trace() -> None:
    """Let torch.compile trace ``kernel[grid, block]``, which is a Configuration while it does.

    What Numba makes of it, torch.compile cannot follow. Updates: the class of Numba's kernels, now or when Numba is
    imported, but not in the simulator.
    """
    when_imported("numba.cuda.dispatcher", _configure_while_compiling)


def _configure_while_compiling(dispatcher: ModuleType) -> None:
    if simulated():
        return
    configured = dispatcher.CUDADispatcher.__getitem__

    def configure(kernel: Any, dimensions: tuple) -> Any:
        if torch.compiler.is_compiling():
            return Configuration.of(kernel, *dimensions)
        return configured(kernel, dimensions)

    dispatcher.CUDADispatcher.__getitem__ = configure


def simulated() -> bool:
    """Whether this process runs Numba's simulator (``NUMBA_ENABLE_CUDASIM=1`` before Python started)."""
    from numba.core import config

    return bool(config.ENABLE_CUDASIM)


def configuration(configured: Any) -> Configuration | None:
    """The parts of ``kernel[grid, block]``, or None if the object is something else."""
    if isinstance(configured, Configuration):
        return configured
    kind = type(configured).__name__
    if kind == "_LaunchConfiguration":
        return Configuration(
            configured.dispatcher, configured.griddim, configured.blockdim, configured.stream, configured.sharedmem
        )
    if kind == "FakeCUDAKernel" and configured.grid_dim is not None:
        return Configuration(
            configured, configured.grid_dim, configured.block_dim, configured.stream, configured.dynshared_size
        )
    found = numba_cuda_mlir.configuration(configured)
    return None if found is None else Configuration(*found)


@contextlib.contextmanager
def redirected(launch: Callable) -> Iterator[None]:
    """Within this, ``kernel[grid, block](*arguments)`` calls ``launch(kernel[grid, block], *arguments)``."""
    from numba.cuda import dispatcher

    def call(self: Any, *arguments: Any) -> None:
        launch(self, *arguments)

    classes = [dispatcher._LaunchConfiguration, *filter(None, [numba_cuda_mlir.configured_class()])]
    before = [configured.__call__ for configured in classes]
    for configured in classes:
        configured.__call__ = call
    try:
        yield
    finally:
        for configured, own in zip(classes, before, strict=True):
            configured.__call__ = own


def is_kernel(thing: Any) -> bool:
    """Whether the object came out of ``cuda.jit``, configured for a launch or not, device function or not."""
    return type(thing).__name__ in ("CUDADispatcher", "FakeCUDAKernel") or numba_cuda_mlir.is_kernel(thing)


def package_of(kernel: Any) -> ModuleType:
    """The ``cuda`` module whose kernel it is."""
    from numba import cuda

    return numba_cuda_mlir.module() if numba_cuda_mlir.is_kernel(kernel) else cuda


def as_numba(value: Any) -> Any:
    """A type as Numba has it; anything else as it is."""
    return numba_cuda_mlir.as_numba(value)


def is_device_function(kernel: Any) -> bool:
    """Whether ``cuda.jit(device=True)`` made it."""
    if hasattr(kernel, "targetoptions"):
        return bool(kernel.targetoptions.get("device"))
    return bool(kernel._device)


def python_function(kernel: Any) -> Callable:
    """The function that was decorated with ``cuda.jit``."""
    return kernel.py_func if hasattr(kernel, "py_func") else kernel.fn


def fastmath(kernel: Any) -> bool:
    """Whether the kernel was declared with ``fastmath=True``."""
    return bool(getattr(kernel, "targetoptions", {}).get("fastmath"))


def operations() -> dict[int, str]:
    """Every CUDA operation that a kernel can name, from its identity to its dotted name below ``numba.cuda``."""
    return _operations(numba_cuda_mlir.module())


@functools.cache
def _operations(other: ModuleType | None) -> dict[int, str]:
    from numba import cuda

    if not simulated():
        importlib.import_module("numba.cuda.fp16")  # a kernel may name cuda.fp16 without this
    found: dict[int, str] = {}
    for package in filter(None, (cuda, other)):
        for name in _OPERATIONS.split():
            value: Any = package
            for part in name.split("."):
                value = getattr(value, part, None)
            if value is not None and not isinstance(value, int):
                found[id(value)] = name
    return found


_OPERATIONS = """
    threadIdx blockIdx blockDim gridDim laneid warpsize grid gridsize
    syncthreads syncthreads_count syncthreads_and syncthreads_or syncwarp
    threadfence threadfence_block threadfence_system
    shfl_sync shfl_up_sync shfl_down_sync shfl_xor_sync
    any_sync all_sync eq_sync ballot_sync match_any_sync match_all_sync activemask lanemask_lt
    shared.array local.array const.array_like
    atomic.add atomic.sub atomic.max atomic.min atomic.nanmax atomic.nanmin atomic.and_ atomic.or_ atomic.xor
    atomic.inc atomic.dec atomic.exch atomic.cas atomic.compare_and_swap
    popc brev clz ffs fma cbrt selp nanosleep cg.this_grid
    ldca ldcg ldcs ldcv ldlu stcg stcs stwb stwt inline_ptx
"""


def libdevice_signature(name: str) -> tuple[Any, tuple]:
    """The types of a ``numba.cuda.libdevice`` function's result (a tuple where C has pointers) and of its arguments."""
    from numba.core import types
    from numba.cuda.libdevicefuncs import functions

    result, arguments = functions[f"__nv_{name}"]
    given = tuple(getattr(types, str(a.ty)) for a in arguments if not a.is_ptr)
    results = [getattr(types, str(t)) for t in (result, *(a.ty for a in arguments if a.is_ptr)) if str(t) != "none"]
    return results[0] if len(results) == 1 else types.Tuple(results), given


def is_foreign(value: Any) -> bool:
    """Whether ``cuda.declare_device`` made it."""
    return type(value).__name__ == "ExternFunction"


def is_typed(value: Any) -> bool:
    """Whether functions on the CPU target can name an object from outside them."""
    from numba.core.errors import NumbaError
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    try:
        cpu_target.typing_context.resolve_value_type(value)
    except (NumbaError, TypeError, ValueError, NotImplementedError, AttributeError):
        return False
    return True


def convert_objects(kind: type, from_python: Callable, to_python: Callable) -> None:
    """How functions on the CPU target convert arguments and results of a class of types, in place of how they did.

    ``numba.extending.unbox`` and ``box`` do that for a class that has no conversion yet.
    """
    from numba.core import pythonapi

    pythonapi._unboxers.functions[kind] = from_python
    pythonapi._boxers.functions[kind] = to_python


def compile_problem(error: Exception) -> tuple[list[tuple[str, int]], str]:
    """The positions (file, line) that a Numba compilation error names, innermost first, and its cause in a sentence.

    Numba nests its errors with the innermost first, so the first line that says something is the cause. An error that
    it did not foresee names no position: that is where it was in the function that it lowered.
    """
    from numba.core.ir import Loc

    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    positions = [(file, int(line)) for file, line in re.findall(r'File "([^"]+)", line (\d+)', text)]
    at = [getattr(frame.f_locals.get("self"), "loc", None) for frame, _ in traceback.walk_tb(error.__traceback__)]
    positions += [(loc.filename, loc.line) for loc in reversed(at) if isinstance(loc, Loc)]
    said = [line.strip() for line in text.splitlines()]
    said = [line for line in said if line and not line.startswith(("Failed in ", "Internal error at", "- Resolution"))]
    sentence = said[0] if said else type(error).__name__
    if reason := re.search(r"raised a specific error:\s+TypingError: (?!Failed|No impl)(.*)", text):
        return positions, reason[1]
    for line in said[1:]:
        if line.startswith(">>> "):
            sentence = f"{sentence} {line[4:]}"
            break
    return positions, sentence


@functools.cache
def number_functions_apart() -> None:
    """Have Numba number the functions that it compiles from a start that no other process has.

    The number is part of the name of a function's machine code. Numba counts from one, so that what two processes
    stored on disk could not be loaded beside each other: of two functions of one name, the first would be both.
    """
    from numba.core.bytecode import FunctionIdentity

    FunctionIdentity._unique_ids = itertools.count(secrets.randbits(60))


def local_types(function: Callable, argument_types: tuple) -> dict[str, Any]:
    """The Numba type of each variable of a Python function that is called with these types, on the CPU target.

    A variable that holds several types one after the other gets the one that they unify to. Raises Numba's own errors.
    """
    from numba.core import compiler, typed_passes, types
    from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
    from numba.core.registry import cpu_target

    found: dict[str, Any] = {}

    class Inferred(Exception):
        """Stops the compiler once it has inferred the types."""

    @register_pass(mutates_CFG=False, analysis_only=True)
    class Stop(FunctionPass):
        _name = "stop_after_inference"

        def __init__(self) -> None:
            FunctionPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            found.update(state.typemap)
            raise Inferred

    class UntilInference(compiler.CompilerBase):
        def define_pipelines(self) -> list:
            builder = compiler.DefaultPassBuilder
            passes = builder.define_untyped_pipeline(self.state).passes
            passes += builder.define_typed_pipeline(self.state).passes
            manager = PassManager("types")
            for one, description in passes:
                manager.add_pass(one, description)
                if one is typed_passes.NopythonTypeInference:
                    break
            manager.add_pass(Stop, "stop")
            manager.finalize()
            return [manager]

    context = cpu_target.typing_context
    context.refresh()
    flags = compiler.Flags()
    flags.nrt = True
    flags.error_model = "numpy"
    with contextlib.suppress(Inferred):
        compiler.compile_extra(
            context, cpu_target.target_context, function, argument_types, None, flags, {}, pipeline_class=UntilInference
        )
    versions: dict[str, list] = {}
    for variable, kind in found.items():
        if not variable.startswith(("$", "arg.")):
            versions.setdefault(variable.split(".")[0], []).append(types.unliteral(kind))
    return {variable: context.unify_types(*kinds) for variable, kinds in versions.items()}
