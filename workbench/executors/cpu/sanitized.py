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
from workbench.executors.cpu.compile import compile_watched
from workbench.executors.cpu.dialect import WARP
from workbench.executors.cpu.findings import Finding, findings
from workbench.executors.cpu.watched import Watched
from workbench.numba_cuda import Configuration
from workbench.tensors import as_numpy

_compiled: WeakKeyDictionary[Any, dict[tuple, tuple]] = WeakKeyDictionary()


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> list[Finding]:
    """Run the kernel to its end, or to an access out of bounds, and say what was found.

    Updates: what the kernel writes. Raises CompileError as an ordinary launch does.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    kinds = tuple(map(numba.typeof, values))
    variants = _compiled.setdefault(kernel, {})
    if (block, kinds) not in variants:
        variants[block, kinds] = compile_watched(kernel, block, kinds)
    watched, run_block = variants[block, kinds]
    dynamic = np.empty(shared_bytes, np.uint8)
    arrays, buffers, rows = _buffers(watched, dynamic, values)
    shadow = np.full((rows, sanitize.COLUMNS), -1)
    found = np.zeros((sanitize.MOST + 1, 8), np.int64)
    clock = np.zeros(sanitize.TIMES + -(-math.prod(block) // WARP), np.int64)
    try:
        for number in range(math.prod(grid)):
            place = (number % grid[0], number // grid[0] % grid[1], number // (grid[0] * grid[1]))
            run_block(*place, *grid, dynamic, found, buffers, shadow, clock, *values)
    except IndexError:
        if not found[0, 0]:
            raise
    name = numba_cuda.python_function(kernel).__name__
    return findings(found, name, watched.sites, arrays, grid, block)


def _buffers(watched: Watched, dynamic: np.ndarray, values: tuple[Any, ...]) -> tuple[list, np.ndarray, int]:
    """Arrays of the watched memory's shapes, the table of buffers, and how many rows of shadow memory they need.

    The block's shared arrays come first; where they lie is entered when a block begins.
    """
    shapes: list[np.ndarray] = []
    table: list[list[int]] = []
    rows = 0

    def add(base: int, size: int, item: int, shared: bool, like: np.ndarray) -> None:
        nonlocal rows
        shapes.append(like)
        table.append([base, size, item, rows, int(shared)])
        rows += -(-size // item)

    allocations = watched.thread.allocations
    for identifier in watched.shared:
        item = as_dtype(allocations[identifier].element).itemsize
        shape = allocations[identifier].shape
        add(0, math.prod(shape) * item, item, True, np.empty(shape, np.int8))
    views = [as_dtype(a.element).itemsize for a in allocations.values() if a.shape == (0,)]
    if views:
        item = min(views)
        add(dynamic.ctypes.data, dynamic.size, item, True, np.empty(dynamic.size // item, np.int8))
    for value in values:
        if isinstance(value, np.ndarray) and value.size:
            low, high = np.lib.array_utils.byte_bounds(value)
            add(low, high - low, value.itemsize, False, _in_memory_order(value, high - low))
    return shapes, np.array(table, np.int64).reshape(-1, 5), rows


def _in_memory_order(array: np.ndarray, size: int) -> np.ndarray:
    """The array if its elements lie in order and without gaps; else a flat one, which counts elements of memory."""
    return array if array.flags.c_contiguous else np.empty(size // array.itemsize, np.int8)
