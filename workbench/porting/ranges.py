"""Ranges of integers: what an operation makes of the ranges of its operands."""

from __future__ import annotations

from workbench.porting.kinds import ENDLESS, Range

ELEMENTS = 2**47
"""More elements than an array can have: the memory that a pointer reaches, in bytes."""

LONGEST_STEP = 2 * ELEMENTS

SIZE = (0, ELEMENTS)

BLOCK_SIZES = {"x": 1024, "y": 1024, "z": 64}
GRID_SIZES = {"x": 2**31 - 1, "y": 65535, "z": 65535}
COORDINATES = {"threadIdx": BLOCK_SIZES, "blockDim": BLOCK_SIZES, "blockIdx": GRID_SIZES, "gridDim": GRID_SIZES}
"""The largest size that each of CUDA's own variables is, or is a place in, along each axis."""


def coordinate(space: str, axis: str) -> Range:
    """The range of ``threadIdx.x`` and the like."""
    size = COORDINATES[space][axis]
    return (1, size) if space.endswith("Dim") else (0, size - 1)


GRID = (0, 2**41)
"""A thread's place in the grid, and the size of the grid."""


def combined(symbol: str, a: Range, b: Range) -> Range | None:
    """The range of ``a symbol b`` in Python's unbounded integers; None where it is not known."""
    if symbol in ("+", "-"):
        return _sum(a, b if symbol == "+" else (-b[1], -b[0]))
    a, b = _ended(a), _ended(b)
    if symbol == "*":
        corners = [x * y for x in a for y in b]
        return min(corners), max(corners)
    if symbol == "//":
        return _quotient(a, b)
    if symbol == "%":
        return _remainder(a, b)
    if symbol == "<<":
        if b[0] >= 0 and b[1] <= 63:
            corners = [x << y for x in a for y in b]
            return min(corners), max(corners)
        return None
    if symbol == ">>":
        if b[0] >= 0 and b[1] <= 63:
            corners = [x >> y for x in a for y in b]
            return min(corners), max(corners)
        return min(a[0], 0), max(a[1], -1)
    return _bits(symbol, a, b)


def _ended(a: Range) -> Range:
    return max(a[0], -(2**63)), min(a[1], 2**63 - 1)


def _sum(a: Range, b: Range) -> Range:
    return _bound(a[0], b[0]), _bound(a[1], b[1])


def _bound(a: int, b: int) -> int:
    """A counter without a bound has none after a step either; two of them may overflow when they are added."""
    for counter, step in ((a, b), (b, a)):
        if abs(counter) == ENDLESS and abs(step) <= LONGEST_STEP:
            return counter
    return a + b


def _quotient(a: Range, b: Range) -> Range | None:
    if b[0] <= 0 <= b[1]:
        if a[0] >= 0 and b[0] >= 0:
            return 0, a[1]
        return None
    corners = [x // y for x in a for y in b]
    return min(corners), max(corners)


def _remainder(a: Range, b: Range) -> Range | None:
    """Of Python's ``%``, which has the sign of the divisor; a divisor of 0 gives 0."""
    if b[0] >= 0:
        high = max(b[1] - 1, 0)
        return 0, min(a[1], high) if a[0] >= 0 else high
    if b[1] <= 0:
        return min(b[0] + 1, 0), 0
    return min(b[0] + 1, 0), max(b[1] - 1, 0)


def _bits(symbol: str, a: Range, b: Range) -> Range | None:
    if symbol == "&":
        known = [one for one in (a, b) if one[0] >= 0]
        return (0, min(one[1] for one in known)) if known else None
    if a[0] < 0 or b[0] < 0:
        return None
    return 0, (1 << max(a[1], b[1]).bit_length()) - 1


def joined(a: Range | None, b: Range | None) -> Range | None:
    """The range of a value that is in one or the other."""
    return None if a is None or b is None else (min(a[0], b[0]), max(a[1], b[1]))


def widened(before: Range, now: Range) -> Range:
    """A range that grew from one pass to the next, let go to where it grows to: down to 0, or without a bound."""
    low = before[0] if now[0] >= before[0] else 0 if now[0] >= 0 else -ENDLESS
    return low, (before[1] if now[1] <= before[1] else ENDLESS)


def narrowed(a: Range, b: Range) -> Range:
    """The range of a value that is in both; ``a`` where there is none."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else a
