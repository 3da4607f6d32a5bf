"""Run blocks of a launch as plain Python, one after the other, thread by thread, for a person to look inside."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from workbench import numba_cuda
from workbench.errors import CompileError
from workbench.executors.cpu.accesses import Array, Memory
from workbench.executors.cpu.here import Here
from workbench.executors.cpu.normal import normalise
from workbench.executors.cpu.program import Program
from workbench.executors.cpu.read import read
from workbench.executors.cpu.trace import Recorder
from workbench.executors.cpu.turns import Turns
from workbench.executors.cpu.typed import plain
from workbench.numba_cuda import Configuration, Dimensions
from workbench.source import SourceError
from workbench.tensors import as_numpy


def launch(
    configuration: Configuration,
    arguments: tuple[Any, ...],
    blocks: tuple[Dimensions, ...],
    recorder: Recorder | None = None,
) -> None:
    """Run these blocks of the launch to their ends.

    Updates: what the kernel writes there; ``recorder``, with what its threads did. Raises LaunchError and CompileError,
    before anything runs, for what the executor does not cover, and KernelFault for what CUDA does not define.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = tuple(map(as_numpy, arguments))
    argument_types = tuple(map(numba.typeof, values))
    thread = read(kernel, block, argument_types, as_python=True)
    try:
        normalise(read(kernel, block, argument_types, as_python=True), as_written=True)
    except SourceError as problem:
        raise CompileError(f"{thread.name}: {problem}") from None
    here = Here(numba_cuda.python_function(kernel).__name__, grid, block, recorder)
    program = Program(kernel, thread, here, shared_bytes)
    given = [_given(name, value, here) for name, value in zip(thread.parameters, values, strict=False)]
    for index in blocks:
        here.index, here.phase = index, 0
        program.begin()
        Turns([program.kernel(*given) for _ in range(here.threads)], here).run()


def _given(name: str, value: Any, here: Here) -> Any:
    if isinstance(value, np.ndarray):
        return Array(value, Memory(name, "global", value, None), here)
    return plain(value) if isinstance(value, np.generic) else value
