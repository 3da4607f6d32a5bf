"""Run a kernel on the CPU: compile it once for its block shape and argument types, then call it over its blocks."""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np

from workbench.executors.cpu.compile import Compiled, compile_kernel
from workbench.numba_cuda import Configuration
from workbench.tensors import as_numpy

NO_BYTES = np.empty(0, np.uint8)
OWNDATA = 4
"""NumPy's flag of who frees an array, which its Numba type does not depend on."""

_compiled: WeakKeyDictionary[Any, dict[tuple, Compiled]] = WeakKeyDictionary()


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Run the kernel to its end on the memory of CPU tensors and NumPy arrays, block after block, in this thread.

    Raises LaunchError for a float16 argument, and CompileError, which names the kernel's own line, for a kernel that
    the executor does not cover or that does not compile.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    key = (block, *map(_kind, values))
    variants = _compiled.setdefault(kernel, {})
    compiled = variants.get(key)
    if compiled is None or not compiled.is_current:
        compiled = variants[key] = compile_kernel(kernel, block, tuple(map(numba.typeof, values)))
    dynamic = np.empty(shared_bytes, np.uint8) if shared_bytes else NO_BYTES
    compiled.run(0, math.prod(grid), *grid, dynamic, *values)


def _kind(value: Any) -> Any:
    """What decides an argument's Numba type, at a fraction of the cost of asking Numba for it."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num & ~OWNDATA
    return type(value)
