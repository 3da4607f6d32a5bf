"""A C++ expression with what is known of its value, and its conversion to another type."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numba.core import types

from workbench.porting.kinds import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    UINT32,
    Kind,
    Range,
    cpp_name,
    fits,
    kind_of,
    limits,
    usual,
)  # fmt: skip


class Level(IntEnum):
    """How tightly C++ binds, from the loosest."""

    CONDITIONAL = 1
    OR = 2
    AND = 3
    BIT_OR = 4
    BIT_XOR = 5
    BIT_AND = 6
    EQUALITY = 7
    RELATION = 8
    SHIFT = 9
    SUM = 10
    PRODUCT = 11
    UNARY = 12
    PRIMARY = 13


class Effect(IntEnum):
    """What evaluating an expression does besides giving a value.

    One that only reads memory may be written twice; one that meets other threads of its warp may not; one that writes
    memory, or waits for threads that do, must in addition be evaluated in Python's order.
    """

    NONE = 0
    READS = 1
    MEETS = 2
    WRITES = 3


@dataclass(frozen=True)
class Expression:
    """C++ text whose value has the type ``kind`` in Numba and ``cpp`` in C++, and is the same in both.

    ``range`` is known of integers. ``natural`` says that it is not negative unless it overflowed. ``constant`` has the
    values of a constant in the float32 translation and its twin; ``bare`` is the text where its type follows from that
    of the place, as in ``scalar_t total = 0``. An author's own parentheses stay around an operand that is
    ``parenthesized``. ``left`` and ``right`` are the operands of a plain C++ operator.
    """

    code: str
    level: Level
    kind: Kind
    cpp: Kind
    range: Range | None = None
    natural: bool = False
    constant: tuple[Any, Any] | None = None
    bare: str | None = None
    effect: Effect = Effect.NONE
    parenthesized: bool = False
    left: str | None = None
    right: str | None = None

    def at(self, level: Level) -> str:
        """The text as an operand of an operator that binds as tightly as this."""
        return self.code if self.level >= level and not self.parenthesized else f"({self.code})"

    def into(self, kind: Kind) -> str:
        """The text where C++ converts to the type of the place by itself: an assignment, a return, a parameter."""
        return self.bare if self.bare is not None and self.kind == kind else self.code

    @property
    def is_simple(self) -> bool:
        return self.level == Level.PRIMARY and self.code.isidentifier()


@dataclass(frozen=True)
class Array:
    """An array: ``dims`` where it is a C array, as shared and local ones are. ``writable`` is of its elements."""

    code: str
    kind: Kind
    writable: bool
    dims: tuple[Expression, ...] | None = None

    @property
    def ndim(self) -> int:
        return self.kind.single.ndim

    @property
    def type_name(self) -> str:
        return array_type(self.kind, self.writable)


def array_type(kind: Kind, writable: bool) -> str:
    """The C++ type of a view, such as ``Array<const scalar_t, 2>``."""
    return f"Array<{'' if writable else 'const '}{cpp_name(kind.element)}, {kind.single.ndim}>"


def literal(value: Any, text: str | None = None) -> Expression:
    """A number that is the same in both translations; ``text`` is as its author wrote it."""
    if isinstance(value, bool):
        return Expression(
            "true" if value else "false", Level.PRIMARY, BOOL, BOOL, (int(value),) * 2, True, (value,) * 2
        )
    level = Level.UNARY if value < 0 or (isinstance(value, float) and math.copysign(1, value) < 0) else Level.PRIMARY
    if isinstance(value, int):
        code = text or (hex(value) if value > 0xFFFF and value & (value + 1) == 0 else str(value))
        kind = kind_of(types.int64 if value < 2**63 else types.uint64)
        cpp = INT if -(2**31) <= value < 2**31 else kind
        if code.startswith("0x") and 2**31 <= value < 2**32:
            cpp = UINT32  # hexadecimal: C++ takes an unsigned type where the signed one is too small
        return Expression(code, level, kind, cpp, (value, value), value >= 0, (value, value))
    code, cpp = _of_float(value)
    return Expression(code, level, DOUBLE, cpp, constant=(value, value))


def _of_float(value: float) -> tuple[str, Kind]:
    if math.isnan(value):
        return "NAN", FLOAT
    if math.isinf(value):
        return ("-" if value < 0 else "") + "INFINITY", FLOAT
    return repr(float(value)), DOUBLE


def typed(e: Expression, kind: Kind) -> Expression:
    """The expression in exactly this C++ type."""
    if e.cpp == kind:
        return replace(e, kind=kind)
    if e.constant is not None and e.bare is None and not e.code.isidentifier():
        respelled = _respelled(e, kind)
        if respelled is not None:
            return respelled
    return cast(e, kind)


def _respelled(e: Expression, kind: Kind) -> Expression | None:
    """A literal in another type, where C++ has a literal of that type."""
    value = e.constant[0]
    if isinstance(value, bool) or not math.isfinite(value) or abs(value) >= 2**53:
        return None
    if kind == DOUBLE and isinstance(value, int):
        return replace(literal(float(value)), kind=kind, cpp=kind)
    if kind == FLOAT:
        found = converted(e.constant, kind)
        return replace(e, code=f"{float(value)!r}f", kind=kind, cpp=kind, range=None, constant=found)
    return None


def converted(constant: tuple[Any, Any], kind: Kind) -> tuple[Any, Any]:
    """The values that a constant has in another type, in each translation."""

    def of_one(value: Any, one: Any) -> Any:
        if one == types.float32:
            return float(np.float32(value))
        if one == types.float64:
            return float(value)
        if isinstance(one, types.Boolean):
            return bool(value)
        return value

    return of_one(constant[0], kind.single), of_one(constant[1], kind.double)


def cast(e: Expression, kind: Kind) -> Expression:
    """The expression converted, as in ``double(x)``; the bare text is the one before."""
    bare, constant = None, None
    if e.constant is not None and kind.is_float:
        bare, constant = e.code, converted(e.constant, kind)
    found = e.range if kind.is_integer and e.range is not None and fits(e.range, kind.single) else None
    if kind.is_integer and found is None:
        found = limits(kind.single)
    natural = kind.is_integer and (found[0] >= 0 or (e.natural and e.kind.is_integer))
    return Expression(
        f"{cpp_name(kind)}({e.code})", Level.PRIMARY, kind, kind, found, natural, constant, bare, e.effect
    )


def computed(a: Expression, b: Expression) -> Kind:
    """The type in which C++ computes with two operands."""
    return Kind(usual(a.cpp.single, b.cpp.single), usual(a.cpp.double, b.cpp.double))


def order(a: Expression, b: Expression) -> Effect | None:
    """What evaluating both does, or None if the result depends on which comes first: C++ does not fix that."""
    if max(a.effect, b.effect) == Effect.WRITES and min(a.effect, b.effect) > Effect.NONE:
        return None
    return max(a.effect, b.effect)
