"""Names that a Python function may give its variables and C++ may not."""

from __future__ import annotations

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
    abs acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh dynamic_shared erf erfc exp exp2
    expm1 fabs floor floor_div floor_mod fma fmax fmin fmod hypot int16_t int64_t int8_t isfinite isinf isnan
    lane_id lanemask_lt launch lgamma log log10 log1p log2 max min nextafter port pow power remainder rint
    scalar_t sin sinh sqrt tan tanh tgamma trunc uint16_t uint32_t uint64_t uint8_t Array INFINITY NAN NULL
    threadIdx blockIdx blockDim gridDim warpSize dim3 std main unix linux
"""
"""What the translator writes itself, and a variable of the name would hide."""

TAKEN = frozenset((KEYWORDS + WRITTEN).split())


def identifier(name: str) -> str:
    """The C++ name of a Python variable or function: its own, or with an underscore where C++ uses it otherwise."""
    return f"{name}_" if name in TAKEN else name
