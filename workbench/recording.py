"""Record which kernels a piece of code launches, with which grid, block and arguments.

A loss launches one kernel in its forward and others in its backward, and only a run of both tells which, and with
arguments of which types. The tools that look at a kernel before it meets a GPU take their kernels from here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from workbench import numba_cuda
from workbench.tensors import argument_type

_recordings: list[list[Launch]] = []


@dataclass(frozen=True)
class Launch:
    """One launch: ``configured`` is ``kernel[grid, block]``, ``arguments`` the tensors and scalars that it was given.

    The tensors are those of the launch, not copies, so their values may have changed since.
    """

    configured: Any
    arguments: tuple[Any, ...]

    @property
    def kernel(self) -> Any:
        """The ``cuda.jit`` object."""
        return numba_cuda.configuration(self.configured).kernel

    @property
    def name(self) -> str:
        return numba_cuda.python_function(self.kernel).__name__

    @property
    def grid(self) -> tuple[int, int, int]:
        return tuple(numba_cuda.configuration(self.configured).grid)

    @property
    def block(self) -> tuple[int, int, int]:
        return tuple(numba_cuda.configuration(self.configured).block)

    @property
    def shared_bytes(self) -> int:
        return numba_cuda.configuration(self.configured).shared_bytes

    @property
    def argument_types(self) -> tuple[Any, ...]:
        """The Numba type of each argument, as the kernel is compiled for it."""
        return tuple(map(argument_type, self.arguments))


@contextlib.contextmanager
def recorded() -> Iterator[list[Launch]]:
    """Within this, every launch that was checked is put into the list that this gives, in order, before it runs.

    It holds for all Python threads: autograd may run a backward in a thread of its own.
    """
    launches: list[Launch] = []
    _recordings.append(launches)
    try:
        yield launches
    finally:
        _recordings[:] = [recording for recording in _recordings if recording is not launches]


def note(configured: Any, arguments: tuple[Any, ...]) -> None:
    """Put a launch into every recording that is going on. Updates: the lists that :func:`recorded` gave."""
    for recording in _recordings:
        recording.append(Launch(configured, arguments))


def launches_of(function: Callable, *inputs: Any) -> list[Launch]:
    """Every launch of ``function(*inputs)`` and of its backward, for one upstream gradient of ones.

    The backward runs for the inputs that require grad, if there are any.
    """
    with recorded() as launches:
        outputs = function(*inputs)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        outputs = [one for one in outputs if isinstance(one, torch.Tensor) and one.requires_grad]
        leaves = [one for one in inputs if isinstance(one, torch.Tensor) and one.requires_grad]
        if outputs and leaves:
            torch.autograd.grad(outputs, leaves, [torch.ones_like(one) for one in outputs], allow_unused=True)
    return launches


def distinct(launches: list[Launch]) -> list[Launch]:
    """The first launch of each kernel with each set of argument types."""
    first: dict[tuple, Launch] = {}
    for one in launches:
        first.setdefault((id(one.kernel), one.argument_types), one)
    return list(first.values())
