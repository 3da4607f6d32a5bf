"""``numba.cuda.libdevice`` on a CPU: the functions of NVIDIA's math library that have a counterpart here.

The names are those of the libdevice user's guide: ``expf`` is ``exp`` in float32, ``fast_expf`` its faster and less
accurate form, for which the accurate one stands in here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.executors.cpu import float32, semantics

FLOAT_FUNCTIONS = {
    "acos": math.acos, "acosh": math.acosh, "asin": math.asin, "asinh": math.asinh, "atan": math.atan,
    "atan2": math.atan2, "atanh": math.atanh, "cbrt": semantics.cbrt, "ceil": np.ceil, "copysign": np.copysign,
    "cos": math.cos, "cosh": math.cosh, "erf": math.erf, "erfc": math.erfc, "exp": float32.exp, "exp2": np.exp2,
    "expm1": math.expm1, "fabs": np.fabs, "floor": np.floor, "fma": semantics.fma, "fmax": semantics.maximum,
    "fmin": semantics.minimum, "fmod": np.fmod, "hypot": math.hypot, "lgamma": math.lgamma, "log": float32.log,
    "log10": np.log10, "log1p": float32.log1p,
    "log2": np.log2, "pow": math.pow, "rint": np.rint, "rsqrt": semantics.rsqrt,
    "sin": math.sin, "sinh": math.sinh, "sqrt": math.sqrt, "tan": math.tan, "tanh": math.tanh, "tgamma": math.gamma,
    "trunc": np.trunc,
}  # fmt: skip
"""The functions of floats, which libdevice has twice: under this name and, for float32, with an ``f`` at its end."""

OTHER_FUNCTIONS = {
    "abs": np.abs, "llabs": np.abs, "max": max, "min": min, "llmax": max, "llmin": min, "umax": max, "umin": min,
    "ullmax": max, "ullmin": min, "brev": semantics.brev, "brevll": semantics.brev, "clz": semantics.clz,
    "clzll": semantics.clz, "ffs": semantics.ffs, "ffsll": semantics.ffs, "popc": semantics.popc,
    "popcll": semantics.popc,
}  # fmt: skip


def meaning(value: Any) -> Any:
    """The CPU's function for one of ``numba.cuda.libdevice``, or None for anything else.

    Raises NotImplementedError for a libdevice function without a counterpart here.
    """
    if not (getattr(value, "__module__", None) or "").endswith("cuda.libdevice"):
        return None
    title = value.__name__
    if title in OTHER_FUNCTIONS:
        return OTHER_FUNCTIONS[title]
    plain = title.removeprefix("fast_")
    for candidate in (plain, plain.removesuffix("f")):
        if candidate in FLOAT_FUNCTIONS:
            return FLOAT_FUNCTIONS[candidate]
    raise NotImplementedError(f"cuda.libdevice.{title}")
