"""The exercises of the notebook on speed: what the compiler says of a kernel, and bytes counted by hand."""

from __future__ import annotations

from typing import Any

import torch

from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.value_exercise import ValueExercise
from workbench.course.values import Mistake
from workbench.inspection.report import CompileReport, report
from workbench.launch import blocks

ROWS, COLUMNS = 4096, 1024


def _reported(kernel: Any, case: Case) -> CompileReport:
    return report(kernel[case.grid, case.block], *case.inputs, *case.outputs)


def no_float64(kernel: Any, case: Case) -> str | None:
    """A demand: that no float64 leaks in."""
    leaks = _reported(kernel, case).leaks
    if not leaks:
        return None
    said = [f"line {leak.place.line}: {leak.reason}; {leak.fix}" for leak in leaks]
    return "\n".join(["every element is right, and part of the kernel computes in float64:", *said])


def side_by_side(kernel: Any, case: Case) -> str | None:
    """A demand: that no access of global memory is strided or scattered."""
    far = [one for one in _reported(kernel, case).accesses if one.kind in ("strided", "irregular", "gather")]
    if not far:
        return None
    said = [f"line {one.place.line}: the {one.what} of {one.text} is {one.pattern}" for one in far]
    return "\n".join(["every element is right, and threads of a warp do not touch memory side by side:", *said])


def _cauchy(n: int) -> Case:
    x, y = 2 * torch.randn(2, n, 12, generator=torch.Generator().manual_seed(n))
    return Case((x, y), (unwritten(n),), blocks(n), 256)


def _scaled(n: int) -> Case:
    x = torch.randn(n, n + 3, generator=torch.Generator().manual_seed(n))
    factor = torch.arange(1.0, n + 4)
    largest = -(-(n + 3) // 8)
    return Case((x, factor), (unwritten(n, n + 3),), (largest, largest), (32, 8))


EXERCISES = (
    KernelExercise(
        name="one precision",
        task="Let `cauchy_kernel` compute the same, in float32 alone.",
        case=_cauchy,
        reference=lambda x, y: torch.log1p((x - y) ** 2).mean(1),
        mistakes=(
            Mistake(
                lambda x, y: torch.log1p((x - y) ** 2).sum(1),
                "that is the sum over each row; its mean is asked for.",
            ),
        ),
        also=(no_float64,),
    ),
    KernelExercise(
        name="neighbours",
        task="Let threads that follow each other along `threadIdx.x` take elements that follow each other in memory.",
        case=_scaled,
        reference=lambda x, factor: x * factor,
        sizes=(1, 31, 32, 33, 100, 0),
        mistakes=(
            Mistake(
                lambda x, factor: x * factor[: len(x), None],
                "each row is scaled by its factor; it is the columns that have one each.",
            ),
        ),
        also=(side_by_side,),
    ),
    ValueExercise(
        name="bytes moved",
        task="How many bytes does `out[i, j] = x[i, j] + bias[j]` have to move, in float32, with x [4096, 1024]?",
        value=4 * (2 * ROWS * COLUMNS + COLUMNS),
        because=(
            "x is read once and out written once, 4,096 × 1,024 elements of 4 bytes each, and the bias is 1,024 more. "
            "That is one addition for 8 bytes: bandwidth decides."
        ),
        mistakes={
            4 * (ROWS * COLUMNS + COLUMNS): "out has to be written, too.",
            4 * 2 * ROWS * COLUMNS: "nearly: the bias is read as well, once.",
            4 * ROWS * COLUMNS: "that is x alone; out has to be written, too, and the bias read.",
            4 * 3 * ROWS * COLUMNS: "the bias has 1,024 elements; after its first use it need not come again.",
            2 * ROWS * COLUMNS + COLUMNS: "those are elements; each has 4 bytes.",
            8 * (2 * ROWS * COLUMNS + COLUMNS): "a float32 has 4 bytes, not 8.",
        },
    ),
)
