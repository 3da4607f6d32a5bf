"""``numba.cuda.libdevice`` on a CPU: the functions of NVIDIA's math library that have a counterpart here.

The names are those of the libdevice user's guide: ``expf`` is ``exp`` in float32, ``fast_expf`` its faster and less
accurate form, for which the accurate one stands in here. Each converts its arguments to libdevice's own types first.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np
from numba import njit
from numba.core import types

from workbench import numba_cuda
from workbench.executors.cpu import bits, float32, floats, semantics, sines

FLOAT_FUNCTIONS = {
    "acos": math.acos, "acosh": math.acosh, "asin": math.asin, "asinh": math.asinh, "atan": math.atan,
    "atan2": math.atan2, "atanh": math.atanh, "cbrt": np.cbrt, "ceil": np.ceil, "copysign": np.copysign,
    "cos": sines.cos, "cosh": float32.cosh, "cospi": floats.cospi, "erf": float32.erf, "erfc": math.erfc,
    "erfcinv": floats.erfcinv, "erfinv": floats.erfinv, "exp": float32.exp, "exp10": floats.exp10, "exp2": float32.exp2,
    "expm1": float32.expm1, "fabs": np.fabs, "fdim": floats.fdim, "floor": np.floor, "fma": semantics.fma,
    "fmax": semantics.maximum, "fmin": semantics.minimum, "fmod": np.fmod, "frexp": math.frexp, "hypot": math.hypot,
    "ilogb": floats.ilogb, "ldexp": floats.scale, "lgamma": math.lgamma, "llrint": np.rint,
    "llround": floats.round_half_away, "log": float32.log, "log10": float32.log10, "log1p": float32.log1p,
    "log2": float32.log2, "logb": floats.logb, "modf": floats.modf, "nearbyint": np.rint, "nextafter": np.nextafter,
    "normcdf": floats.normcdf, "normcdfinv": floats.normcdfinv, "pow": math.pow, "powi": semantics.power,
    "rcbrt": floats.rcbrt, "remainder": floats.remainder, "remquo": floats.remquo, "rint": np.rint,
    "round": floats.round_half_away, "rsqrt": floats.rsqrt, "saturate": floats.saturate, "scalbn": floats.scale,
    "sin": sines.sin, "sincos": floats.sincos, "sincospi": floats.sincospi, "sinh": float32.sinh, "sinpi": floats.sinpi,
    "sqrt": math.sqrt, "tan": sines.tan, "tanh": float32.tanh, "tgamma": math.gamma, "trunc": np.trunc,
}  # fmt: skip
"""The functions of floats, which libdevice has twice: under this name and, for float32, with an ``f`` at its end."""

ROUNDED_TO_NEAREST = {
    "add": bits.add, "sub": bits.subtract, "mul": bits.multiply, "div": bits.divide, "rcp": floats.reciprocal,
    "sqrt": math.sqrt, "rsqrt": floats.rsqrt, "ma": semantics.fma,
}  # fmt: skip
"""The arithmetic of ``dadd_rn`` and ``fadd_rn`` and the like, by their names' middle."""


@njit
def brev_of_64_bits(x):
    return semantics.brev(np.uint64(x))


OTHER_FUNCTIONS = {
    "abs": np.abs, "llabs": np.abs, "max": max, "min": min, "llmax": max, "llmin": min, "brev": semantics.brev,
    "brevll": brev_of_64_bits, "clz": semantics.clz, "clzll": semantics.clz, "ffs": semantics.ffs,
    "ffsll": semantics.ffs, "popc": semantics.popc, "popcll": semantics.popc, "fast_fdividef": bits.divide,
    "isnand": np.isnan, "isnanf": np.isnan, "isinfd": np.isinf, "isinff": np.isinf, "isfinited": np.isfinite,
    "finitef": np.isfinite, "signbitd": bits.signbit, "signbitf": bits.signbit, "fmaf_rn": semantics.fma,
    "double2float_rn": types.float32,
}  # fmt: skip

FROM_BITS = (
    "byte_perm", "double2hiint", "double2loint", "double_as_longlong", "float_as_int", "hadd", "hiloint2double",
    "int_as_float", "longlong_as_double", "mul24", "mul64hi", "mulhi", "rhadd", "sad", "uhadd", "ullmax", "ullmin",
    "umax", "umin", "umul24", "umul64hi", "umulhi", "urhadd", "usad",
)  # fmt: skip
"""The functions that bits has under the same name."""


def meaning(value: Any) -> Any:
    """The CPU's function for one of ``numba.cuda.libdevice``, or None for anything else.

    Raises NotImplementedError for a libdevice function without a counterpart here.
    """
    if not (getattr(value, "__module__", None) or "").endswith("cuda.libdevice"):
        return None
    return _compiled(value.__name__)


@functools.cache
def _compiled(title: str) -> Any:
    function = _function(title)
    if function is None:
        raise NotImplementedError(f"cuda.libdevice.{title}")
    result, arguments = numba_cuda.libdevice_signature(title)
    convert = njit(lambda value: value) if isinstance(result, types.BaseTuple) else result
    first, second, third = (*arguments, None, None)[:3]
    by_count = {
        1: lambda x: convert(function(first(x))),
        2: lambda x, y: convert(function(first(x), second(y))),
        3: lambda x, y, z: convert(function(first(x), second(y), third(z))),
    }
    return njit(error_model="numpy")(by_count[len(arguments)])


def _function(title: str) -> Any:
    if title in OTHER_FUNCTIONS:
        return OTHER_FUNCTIONS[title]
    if title in FROM_BITS:
        return getattr(bits, title)
    if found := re.fullmatch(r"(float|double)2(int|uint|ll|ull)_(rn|rz|ru|rd)", title):
        return bits.to_integer(found[2], found[3], found[1])
    if found := re.fullmatch(r"(int|uint|ll|ull)2(float|double)_rn", title):
        return bits.from_integer(found[1], types.float32 if found[2] == "float" else types.float64)
    if found := re.fullmatch(r"[df](\w+)_rn", title):
        return ROUNDED_TO_NEAREST.get(found[1])
    plain = title.removeprefix("fast_")
    return FLOAT_FUNCTIONS.get(plain) or FLOAT_FUNCTIONS.get(plain.removesuffix("f"))
