"""sin, cos and tan of float32 that vectorise: those of workbench.trigonometry, compiled for this processor.

Other dtypes go to the C library.
"""

from __future__ import annotations

import math
from types import FunctionType, ModuleType
from typing import Any

from numba import njit

from workbench import numba_cuda, trigonometry
from workbench.executors.cpu import floats
from workbench.executors.cpu.bits import float_as_int
from workbench.executors.cpu.float32 import OPTIONS, of_float32

_compiled = njit(nogil=True, **OPTIONS)

_cuda = ModuleType("cuda")
_cuda.fma = floats.fma


def _here(device_function: Any, **others: Any) -> Any:
    """A device function with the executor's meaning of what it calls."""
    function = numba_cuda.python_function(device_function)
    names = {**function.__globals__, "cuda": _cuda, "float_as_int": float_as_int, **others}
    return _compiled(FunctionType(function.__code__, names, function.__name__))


_shifted = _here(trigonometry.shifted_sine)


sin = of_float32(_here(trigonometry.sine, shifted_sine=_shifted), math.sin)
cos = of_float32(_here(trigonometry.cosine, shifted_sine=_shifted), math.cos)
tan = of_float32(_here(trigonometry.tangent, shifted_sine=_shifted), math.tan)
