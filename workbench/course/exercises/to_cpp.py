"""The exercises of the notebook on C++: what can be translated and ported, and how C++ divides."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.value_exercise import ValueExercise
from workbench.course.values import Mistake
from workbench.errors import PortError
from workbench.launch import blocks
from workbench.porting.one_kernel import translate
from workbench.porting.port import port

STEP = 3


def translates(kernel: Any, case: Case) -> str | None:
    """A demand: that the kernel can be said in C++, for float32 and for float64."""
    try:
        found = translate(kernel, *case.inputs, *case.outputs)
    except PortError as refused:
        said = re.sub(r"^.*:(\d+): \w+: ", r"line \1: ", str(refused))
        return f"every element is right, and it cannot be translated yet:\n{said}"
    alone = [warning for warning in found.warnings if "float32 alone" in warning]
    if alone:
        return (
            "every element is right, and it is translated for float32 alone: begin with x.dtype.type(0), which has the "
            "type of the array's elements, whichever that is."
        )
    return None


def portable(function: Callable, inputs: tuple[Any, ...]) -> str | None:
    """A demand: that wb.port takes the function."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            port(function, *inputs, to=Path(folder) / "answer")
        except PortError as refused:
            return f"every value is right, and wb.port refuses it:\n{refused}"
    return None


def _spaced(n: int) -> Case:
    x = torch.randn(n, generator=torch.Generator().manual_seed(n)).abs()
    return Case((x, STEP), (unwritten(n),), blocks(n), 256)


def _spaced_sums(x: torch.Tensor, step: int) -> torch.Tensor:
    return torch.stack([x[i::step].sum() for i in range(len(x))]) if len(x) else x


EXERCISES = (
    KernelExercise(
        name="translate",
        task="Mend `spaced_sums_kernel` until `wb.translate` takes it, for float32 and float64 alike.",
        case=_spaced,
        reference=_spaced_sums,
        mistakes=(
            Mistake(
                lambda x, step: torch.stack([x[i:].sum() for i in range(len(x))]) if len(x) else x,
                "every element from i on is added; it should be each `step`-th.",
            ),
        ),
        also=(translates,),
    ),
    ValueExercise(
        name="minus seven",
        task="What are -7 // 2 in Python, -7 / 2 in C++, -7 % 3 in Python, and -7 % 3 in C++?",
        value=(-4, -3, 2, -1),
        because=(
            "Python rounds a quotient down, to -4, and C++ towards zero, to -3. Either way a is b * quotient + "
            "remainder: -7 is 3 * -3 + 2 in Python, and 3 * -2 - 1 in C++."
        ),
        mistakes={
            (-4, -4, 2, 2): "Python is right; C++ cuts a quotient off towards zero, and its remainder goes with it.",
            (-3, -3, -1, -1): "C++ is right; Python rounds a quotient down, and its remainder has the sign of the 3.",
            (-3, -4, -1, 2): "it is the other way round: Python is the one that rounds down.",
            (-4, -3, -1, 2): "the quotients are right; the remainders are the other way round.",
            (-3.5, -3.5, 2, -1): "the remainders are right; integers divided by // and by C++'s / give integers.",
        },
    ),
    FunctionExercise(
        name="portable",
        task="Rewrite `cubed` so that `wb.port` takes it.",
        inputs=lambda n: (torch.randn(n, generator=torch.Generator().manual_seed(n)),),
        reference=lambda x: x**3,
        sizes=(1, 33, 1000),
        gradient=False,
        also=(portable,),
    ),
)
