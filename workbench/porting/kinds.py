"""Types in pairs: what Numba infers for float32 arrays, and what it infers for float64 arrays in their place.

Where the two differ, C++ has the template parameter ``scalar_t``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numba.core import types

from workbench.errors import PortError

Range = tuple[int, int]
"""The least and the greatest value that an integer can have."""

ENDLESS = 2**80
"""Stands for a bound that a counter approaches step by step, and is taken not to reach 2**63."""

NAMES = {
    types.boolean: "bool",
    types.int8: "int8_t",
    types.int16: "int16_t",
    types.int32: "int",
    types.int64: "int64_t",
    types.uint8: "uint8_t",
    types.uint16: "uint16_t",
    types.uint32: "uint32_t",
    types.uint64: "uint64_t",
    types.float16: "__half",
    types.float32: "float",
    types.float64: "double",
}

SCALAR = "scalar_t"


class Kind(NamedTuple):
    """A type in the float32 translation, and in its float64 twin."""

    single: Any
    double: Any

    def map(self, function: Callable) -> Kind:
        return Kind(function(self.single), function(self.double))

    @property
    def is_float(self) -> bool:
        return isinstance(self.single, types.Float)

    @property
    def is_integer(self) -> bool:
        return isinstance(self.single, (types.Integer, types.Boolean))

    @property
    def is_array(self) -> bool:
        return isinstance(self.single, types.Array)

    @property
    def element(self) -> Kind:
        return self.map(lambda array: array.dtype)

    @property
    def follows(self) -> bool:
        """Whether it, or its elements, are ``scalar_t``."""
        return self.single != self.double

    def __str__(self) -> str:
        return str(self.single) if self.single == self.double else f"{self.single} (or {self.double})"


def kind_of(one: Any) -> Kind:
    return Kind(one, one)


BOOL, INT, INT64, UINT32, DOUBLE, FLOAT, HALF = map(
    kind_of, (types.boolean, types.int32, types.int64, types.uint32, types.float64, types.float32, types.float16)
)
SCALAR_KIND = Kind(types.float32, types.float64)


def plain(kind: Kind) -> Kind:
    """The kind without what Numba knows of values and memory: literals, and the layout of arrays."""

    def of_one(one: Any) -> Any:
        one = types.unliteral(one)
        if isinstance(one, types.Array):
            return types.Array(one.dtype, one.ndim, "A")
        return one

    return kind.map(of_one)


def cpp_name(kind: Kind) -> str:
    """The C++ type of a number. Raises PortError, without a line, for one that C++ does not get here."""
    if kind == SCALAR_KIND:
        return SCALAR
    if kind.follows or kind.single not in NAMES:
        raise PortError(f"the type {kind} has no C++ type here; numbers of 8 to 64 bits and bool do")
    return NAMES[kind.single]


def limits(one: Any) -> Range:
    """The range of an integer type."""
    if isinstance(one, types.Boolean):
        return 0, 1
    return one.minval, one.maxval


def fits(found: Range, one: Any) -> bool:
    """Whether a type holds all values of a range; 64 bits hold a counter that has no other bound."""
    low, high = limits(one)
    if one in (types.int64, types.uint64):
        high = ENDLESS
        low = -ENDLESS if one.signed else 0
        if not all(abs(bound) == ENDLESS or limits(one)[0] <= bound <= limits(one)[1] for bound in found):
            return False
    return low <= found[0] and found[1] <= high


def usual(a: Any, b: Any) -> Any:
    """The type in which C++ computes with operands of two types: the usual arithmetic conversions."""
    floats = [one for one in (a, b) if isinstance(one, types.Float)]
    if floats:
        return max(floats, key=lambda one: one.bitwidth)
    a, b = promoted(a), promoted(b)
    width = max(a.bitwidth, b.bitwidth)
    signed = all(one.signed or one.bitwidth < width for one in (a, b))
    return {(32, True): types.int32, (64, True): types.int64, (32, False): types.uint32, (64, False): types.uint64}[
        width, signed
    ]


def promoted(one: Any) -> Any:
    """The type that C++ promotes an integer of a type to before it computes."""
    if isinstance(one, types.Boolean) or (isinstance(one, types.Integer) and one.bitwidth < 32):
        return types.int32
    return one


def unified(first: Kind, second: Kind) -> Kind | None:
    """The type of a variable or a conditional expression that has one or the other, or None if none has both values.

    int32 and int64 go together: Numba computes with either in int64.
    """
    if first == second:
        return first
    if {first, second} == {INT, INT64}:
        return INT64
    return None
