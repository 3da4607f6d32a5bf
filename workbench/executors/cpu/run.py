"""Run a kernel on the CPU: compile it once for its block shape and argument types, then call it over its blocks.

Blocks do not depend on each other, so where there is work for them several workers share them, as many as torch uses
threads (``torch.set_num_threads``). The workers release Python's global lock.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
import torch

from workbench.executors.cpu.compile import Compiled, compile_kernel
from workbench.numba_cuda import Configuration, Dimensions
from workbench.tensors import as_numpy

NO_BYTES = np.empty(0, np.uint8)
OWNDATA = 4
"""NumPy's flag of who frees an array, which its Numba type does not depend on."""

SHARED_WORK = 1 << 17
"""Threads, or elements of the largest array, from which on blocks are shared between workers."""

CHUNKS = 4
"""Chunks of blocks for each worker, so that one that is held up does not hold up the rest."""

_compiled: WeakKeyDictionary[Any, dict[tuple, Compiled]] = WeakKeyDictionary()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Run the kernel to its end on the memory of CPU tensors and NumPy arrays.

    With one worker, block after block, a kernel gives the same result each time. Several share the blocks, in no order,
    where there is work for them; then the last bits of a sum by atomics may change from one time to the next.

    Raises CompileError, which names the kernel's own line, for a kernel that the executor does not cover or that does
    not compile.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    compiled = _variant(kernel, block, values, several=False)
    blocks = math.prod(grid)
    workers = min(torch.get_num_threads(), blocks)
    if workers > 1 and compiled.may_share and _work(blocks * math.prod(block), values) >= SHARED_WORK:
        if not compiled.is_for_several:
            compiled = _variant(kernel, block, values, several=True)
        _share(compiled, blocks, grid, shared_bytes, values, workers)
    else:
        compiled.run(0, blocks, *grid, _dynamic(shared_bytes), *values)


def _variant(kernel: Any, block: Dimensions, values: tuple, several: bool) -> Compiled:
    key = (several, block, *map(_kind, values))
    variants = _compiled.setdefault(kernel, {})
    compiled = variants.get(key)
    if compiled is None or not compiled.is_current():
        compiled = variants[key] = compile_kernel(kernel, block, tuple(map(numba.typeof, values)), several)
    return compiled


def _work(threads: int, values: tuple[Any, ...]) -> int:
    return max(threads, *(value.size for value in values if isinstance(value, np.ndarray)), 0)


def _dynamic(shared_bytes: int) -> np.ndarray:
    return np.empty(shared_bytes, np.uint8) if shared_bytes else NO_BYTES


def _share(
    compiled: Compiled, blocks: int, grid: tuple[int, int, int], shared_bytes: int, values: tuple, workers: int
) -> None:
    """Run the blocks in chunks, in this thread and ``workers - 1`` others; an error that one raises passes on."""
    count = min(blocks, workers * CHUNKS)
    chunks = iter([(blocks * k // count, blocks * (k + 1) // count) for k in range(count)])

    def work() -> None:
        dynamic = _dynamic(shared_bytes)
        for first, last in chunks:  # a list's iterator hands each chunk out once, whoever asks
            compiled.run(first, last, *grid, dynamic, *values)

    others = [_pool(workers - 1).submit(work) for _ in range(workers - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()


def _pool(workers: int) -> ThreadPoolExecutor:
    """The threads of this process: those of the process that it was forked from did not come along."""
    key = (os.getpid(), workers)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(workers, thread_name_prefix="workbench")
    return _pools[key]


def _kind(value: Any) -> Any:
    """What decides an argument's Numba type, at a fraction of the cost of asking Numba for it."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num & ~OWNDATA
    return type(value)
