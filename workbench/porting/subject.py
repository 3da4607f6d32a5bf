"""A function under porting: where its source is, which kernels it launches, and which Functions it applies to what."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from workbench.errors import PortError
from workbench.recording import Launch, recorded


@dataclass(frozen=True)
class Named:
    """A function or an autograd.Function by the name that it has at the top of a module, with what partial() fixed."""

    module: str
    name: str
    is_function: bool
    positional: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()


def named(function: Any) -> Named:
    """Where a function can be found by name. Raises PortError for one that has no name at the top of a module."""
    if isinstance(function, functools.partial):
        inner = named(function.func)
        return Named(inner.module, inner.name, inner.is_function, function.args, tuple(function.keywords.items()))
    owner = getattr(function, "__self__", None)
    if getattr(function, "__name__", "") == "apply" and isinstance(owner, type):
        function = owner
    is_function = isinstance(function, type) and issubclass(function, torch.autograd.Function)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not is_function and (isinstance(function, type) or not callable(function) or name is None):
        raise PortError(f"{function!r} is neither a function nor an autograd.Function, and port takes one of these")
    if "<" in name or "." in name or not hasattr(sys.modules.get(module), name):
        raise PortError(
            f"{name} is made where no import reaches it; define it with `def` or `class` at the top of a module"
        )
    return Named(module, name, is_function)


def callable_of(found: Named) -> Callable:
    """The function to call, as its user would."""
    return called(found, getattr(importlib.import_module(found.module), found.name))


def called(found: Named, function: Any) -> Callable:
    """How a function, or an autograd.Function, is called that goes by what ``found`` says."""
    function = functools.partial(_applied_to, function) if found.is_function else function
    return functools.partial(function, *found.positional, **dict(found.keywords))


def _applied_to(function: type, *inputs: Any) -> Any:
    return function.apply(*inputs)


@dataclass
class Observed:
    """What a run showed: the launches, and for each Function that the forward applied its inputs and outputs."""

    launches: list[Launch] = field(default_factory=list)
    applied: dict[type, tuple[tuple, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """A call of the function: the keywords that it has besides the inputs, and the inputs that may require grad."""

    keywords: dict[str, Any]
    moving: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.keywords.items())


def observe(
    function: Callable, inputs: tuple, dtype: torch.dtype, options: Sequence[Mapping[str, Any]] = ()
) -> Observed:
    """Run the function and its backward, with the floating-point inputs in ``dtype``, plainly and with each option.

    The backward is run through all outputs and through each alone, by all inputs that require grad and by each alone,
    since it may launch other kernels then. If no input requires grad, all that are floating point do. A call with an
    option may refuse some of these ways, but not all.
    """
    floating = [k for k, x in enumerate(inputs) if isinstance(x, torch.Tensor) and x.is_floating_point()]
    moving = tuple(k for k in floating if inputs[k].requires_grad) or tuple(floating)
    ways = [moving, *((k,) for k in moving if len(moving) > 1)]
    seen = Observed()
    with recorded() as launches:
        for wanted in ways:
            _run(function, inputs, dtype, wanted, seen)
        seen.calls.append(Call({}, moving))
        for keywords in options:
            taken, refusals = [], []
            for wanted in ways:
                try:
                    _run(functools.partial(function, **keywords), inputs, dtype, wanted, seen)
                    taken.append(wanted)
                except (TypeError, ValueError) as refusal:
                    refusals.append(refusal)
            call = Call(dict(keywords), taken[0] if taken else ())
            if not taken:
                raise PortError(f"with {call} the function cannot be called: {refusals[0]}") from refusals[0]
            seen.calls.append(call)
    seen.launches = launches
    return seen


def _run(function: Callable, inputs: tuple, dtype: torch.dtype, moving: tuple[int, ...], seen: Observed) -> None:
    outputs = _forward(function, inputs, dtype, moving, seen)
    for chosen in [slice(None), *(slice(k, k + 1) for k in range(len(outputs)) if len(outputs) > 1)]:
        _backward(_forward(function, inputs, dtype, moving, seen)[chosen])


def _forward(function: Callable, inputs: tuple, dtype: torch.dtype, moving: tuple[int, ...], seen: Observed) -> list:
    given = []
    for k, x in enumerate(inputs):
        if isinstance(x, torch.Tensor):
            x = x.detach().clone()
            x = x.to(dtype) if x.is_floating_point() else x
            x = x.requires_grad_(k in moving)
        given.append(x)
    with _applied(seen):
        output = function(*given)
    outputs = output if isinstance(output, (tuple, list)) else (output,)
    if not all(isinstance(x, torch.Tensor) for x in outputs):
        raise PortError(f"the function returns a {type(output).__name__}; port takes one that returns tensors")
    return [x for x in outputs if x.requires_grad]


def _backward(outputs: list) -> None:
    if outputs:
        torch.autograd.backward(outputs, [torch.ones_like(x) for x in outputs])


@contextlib.contextmanager
def _applied(seen: Observed) -> Iterator[None]:
    """Note the inputs and outputs of each autograd.Function that is applied. Updates: ``seen.applied``."""
    own = torch.autograd.Function.__dict__["apply"]

    @classmethod
    def apply(cls: type, *inputs: Any) -> Any:
        output = own.__get__(None, cls)(*inputs)
        seen.applied.setdefault(cls, (inputs, output))
        return output

    torch.autograd.Function.apply = apply
    try:
        yield
    finally:
        torch.autograd.Function.apply = own
