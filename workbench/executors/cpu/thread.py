"""What reading a kernel finds: a thread's program, with the objects and arrays that it names."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import Any

from numba.core import types
from numba.np.numpy_support import as_dtype

from workbench.executors.cpu.dialect import INDEX_NAMES

MARK = "cuda__"
"""How the names of synchronising operations begin in what read returns."""


@dataclass(frozen=True)
class Allocation:
    """A ``cuda.shared.array`` or ``cuda.local.array``: its space, its shape (``(0,)`` is dynamic) and element type."""

    space: str
    shape: tuple[int, ...]
    element: types.Type

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * as_dtype(self.element).itemsize


@dataclass
class Thread:
    """What one thread of a kernel, or one call of a device function, does.

    ``body`` holds the statements; ``outside`` the objects that they name, by the name that they use, ``origins`` what
    the kernel itself named there; ``devices`` the device functions and ``allocations`` the arrays, likewise. ``taken``
    has the module's names and the values that were found under some of them; ``fences`` is whether it orders memory
    itself. Line numbers are those of ``file``.
    """

    name: str
    file: str
    parameters: list[str]
    defaults: list[ast.expr]
    body: list[ast.stmt] = field(default_factory=list)
    outside: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, Thread] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    fastmath: bool = False
    fences: bool = False
    taken: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        return {n.id for s in self.body for n in ast.walk(s) if isinstance(n, ast.Name)}

    @property
    def reachable(self) -> list[Thread]:
        """This one and the device functions that it calls, directly or not, each once."""
        found: list[Thread] = []
        todo = [self]
        while todo:
            thread = todo.pop()
            if not any(thread is one for one in found):
                found.append(thread)
                todo += thread.devices.values()
        return found

    @property
    def recursive(self) -> bool:
        """Whether it calls itself, directly or not."""
        return any(self is one for device in self.devices.values() for one in device.reachable)

    @property
    def indices(self) -> list[str]:
        """Which of INDEX_NAMES it needs, itself or in a device function."""
        used = set().union(*(thread.names for thread in self.reachable))
        return [index for index in INDEX_NAMES if index in used]

    @property
    def synchronises(self) -> bool:
        """Whether it makes threads wait for each other, or needs memory that they share."""
        return any(
            any(used.startswith(MARK) for used in thread.names)
            or any(a.space == "shared" for a in thread.allocations.values())
            for thread in self.reachable
        )


def allocation_name(space: str, node: ast.Call, function: str) -> str:
    """The name of the array that a ``cuda.shared.array`` or ``cuda.local.array`` in a function makes."""
    return f"{space}__{node.lineno}_{node.col_offset}_{function}"
