"""The errors of a tensor's elements laid out in two dimensions, in at most so many cells as an eye can tell apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from workbench.gradients.check import Check
from workbench.gradients.fault import Fault
from workbench.gradients.pattern import pattern

CELLS = 128
"""Cells of a map along each of its sides, at most."""

WIDTHS = (32, 256, 1024)
"""Elements in a row of a folded one-dimensional tensor: a warp, a block, or the largest block."""


@dataclass(frozen=True)
class ErrorMap:
    """``cells`` [rows, columns] holds the largest error in ulps of ``block`` (rows, columns) elements each.

    It is NaN where there is no element. ``first`` is the index of the first wrong element and ``place`` its row and
    column in elements; ``step`` is how far the numbers on the axes go with a row; ``axes`` says what rows and columns
    are; ``wrong`` counts the wrong elements of ``shape``; ``pattern`` says which they are.
    """

    question: str
    label: str
    cells: torch.Tensor
    block: tuple[int, int]
    allowed: float
    shape: tuple[int, ...]
    wrong: int
    pattern: str
    first: tuple[int, ...]
    place: tuple[int, int]
    step: int
    axes: tuple[str, str]

    @property
    def title(self) -> str:
        total, verb = math.prod(self.shape), "is" if self.wrong == 1 else "are"
        return f"{self.question}: {self.wrong:,} of {total:,} elements {verb} wrong"

    @property
    def caption(self) -> str:
        """What the map shows, in words."""
        reduced = f" Here {self.reduced}." if self.reduced else ""
        return f"{self.title}{self.pattern}; the first is at {list(self.first)}.{reduced}"

    @property
    def reduced(self) -> str:
        """How many elements a cell stands for, if not for one."""
        down, across = self.block
        return "" if down == across == 1 else f"a cell has the largest error of {down:,} by {across:,} elements"


def error_map(check: Check) -> ErrorMap:
    """The map of an answer that has a ``fault`` of at least one element."""
    fault: Fault = check.fault
    error = fault.error
    wrong = error > fault.allowed
    first = tuple(int(k) for k in wrong.nonzero()[0])
    flat, axes, step = _fold(error)
    columns = flat.shape[1]
    at = int(wrong.flatten().nonzero()[0])
    block = tuple(power_of_two(size / CELLS) for size in flat.shape)
    return ErrorMap(
        question=check.question,
        label=fault.label,
        cells=_largest(flat, block),
        block=block,
        allowed=fault.allowed,
        shape=tuple(error.shape),
        wrong=int(wrong.sum()),
        pattern=pattern(wrong),
        first=first,
        place=(at // columns, at % columns),
        step=step,
        axes=axes,
    )


def _fold(error: torch.Tensor) -> tuple[torch.Tensor, tuple[str, str], int]:
    """The elements in rows, NaN after the last one; what rows and columns are; elements from one row to the next."""
    long = [d for d, size in enumerate(error.shape) if size > 1]
    if len(long) > 1:
        *folded, last = long
        rows = f"dimension {folded[0]}" if len(folded) == 1 else f"dimensions {', '.join(map(str, folded))}, folded"
        return error.reshape(-1, error.shape[last]), (rows, f"dimension {last}"), 1
    n = error.numel()
    width = min(n, next((w for w in WIDTHS if n <= w * w), WIDTHS[-1]))
    rows = -(-n // width)
    padded = torch.full((rows * width,), math.nan, dtype=error.dtype)
    padded[:n] = error.flatten()
    warp = " (a warp)" if width == 32 else ""
    return padded.reshape(rows, width), ("from element", f"element in its row of {width:,}{warp}"), width


def power_of_two(least: float) -> int:
    """The smallest power of two that is not below; blocks of that many keep in step with warps."""
    return 1 << max(0, math.ceil(math.log2(least)))


def _largest(flat: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    """The largest of each block of elements; NaN where a block has none."""
    down, across = (-(-size // b) for size, b in zip(flat.shape, block, strict=True))
    whole = torch.full((down * block[0], across * block[1]), -math.inf, dtype=flat.dtype)
    whole[: flat.shape[0], : flat.shape[1]] = flat.nan_to_num(-math.inf, math.inf)
    largest = whole.reshape(down, block[0], across, block[1]).amax((1, 3))
    return largest.masked_fill(largest == -math.inf, math.nan)
