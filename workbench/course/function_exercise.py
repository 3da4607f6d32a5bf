"""An exercise whose answer is a function of tensors: run sanitized, its values compared, its gradient audited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workbench.course.exercise import Exercise, Wrong
from workbench.course.kernel_exercise import SIZES
from workbench.course.values import Mistake, compare
from workbench.gradients.audit import audit
from workbench.gradients.notes import notes
from workbench.recording import recorded
from workbench.sanitizer import sanitize


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionExercise(Exercise):
    """The answer is an ``autograd.Function``, or a function of tensors; both are called with ``inputs(n)``.

    ``reference(*inputs)`` is the same in plain torch. ``gradient`` is whether the gradient is part of the task, and
    ``kernels`` whether the answer has to launch some; ``kinks`` are the audit's. ``also`` are further demands of an
    answer that is right: each takes the function and its inputs and says what is wrong with it, or None.
    """

    inputs: Callable[[int], tuple[Any, ...]]
    reference: Callable[..., Any]
    sizes: Sequence[int] = SIZES
    allowed: float = 64
    gradient: bool = True
    kernels: bool = True
    kinks: dict[str, list[float | str]] | None = None
    mistakes: Sequence[Mistake] = ()
    also: Sequence[Callable[[Callable, tuple[Any, ...]], str | None]] = ()

    def _try(self, answer: Any) -> str:
        if not callable(answer):
            raise Wrong(f"the answer is a {type(answer).__name__}, and should be a function, or an autograd.Function.")
        function = getattr(answer, "apply", answer)
        for n in self.sizes:
            self._compare(function, self.inputs(n), n)
        tried = f"It was called for n = {', '.join(f'{n:,}' for n in self.sizes)}; every value is right"
        if self.gradient:
            found = audit(function, *self.inputs(max(self.sizes)), reference=self.reference, kinks=self.kinks)
            if not found.passed:
                raise Wrong(*notes(found.wrong))
            tried += f", and all {len(found.checks)} answers of the audit are"
        for demand in self.also:
            said = demand(function, self.inputs(max(self.sizes)))
            if said:
                raise Wrong(said)
        return f"{tried}."

    def _compare(self, function: Callable, inputs: tuple[Any, ...], n: int) -> None:
        with sanitize() as findings:
            with recorded() as launches:
                results = function(*inputs)
            if self.gradient:
                _backward(results)
        if findings:
            raise Wrong(f"with n = {n:,}:", *map(str, findings[:2]))
        if self.kernels and not launches:
            raise Wrong("no kernel was launched: compute the value in a kernel of your own, by wb.launch.")
        results = results if isinstance(results, tuple) else (results,)
        for result in results:
            if not isinstance(result, torch.Tensor):
                raise Wrong(f"it returns a {type(result).__name__}, and should return a tensor.")
        names = ["the result"] if len(results) == 1 else [f"result {k}" for k in range(len(results))]
        got = tuple(result.detach() for result in results)
        compare(names, got, inputs, self.reference, self.mistakes, self.allowed, f"with n = {n:,}")


def _backward(results: Any) -> None:
    """Go backward, so that those kernels are watched too; what they compute is the audit's affair."""
    several = results if isinstance(results, tuple) else (results,)
    used = [x for x in several if isinstance(x, torch.Tensor) and x.requires_grad]
    if used:
        torch.autograd.backward(used, [torch.ones_like(x) for x in used])
