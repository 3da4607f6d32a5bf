"""The function under audit: called in any dtype, at any of its inputs, with any upstream gradient."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence

import torch

Upstream = list[torch.Tensor | None]
"""An upstream gradient for each value of a function, None where that value is unused."""


def is_floating(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


class MisshapenValue(Exception):
    """Says that a function returned values of other shapes than its upstream gradients, or another number of them."""


def values_of(returned: object) -> dict[str, torch.Tensor]:
    """The floating-point tensors that a function returned, by name: "value", or "output 0" and so on for a tuple.

    Raises ValueError if there is none.
    """
    several = isinstance(returned, (tuple, list))
    named = {f"output {k}": x for k, x in enumerate(returned)} if several else {"value": returned}
    found = {name: x for name, x in named.items() if is_floating(x)}
    if not found:
        what = f"a {type(returned).__name__} without one" if several else f"{type(returned)}"
        raise ValueError(
            f"audit needs a function that returns a floating-point tensor, or a tuple of them; this one returned {what}"
        )
    return found


class Subject:
    """The function under audit, and its inputs and upstream gradient in whatever dtype is asked for.

    The function's values are the floating-point tensors that it returns, one or several; others are passed over.
    ``given`` are the inputs, of which ``moving`` are differentiated by; ``names`` are theirs; ``outputs`` name the
    values, and ``shapes`` are the values'; ``upstream`` is a float64 upstream gradient for each value.
    """

    def __init__(self, function: Callable, inputs: Sequence, moving: list[int], seed: int) -> None:
        self.function, self.given, self.moving, self.seed = function, inputs, moving, seed
        self.names = _names(function, inputs)
        self.draw_upstream(function)

    def draw_upstream(self, function: Callable) -> None:
        """Draw a random upstream gradient for what ``function`` returns here.

        None for a value that requires no gradient where another does. Updates: upstream, outputs, shapes, generator.
        """
        self.generator = torch.Generator().manual_seed(self.seed)
        values = values_of(function(*self.inputs(torch.float64)))
        self.outputs, self.shapes = list(values), [value.shape for value in values.values()]
        differentiable = [value.requires_grad for value in values.values()]
        self._upstream: Upstream = []
        for value, moves in zip(values.values(), differentiable, strict=True):
            # of both signs, and never close to one, so that a backward which ignores it is wrong by a clear factor
            upstream = 1.25 + torch.rand(value.shape, generator=self.generator, dtype=torch.float64)
            upstream[torch.rand(value.shape, generator=self.generator) < 0.5] *= -1
            self._upstream.append(upstream.to(value.device) if moves or not any(differentiable) else None)

    @property
    def labels(self) -> list[str]:
        """What the values and then the gradients are called."""
        return [*self.outputs, *(f"gradient by {self.names[i]}" for i in self.moving)]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of elements that a reduction may divide by, and their names."""
        outputs = ["output" if name == "value" else name for name in self.outputs]
        counts = {f"the {name}'s elements": shape.numel() for name, shape in zip(outputs, self.shapes, strict=True)}
        first = self.given[self.moving[0]]
        counts["the input's elements"] = first.numel()
        return counts | {f"dimension {d}": size for d, size in enumerate(first.shape)}

    @property
    def upstream(self) -> Upstream:
        """A copy of it, since a faulty backward may write into what it is handed."""
        return [None if u is None else u.clone() for u in self._upstream]

    def without(self, k: int) -> Subject:
        """The same with value ``k`` unused."""
        other = copy.copy(self)
        other._upstream = [None if j == k else u for j, u in enumerate(self._upstream)]
        return other

    def of(self, function: Callable) -> Subject:
        """Another function at the same inputs, with the upstream gradient of this one."""
        other = copy.copy(self)
        other.function = function
        return other

    def at(self, i: int, x: torch.Tensor) -> Subject:
        """The same with other values in input ``i``."""
        other = copy.copy(self)
        other.given = [*self.given[:i], x, *self.given[i + 1 :]]
        return other

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

    def values(self, function: Callable, inputs: Sequence) -> list[torch.Tensor]:
        return list(values_of(function(*inputs)).values())

    def pull_back(
        self,
        values: Sequence[torch.Tensor],
        inputs: Sequence,
        upstream: Upstream,
        moving: list[int] | None = None,
        **options: bool,
    ) -> list[torch.Tensor]:
        """The gradient by each moving input (zeros where the function does not depend on it).

        Without ``create_graph`` it requires no gradient, though a backward may return a saved tensor that does.
        """
        wanted = [inputs[i] for i in (self.moving if moving is None else moving)]
        if len(values) != len(upstream):
            raise MisshapenValue(f"it returns {len(values)} floating-point tensors and should return {len(upstream)}")
        used = []
        for name, value, u in zip(self.outputs, values, upstream, strict=True):
            if u is None or not value.requires_grad:
                continue
            if u.shape != value.shape:
                raise MisshapenValue(f"the {name} has shape {tuple(value.shape)} and should have {tuple(u.shape)}")
            used.append((value, u.to(value.dtype)))
        found: Sequence[torch.Tensor | None] = [None] * len(wanted)
        if used and wanted:
            outputs, gradients = zip(*used, strict=True)
            found = torch.autograd.grad(outputs, wanted, gradients, allow_unused=True, **options)
        if not options.get("create_graph"):
            found = [None if g is None else g.detach() for g in found]
        return [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, found, strict=True)]

    def gradients(
        self, function: Callable, inputs: Sequence, upstream: Upstream, moving: list[int] | None = None
    ) -> list[torch.Tensor]:
        """The values, and then the gradient by each moving input."""
        values = self.values(function, inputs)
        return [*(value.detach() for value in values), *self.pull_back(values, inputs, upstream, moving)]

    # -- the same, for questions to which an exception is an answer

    def attempt(self, upstream: Upstream) -> list[torch.Tensor] | Exception:
        """The gradients in float64 for an upstream gradient, or what was raised."""
        found = self.attempt_all(self.inputs(torch.float64), upstream=upstream)
        return found if isinstance(found, Exception) else found[len(self.outputs) :]

    def attempt_all(
        self,
        inputs: Sequence,
        moving: list[int] | None = None,
        upstream: Upstream | None = None,
        function: Callable | None = None,
    ) -> list[torch.Tensor] | Exception:
        """The values and the gradients by ``moving``, or what was raised."""
        try:
            return self.gradients(
                function or self.function, inputs, self.upstream if upstream is None else upstream, moving
            )
        except Exception as problem:
            return problem

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
