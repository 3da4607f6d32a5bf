"""The seam to numba_cuda_mlir, the compiler that takes numba-cuda's kernels too: its internals, beside numba_cuda.

Nothing here imports the package: only a program that has can hold a kernel of it. numba_cuda asks this file.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

PACKAGE = "numba_cuda_mlir"


def module() -> ModuleType | None:
    """``numba_cuda_mlir.cuda``, or None where the program has not imported it."""
    return sys.modules.get(f"{PACKAGE}.cuda")


def is_kernel(thing: Any) -> bool:
    """Whether the object came out of the package's ``cuda.jit``."""
    return type(thing).__name__ == "MLIRDispatcher"


def configuration(configured: Any) -> tuple | None:
    """Kernel, grid, block, stream and bytes of shared memory of ``kernel[grid, block]``; None for anything else."""
    if type(configured).__name__ != "_ArgMarshaller":
        return None
    given = configured._available_launch_config
    return configured._dispatcher, given["grid"], given["block"], configured._launch_stream, given["sharedmem"] or 0


def configured_class() -> type | None:
    """The class of ``kernel[grid, block]``, or None where the program has not imported the package."""
    found = sys.modules.get(f"{PACKAGE}.descriptor")
    return None if found is None else found._ArgMarshaller


def as_numba(value: Any) -> Any:
    """One of the package's types, which it has of its own, as Numba's type of the same name; anything else as it is."""
    if not type(value).__module__.startswith(f"{PACKAGE}.numba_cuda.types"):
        return value
    from numba.core import types

    return types.boolean if value.name == "bool" else getattr(types, value.name, value)
