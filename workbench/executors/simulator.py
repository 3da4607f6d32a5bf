"""Numba's simulator: a Python thread for each CUDA thread, for debugging with ``NUMBA_ENABLE_CUDASIM=1``."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.kernel import describe
from workbench.numba_cuda import Configuration
from workbench.tensors import as_numpy


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Run the kernel to its end on the memory of the CPU tensors.

    Numba's simulator takes contiguous arrays only, so a strided one is copied before the run and back after it.
    """
    kernel, grid, block, _, shared_bytes = configuration
    values = [as_numpy(argument) for argument in arguments]
    dense = [np.ascontiguousarray(v) if isinstance(v, np.ndarray) and v.ndim else v for v in values]
    kernel[grid, block, 0, shared_bytes](*dense)
    for name, value, copy in zip(describe(kernel).parameters, values, dense, strict=False):
        if copy is not value and name in describe(kernel).written:
            value[...] = copy
