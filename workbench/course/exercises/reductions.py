"""The exercises of the notebook on reductions."""

from __future__ import annotations

from typing import Any

import torch

from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.values import Mistake
from workbench.executors.cpu.trace import ATOMIC, Trace
from workbench.launch import blocks
from workbench.stepping import trace

BLOCK, WARP, DOT_BLOCK = 64, 32, 128


def _positive(n: int, *shape: int) -> torch.Tensor:
    """Numbers whose sum does not cancel."""
    return torch.rand(*shape, n, generator=torch.Generator().manual_seed(n)) + 0.1


def _recorded(kernel: Any, case: Case) -> Trace:
    return trace(kernel[case.grid, case.block], *case.inputs, *(o.clone() for o in case.outputs), block=None)


def _block_sums(n: int) -> Case:
    grid = blocks(n, BLOCK)
    return Case((_positive(n),), (unwritten(grid),), grid, BLOCK)


def _sums_of(x: torch.Tensor, each: int, count: int) -> torch.Tensor:
    padded = x.new_zeros(count * each)
    padded[: len(x)] = x
    return padded.view(count, each).sum(1)


def _rows(columns: int) -> Case:
    """Three rows: of both signs, below zero, above zero."""
    x = torch.randn(3, columns, generator=torch.Generator().manual_seed(columns))
    x[1] = -1 - x[1].abs()
    x[2] = 1 + x[2].abs()
    return Case((x,), (unwritten(3),), 3, BLOCK)


def _warp_sums(n: int) -> Case:
    grid = blocks(n, BLOCK)
    return Case((_positive(n),), (unwritten(grid * BLOCK // WARP),), grid, BLOCK)


def _sums_of_warps(x: torch.Tensor, lanes: int = WARP) -> torch.Tensor:
    """The sum of the first ``lanes`` lanes of each warp."""
    count = blocks(len(x), BLOCK) * BLOCK // WARP
    padded = x.new_zeros(count * WARP)
    padded[: len(x)] = x
    return padded.view(count, WARP)[:, :lanes].sum(1)


def _without_shared_memory(kernel: Any, case: Case) -> str | None:
    run = _recorded(kernel, case)
    if any(access.space == "shared" for access in run.accesses):
        return "That is right, and it goes by shared memory. Lanes can hand values over without: cuda.shfl_down_sync."
    if any(access.kind == ATOMIC for access in run.accesses):
        return "That is right, and the lanes queue for an atomic addition. Let them add by cuda.shfl_down_sync."
    return None


def _dot(n: int) -> Case:
    x, y = _positive(n, 2)
    return Case((x, y), (torch.zeros(1),), 1 + n % 3, DOT_BLOCK)


def _product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x * y).sum().view(1)


def _product_of_one_each(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return _product(*(v[: (1 + len(x) % 3) * DOT_BLOCK] for v in (x, y)))


def _down(lanes: torch.Tensor) -> torch.Tensor:
    """What five shuffles down leave in each of the 32 lanes: the last ones get their own value back."""
    for offset in (16, 8, 4, 2, 1):
        lanes = lanes + torch.cat((lanes[..., offset:], lanes[..., -offset:]), -1)
    return lanes


def _product_by_every_thread(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Every thread adds what ``block_sum`` leaves in it, which is the sum in thread 0 alone."""
    threads = (1 + len(x) % 3) * DOT_BLOCK
    shares = x.new_zeros(blocks(len(x), threads) * threads)
    shares[: len(x)] = x * y
    lanes = _down(shares.view(-1, threads // DOT_BLOCK, DOT_BLOCK // WARP, WARP).sum(0))
    of_warps = lanes.new_zeros(len(lanes), WARP)
    of_warps[:, : DOT_BLOCK // WARP] = lanes[..., 0]
    lanes[:, 0] = _down(of_warps)
    return lanes.sum().view(1)


def _one_atomic_a_block(kernel: Any, case: Case) -> str | None:
    run = _recorded(kernel, case)
    count = sum(access.kind == ATOMIC for access in run.accesses)
    if count > case.grid:
        return (
            f"That is right, with {count:,} atomic additions in {case.grid} blocks. Add up within each block first, "
            "and let thread 0 add that to the total: one a block."
        )
    return None


EXERCISES = (
    KernelExercise(
        name="barriers",
        task="`sums[block]` is the sum of the block's 64 elements, by a tree whose barriers are where they should be.",
        case=_block_sums,
        reference=lambda x: _sums_of(x, BLOCK, blocks(len(x), BLOCK)),
        sizes=(1000, 64, 63, 1, 0),
    ),
    KernelExercise(
        name="block max",
        task="`out[row]` is the largest element of the row, found by one block of 64 threads.",
        case=_rows,
        reference=lambda x: x.amax(1),
        sizes=(1000, 65, 64, 33, 1),
        allowed=0,
        mistakes=(
            Mistake(
                lambda x: x[:, ::BLOCK].amax(1).clamp(min=0),
                "That is the largest of what thread 0 looked at, columns 0, 64, 128 and so on, or 0 where they are all "
                "below it. The other threads have found something too: meet in shared memory. And begin with "
                "-math.inf, not with 0.",
            ),
            Mistake(
                lambda x: x[:, ::BLOCK].amax(1),
                "That is the largest of what thread 0 looked at, columns 0, 64, 128 and so on. The other threads have "
                "found something too: meet in shared memory.",
            ),
            Mistake(
                lambda x: x.amax(1).clamp(min=0),
                "A row below zero comes out as 0: the largest of nothing is -math.inf, so begin with that.",
            ),
            Mistake(
                lambda x: x[:, :BLOCK].amax(1),
                "A row may have more columns than the block has threads: let each take every 64th.",
            ),
        ),
    ),
    KernelExercise(
        name="warp sum",
        task="`sums[warp]` is the sum of the elements of its 32 lanes, without shared memory.",
        case=_warp_sums,
        reference=_sums_of_warps,
        sizes=(1000, 257, 64, 33, 32, 31, 1, 0),
        mistakes=(
            Mistake(lambda x: _sums_of_warps(x, 1), "That is lane 0's own element. It has to get those of the others."),
            Mistake(
                lambda x: _sums_of_warps(x, 16),
                "That is the sum of the first 16 lanes: begin with an offset of 16, so that lane 0 gets lane 16's.",
            ),
            Mistake(lambda x: _sums_of_warps(x, 2), "That is the sum of two lanes: it takes five shuffles for 32."),
        ),
        also=(_without_shared_memory,),
    ),
    KernelExercise(
        name="dot product",
        task="`total[0]` becomes the sum of all `x[i] * y[i]`, with one atomic addition for each block of 128 threads.",
        case=_dot,
        reference=_product,
        sizes=(1000, 257, 128, 33, 1, 0),
        mistakes=(
            Mistake(
                _product_of_one_each,
                "There are fewer threads than elements, and each took one: let it walk on in steps of "
                "cuda.gridsize(1).",
            ),
            Mistake(lambda x, y: x.new_zeros(1), "Nothing was added to total."),
            Mistake(
                _product_by_every_thread,
                "Every thread of a block adds to total, and the sum of the block is in thread 0 alone: let that one "
                "add.",
            ),
            Mistake(
                lambda x, y: DOT_BLOCK * _product(x, y),
                "All 128 threads of a block add the block's sum to total: let thread 0 alone do it.",
            ),
        ),
        also=(_one_atomic_a_block,),
    ),
)
