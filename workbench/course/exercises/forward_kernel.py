"""The exercises of the notebook on the forward kernel."""

from __future__ import annotations

import math

import torch

from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.value_exercise import ValueExercise
from workbench.course.values import Mistake
from workbench.launch import blocks

LARGE_FIRST = (1000, 257, 33, 32, 31, 1, 0)
"""So that the first sentence a reader gets is of a launch of several blocks."""


def _random(n: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, n, generator=torch.Generator().manual_seed(n))


def _shift(n: int) -> Case:
    return Case((_random(n),), (unwritten(n),), blocks(n, 256), 256)


def _shifted(x: torch.Tensor, first: float = 0.0) -> torch.Tensor:
    return torch.cat((x.new_full((min(len(x), 1),), first), x[:-1]))


def _few_blocks(n: int) -> int:
    """Fewer than the elements need, and not always the same number."""
    return 1 + n % 3


def _stride(n: int) -> Case:
    x, y = _random(n, 2)
    return Case((x, y), (unwritten(n),), _few_blocks(n), 32)


def _hinge(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (1 - x * y).clamp(min=0)


def _hinge_of_one_each(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    loss = _hinge(x, y)
    loss[32 * _few_blocks(len(x)) :] = math.nan
    return loss


TILE = 8


def _pairs(n: int) -> Case:
    columns = 2 * n + 5
    inputs = _random(n), _random(columns)
    return Case(inputs, (unwritten(n, columns),), (blocks(columns, TILE), blocks(n, TILE)), (TILE, TILE))


def _difference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x[:, None] - y


def _difference_row_first(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = _difference(x, y)
    out[:, TILE * blocks(len(x), TILE) :] = math.nan
    return out


EXERCISES = (
    ValueExercise(
        name="idle threads",
        task="How many threads of `wb.blocks(1000, 384)` blocks of 384 have no element, if each takes one of 1,000?",
        value=152,
        because="1,000 / 384 is 2.6, so there are 3 blocks with 1,152 threads, and 152 of them stop at the guard.",
        mistakes={
            232: "That is how many threads of the last block do have an element: 1,000 - 2 · 384.",
            1152: "That is how many threads there are. A thousand of them have an element.",
            24: "That is so with blocks of 256. Here a block has 384 threads.",
            0: "Blocks come whole: 2 blocks have too few threads for 1,000 elements, and 3 have too many.",
        },
    ),
    KernelExercise(
        name="shift",
        task="`out[i]` is `x[i - 1]`, and `out[0]` is 0.",
        case=_shift,
        reference=_shifted,
        sizes=LARGE_FIRST,
        allowed=0,
        mistakes=(
            Mistake(lambda x: x, "Each element is where it was: thread i has to read x[i - 1]."),
            Mistake(
                lambda x: x.roll(1),
                "Thread 0 read x[-1], which is the last element: a negative index counts from the end, in a kernel "
                "too, and nothing warns of it. Let thread 0 write 0 without reading.",
            ),
            Mistake(
                lambda x: _shifted(x, math.nan),
                "Thread 0 has nothing to read, but it has to write: out[0] is 0.",
            ),
            Mistake(
                lambda x: torch.cat((x[1:], x.new_zeros(1))),
                "That is a shift to the other side: out[1] should be x[0].",
            ),
        ),
    ),
    KernelExercise(
        name="grid stride",
        task="`loss[i]` is `max(0, 1 - x[i] * y[i])`, for any number of elements in any grid.",
        case=_stride,
        reference=_hinge,
        sizes=LARGE_FIRST,
        mistakes=(
            Mistake(
                _hinge_of_one_each,
                "There are fewer threads than elements, and each took one: go on from cuda.grid(1) in steps of "
                "cuda.gridsize(1), the number of threads in the whole grid.",
            ),
            Mistake(lambda x, y: 1 - x * y, "The loss is never below 0."),
        ),
    ),
    KernelExercise(
        name="all pairs",
        task="`out[row, column]` is `x[row] - y[column]`.",
        case=_pairs,
        reference=_difference,
        sizes=(33, 8, 1, 100, 0),
        mistakes=(
            Mistake(
                _difference_row_first,
                "There are blocks enough, but they lie along the other side: cuda.grid(2) gives x first, and the check "
                "has x along the columns, so it is `column, row = cuda.grid(2)`.",
            ),
            Mistake(lambda x, y: x[:, None].expand(-1, len(y)), "Subtract y[column]."),
        ),
    ),
)
