"""An exercise whose answer is a kernel: launched at several sizes, sanitized, and its outputs compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workbench import numba_cuda
from workbench.course.exercise import Exercise, Wrong
from workbench.course.values import Mistake, compare
from workbench.kernel import describe
from workbench.launch import launch
from workbench.sanitizer import sanitize

SIZES = (1, 31, 32, 33, 257, 1000, 0)
"""Those about a warp and one past a block of 256 threads."""


@dataclass(frozen=True)
class Case:
    """One launch of an answer, ``kernel[grid, block](*inputs, *outputs)``, on CPU tensors and scalars.

    The outputs come as the launch finds them: full of NaN, unless the kernel adds to what is there.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[torch.Tensor, ...]
    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]

    def launched(self, kernel: Any) -> None:
        """Updates: the outputs."""
        launch(kernel[self.grid, self.block], *self.inputs, *self.outputs)


def unwritten(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """An output in which an element that no thread wrote shows: NaN, or of an integer type -7777."""
    return torch.full(shape, math.nan if dtype.is_floating_point else -7777, dtype=dtype)


@dataclass(frozen=True, kw_only=True, repr=False)
class KernelExercise(Exercise):
    """The answer is a kernel of inputs, then outputs.

    ``case(n)`` makes a launch of size n, ``reference(*inputs)`` what the outputs should be, within ``allowed`` ulps.
    ``also`` are further demands of a kernel that computes the right thing: each takes it and a Case and says what is
    wrong with it, or None.
    """

    case: Callable[[int], Case]
    reference: Callable[..., Any]
    sizes: Sequence[int] = SIZES
    allowed: float = 64
    mistakes: Sequence[Mistake] = ()
    also: Sequence[Callable[[Any, Case], str | None]] = ()

    def _try(self, answer: Any) -> str:
        if not numba_cuda.is_kernel(answer) or numba_cuda.is_device_function(answer):
            raise Wrong(f"the answer is a {type(answer).__name__}, and should be a kernel: a function under @cuda.jit.")
        names = describe(answer).parameters
        for n in self.sizes:
            case = self.case(n)
            expected = len(case.inputs) + len(case.outputs)
            if len(names) != expected:
                raise Wrong(f"the kernel should take {expected} arguments, and takes {len(names)}: {', '.join(names)}.")
            self._compare(answer, names, case, n)
        for demand in self.also:
            said = demand(answer, self.case(max(self.sizes)))
            if said:
                raise Wrong(said)
        sizes = ", ".join(f"{n:,}" for n in self.sizes)
        return f"It was launched for n = {sizes}; every element is right, and the sanitizer has nothing to say."

    def _compare(self, kernel: Any, names: Sequence[str], case: Case, n: int) -> None:
        where = f"with n = {n:,}, in {_product(case.grid, 'block')} of {_product(case.block, 'thread')}"
        before = tuple(x.clone() if isinstance(x, torch.Tensor) else x for x in case.inputs)
        with sanitize() as findings:
            case.launched(kernel)
        if findings:
            raise Wrong(f"{where}:", *map(str, findings[:2]))
        for name, now, then in zip(names, case.inputs, before, strict=False):
            if isinstance(now, torch.Tensor) and not torch.equal(now, then):
                raise Wrong(f"{where}: the kernel writes into {name}, which is an input: read it, and write elsewhere.")
        outputs = names[len(case.inputs) :]
        compare(outputs, case.outputs, before, self.reference, self.mistakes, self.allowed, where)


def _product(dimensions: int | tuple[int, ...], noun: str) -> str:
    sizes = dimensions if isinstance(dimensions, tuple) else (dimensions,)
    return f"{' x '.join(map(str, sizes))} {noun}{'' if math.prod(sizes) == 1 else 's'}"
