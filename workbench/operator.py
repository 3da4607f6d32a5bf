"""The operator that every launch is to torch.compile: opaque, shared by all kernels, mutating what the kernel writes.

torch.compile cannot look into a launch, and need not. While it traces, ``launch`` puts one call of
``torch.ops.workbench.launch`` into the graph; when the graph runs, the operator makes the launch that it stands for,
with every check. Only a program that compiles imports this file.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from workbench.errors import LaunchError
from workbench.kernel import describe
from workbench.launch import launch
from workbench.numba_cuda import Configuration, own_configuration

_count = itertools.count()
_numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_kernels: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


@torch.compiler.assume_constant_result
def _known(kernel: Any, arguments: int) -> tuple[int, tuple[bool, ...]]:
    """The number that graphs have for a kernel, and which of so many arguments it writes."""
    if kernel not in _numbers:
        _numbers[kernel] = next(_count)
        _kernels[_numbers[kernel]] = kernel
    described = describe(kernel)
    names = described.parameters[:arguments]
    names += described.parameters[-1:] * (arguments - len(names))  # of *arguments, all go by its name
    return _numbers[kernel], tuple(name in described.written for name in names)


def trace(configuration: Configuration, arguments: Sequence[Any], sanitize: bool) -> None:
    """Put a launch into the graph that torch.compile is making.

    Where the graph would do something else than the launch, it is broken there, or refused by ``fullgraph=True``:
    inside a transform of ``torch.func``, which the operator has no rules for; for a NumPy argument, which the graph
    would hold as a tensor; for an output that requires grad; and where nothing says what the kernel writes, since the
    graph would leave the launch out.
    """
    kernel, grid, block, _, shared_bytes = configuration
    number, writes = _known(kernel, len(arguments))
    written = [argument for argument, is_written in zip(arguments, writes, strict=True) if is_written]
    if (
        torch._C._are_functorch_transforms_active()
        or any(isinstance(argument, (np.ndarray, np.generic)) for argument in arguments)
        or not all(isinstance(argument, torch.Tensor) for argument in written)
        or not written
        or (torch.is_grad_enabled() and any(argument.requires_grad for argument in written))
    ):
        launch_apart(configuration, arguments, sanitize)
        return
    order = ""
    given: dict[str, list[Any]] = {"w": [], "r": [], "s": []}
    for argument in arguments:
        is_tensor = isinstance(argument, torch.Tensor)
        # a tensor that is given twice, once to be read: both are one in the graph, too
        kind = "s" if not is_tensor else "w" if any(argument is other for other in written) else "r"
        order += kind
        given[kind].append(argument)
    torch.ops.workbench.launch(number, grid, block, shared_bytes, sanitize, order, given["w"], given["r"], given["s"])


@torch.compiler.disable(reason="a launch that torch.compile would change; see workbench.operator.trace")
def launch_apart(configuration: Configuration, arguments: Sequence[Any], sanitize: bool) -> None:
    """Make the launch outside of any graph."""
    launch(configuration, *arguments, sanitize=sanitize)


@torch.compiler.disable(reason="a kernel called without workbench.launch")
def call_apart(configuration: Configuration, arguments: Sequence[Any]) -> None:
    """Call ``kernel[grid, block](*arguments)`` outside of any graph, as Numba does."""
    own_configuration(configuration)(*arguments)


def _run(
    number: int,
    grid: Sequence[int],
    block: Sequence[int],
    shared_bytes: int,
    sanitize: bool,
    order: str,
    written: Sequence[torch.Tensor],
    read: Sequence[torch.Tensor],
    scalars: Sequence[Any],
) -> None:
    kernel = _kernels.get(number)
    if kernel is None:
        raise LaunchError("the kernel of this compiled launch is gone; keep a reference to it, or compile again")
    left = {"w": iter(written), "r": iter(read), "s": iter(scalars)}
    configuration = Configuration(kernel, tuple(grid), tuple(block), 0, shared_bytes)
    launch(configuration, *(next(left[kind]) for kind in order), sanitize=sanitize)


def _pretend(*given: Any) -> None:
    """What the launch does to tensors that have no memory: nothing; but see whether a graph may make it.

    A graph has the kernel write into a copy, and reads what is not written from where it was.
    """
    *_, written, read, _ = given
    if any(_share_memory(one, other) for one in written for other in read):
        raise LaunchError(
            "a kernel reads through one argument memory that it writes through another, and compiled it would read "
            "what was there before; pass a clone of what it reads, or launch it outside of the compiled function"
        )


def _share_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors, of any layout, lie between the same bounds of one storage."""
    if one.untyped_storage()._cdata != other.untyped_storage()._cdata or not one.numel() or not other.numel():
        return False
    (first, last), (other_first, other_last) = _bounds(one), _bounds(other)
    return bool(first < other_last and other_first < last)


def _bounds(tensor: torch.Tensor) -> tuple[int, int]:
    """The bytes of its storage from which on, and up to which, a tensor of at least one element lies."""
    length = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first = tensor.storage_offset() * tensor.element_size()
    return first, first + length * tensor.element_size()


_library = torch.library.Library("workbench", "DEF")
_library.define(
    "launch(int kernel, SymInt[] grid, SymInt[] block, SymInt shared_bytes, bool sanitize, str order, "
    "Tensor(a!)[] written, Tensor[] read, Scalar[] scalars) -> ()"
)
_library.impl("launch", _run, "CompositeExplicitAutograd")
torch.library.register_fake("workbench::launch", _pretend, lib=_library)
