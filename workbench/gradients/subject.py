"""The function under audit: called in any dtype, at any of its inputs, with any upstream gradient."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence

import torch


def is_floating(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


class Subject:
    """The function under audit, and its inputs and upstream gradient in whatever dtype is asked for.

    ``given`` are the inputs, of which ``moving`` are differentiated by; ``names`` are theirs; ``labels`` say what a
    value and its gradients are, in this order; ``upstream`` is a float64 upstream gradient; ``counts`` names numbers of
    elements that a reduction may divide by.
    """

    def __init__(self, function: Callable, inputs: Sequence, moving: list[int], seed: int) -> None:
        self.function, self.given, self.moving, self.seed = function, inputs, moving, seed
        self.names = _names(function, inputs)
        self.labels = ["value", *(f"gradient by {self.names[i]}" for i in moving)]
        first = inputs[moving[0]]
        self.draw_upstream(function)
        self.counts = {"the output's elements": self.upstream.numel(), "the input's elements": first.numel()}
        self.counts |= {f"dimension {d}": size for d, size in enumerate(first.shape)}

    def draw_upstream(self, function: Callable) -> None:
        """Draw a random upstream gradient for what ``function`` returns here. Updates: upstream and generator."""
        self.generator = torch.Generator().manual_seed(self.seed)
        output = self.value(function, self.inputs(torch.float64))
        # of both signs, and never close to one, so that a backward which ignores it is wrong by a clear factor
        upstream = 1.25 + torch.rand(output.shape, generator=self.generator, dtype=torch.float64)
        upstream[torch.rand(output.shape, generator=self.generator) < 0.5] *= -1
        self._upstream = upstream.to(output.device)

    @property
    def upstream(self) -> torch.Tensor:
        """A copy of it, since a faulty backward may write into what it is handed."""
        return self._upstream.clone()

    def resized(self, before: int, after: int) -> Subject:
        """The same with ``after`` rows in every input that has ``before``, without an upstream gradient yet."""
        other = copy.copy(self)
        other.given = [
            x.detach()[torch.arange(after, device=x.device) % before].requires_grad_(x.requires_grad)
            if isinstance(x, torch.Tensor) and x.ndim and x.shape[0] == before
            else x
            for x in self.given
        ]
        return other

    def inputs(self, dtype: torch.dtype, through: torch.dtype | None = None) -> list:
        """The inputs in ``dtype``, rounded to ``through`` before if that is given."""
        made = []
        for i, x in enumerate(self.given):
            if is_floating(x):
                x = x.detach().to(through or dtype).to(dtype).clone().requires_grad_(i in self.moving)
            made.append(x)
        return made

    def value(self, function: Callable, inputs: Sequence) -> torch.Tensor:
        output = function(*inputs)
        if not isinstance(output, torch.Tensor):
            raise ValueError(f"audit needs a function that returns one tensor; this one returned {type(output)}")
        return output

    def pull_back(
        self,
        output: torch.Tensor,
        inputs: Sequence,
        upstream: torch.Tensor,
        moving: list[int] | None = None,
        **options: bool,
    ) -> list[torch.Tensor]:
        """The gradient by each moving input (zeros where the function does not depend on it)."""
        wanted = [inputs[i] for i in (self.moving if moving is None else moving)]
        found: Sequence[torch.Tensor | None] = [None] * len(wanted)
        if output.requires_grad and wanted:
            found = torch.autograd.grad(output, wanted, upstream, allow_unused=True, **options)
        return [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, found, strict=True)]

    def gradients(
        self, function: Callable, inputs: Sequence, upstream: torch.Tensor, moving: list[int] | None = None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The value, and the gradient by each moving input."""
        output = self.value(function, inputs)
        return output.detach(), self.pull_back(output, inputs, upstream.to(output.dtype), moving)

    # -- the same, for questions to which an exception is an answer

    def attempt(self, upstream: torch.Tensor) -> list[torch.Tensor] | Exception:
        """The gradients in float64 for an upstream gradient, or what was raised."""
        found = self.attempt_all(self.inputs(torch.float64), upstream=upstream)
        return found if isinstance(found, Exception) else found[1:]

    def attempt_all(
        self,
        inputs: Sequence,
        moving: list[int] | None = None,
        upstream: torch.Tensor | None = None,
        function: Callable | None = None,
    ) -> list[torch.Tensor] | Exception:
        """The value and the gradients by ``moving``, or what was raised."""
        try:
            value, gradients = self.gradients(
                function or self.function, inputs, self.upstream if upstream is None else upstream, moving
            )
        except Exception as problem:
            return problem
        return [value, *gradients]

    def zeros(self) -> list[torch.Tensor]:
        """A gradient of zeros by each moving input."""
        return [torch.zeros_like(self.given[i], dtype=torch.float64, requires_grad=False) for i in self.moving]


def _owner(function: Callable) -> type[torch.autograd.Function] | None:
    """The autograd.Function whose ``apply`` this is."""
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, type) and issubclass(owner, torch.autograd.Function) else None


def name_of(function: Callable) -> str:
    owner = _owner(function)
    return owner.__name__ if owner else getattr(function, "__qualname__", type(function).__name__)


def _names(function: Callable, inputs: Sequence) -> list[str]:
    """The parameters' names, for as many inputs as have one."""
    owner = _owner(function)
    try:
        parameters = inspect.signature(owner.forward if owner else function).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "ctx"]
    return [names[i] if i < len(names) else f"input {i}" for i in range(len(inputs))]
