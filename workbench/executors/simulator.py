"""Numba's simulator: a Python thread for each CUDA thread, for debugging with ``NUMBA_ENABLE_CUDASIM=1``."""

from __future__ import annotations

from typing import Any

from workbench.numba_cuda import Configuration
from workbench.tensors import as_numpy


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Run the kernel to its end on the memory of the CPU tensors."""
    kernel, grid, block, _, shared_bytes = configuration
    kernel[grid, block, 0, shared_bytes](*map(as_numpy, arguments))
