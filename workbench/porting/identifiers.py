"""Names that a Python function may give its variables and C++ may not."""

from __future__ import annotations

import re
from collections.abc import Iterable

KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
    int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public
    register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
    wchar_t while xor xor_eq
"""

WRITTEN = """
    Array INFINITY NAN NULL blockDim blockIdx dim3 gridDim int16_t int64_t int8_t linux main port scalar_t std threadIdx
    uint16_t uint32_t uint64_t uint8_t unix warpSize
"""
"""What the translator writes itself, or the compiler knows, wherever it stands."""

FUNCTIONS = """
    abs acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh dynamic_shared erf erfc exp exp10 exp2 expm1
    fabs fdim floor floor_div floor_mod fma fmax fmin fmod half half2 hypot isfinite isinf isnan lane_id lanemask_lt
    launch lgamma log log10 log1p log2 max min nextafter pow power remainder rint round rsqrt sin sinh sqrt tan tanh
    tgamma trunc
"""

TAKEN = frozenset((KEYWORDS + WRITTEN).split())

CALLED = frozenset(name + f for name in FUNCTIONS.split() for f in ("", "f"))  # expf is that of float


def of_function(name: str) -> str:
    """The C++ name of a Python function: its own, or with an underscore where C++ uses it otherwise."""
    return f"{name}_" if name in TAKEN | CALLED else name


def hidden(names: Iterable[str], text: str) -> set[str]:
    """The names of variables that would hide a function that the text calls."""
    return {name for name in names if name in CALLED and re.search(rf"\b{name}[(<]", text)}
