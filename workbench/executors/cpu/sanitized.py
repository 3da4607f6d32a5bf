"""Run a kernel under the sanitizer: one block after the other, each access checked."""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numba.np.numpy_support import as_dtype

from workbench import numba_cuda
from workbench.executors.cpu import sanitize
from workbench.executors.cpu.compile import CompiledWatched, compile_watched
from workbench.executors.cpu.findings import Buffer, Finding, findings
from workbench.executors.cpu.watched import Watched
from workbench.numba_cuda import Configuration
from workbench.tensors import as_numpy

_compiled: WeakKeyDictionary[Any, dict[tuple, CompiledWatched]] = WeakKeyDictionary()


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> list[Finding]:
    """Run the kernel to its end, or to an access out of bounds, and say what was found.

    Updates: what the kernel writes. Raises CompileError as an ordinary launch does.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    kinds = tuple(map(numba.typeof, values))
    variants = _compiled.setdefault(kernel, {})
    compiled = variants.get((block, kinds))
    if compiled is None or not compiled.is_current():
        compiled = variants[block, kinds] = compile_watched(kernel, block, kinds)
    watched = compiled.watched
    dynamic = np.empty(shared_bytes, np.uint8)
    buffers = _buffers(watched, dynamic, values)
    states = np.zeros(1, sanitize.STATE)
    shadow = _watch(states, buffers)
    states["fences"] = any(thread.fences for thread in watched.thread.reachable)
    began = []
    try:
        for number in range(math.prod(grid)):
            began.append(int(states["now"][0]) + 1)
            place = (number % grid[0], number // grid[0] % grid[1], number // (grid[0] * grid[1]))
            compiled.run_block(*place, *grid, dynamic, states[0], shadow, *values)
    except IndexError:
        if not states["noted"]:
            raise
    found = states["found"][0, : states["noted"][0]].tolist()
    return findings(found, began, numba_cuda.python_function(kernel), watched.sites, buffers, grid, block)


def _buffers(watched: Watched, dynamic: np.ndarray, values: tuple[Any, ...]) -> list[Buffer]:
    """The memory that is watched: the block's shared arrays first, whose address is entered when a block begins."""
    allocations = watched.thread.allocations
    found = []
    for identifier in watched.shared:
        shape, item = allocations[identifier].shape, as_dtype(allocations[identifier].element).itemsize
        strides = tuple(item * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        found.append(Buffer(watched.label(identifier), 0, math.prod(shape) * item, item, shape, strides, True))
    if watched.dynamic:
        item = min(as_dtype(allocations[identifier].element).itemsize for identifier in watched.dynamic)
        base, size = dynamic.ctypes.data, dynamic.size
        if len(watched.dynamic) == 1:
            label = watched.label(watched.dynamic[0])
            found.append(Buffer(label, base, size, item, (size // item,), (item,), True))
        else:
            found.append(Buffer("dynamic shared memory", base, size, item, (size,), (1,), True, "byte"))
    for parameter, value in zip(watched.parameters, values, strict=True):
        if isinstance(value, np.ndarray) and value.size:
            ends = [(size - 1) * stride for size, stride in zip(value.shape, value.strides, strict=True)]
            low = value.ctypes.data + sum(end for end in ends if end < 0)
            size = sum(map(abs, ends)) + value.itemsize
            found.append(Buffer(parameter, low, size, value.itemsize, value.shape, value.strides, False))
    return found


def _watch(states: np.ndarray, buffers: list[Buffer]) -> np.ndarray:
    """Enter the buffers into the state, and make their shadow memory. Updates: states [1]."""
    rows = 0
    for k, buffer in enumerate(buffers):
        grain = math.gcd(buffer.item, 1 << 16)
        states["buffers"][0, k] = buffer.base, buffer.bytes, grain.bit_length() - 1, rows, buffer.is_shared
        rows += -(-buffer.bytes // grain)
    states["watched"] = len(buffers)
    return np.zeros((rows, 4), np.int64)
