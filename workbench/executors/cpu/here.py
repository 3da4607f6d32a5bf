"""Where a block that is stepped through is: whose turn it is, on which line, and that thread's place in the grid."""

from __future__ import annotations

import linecache
import math
import sys
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

from workbench.errors import KernelFault
from workbench.executors.cpu.dialect import WARP
from workbench.executors.cpu.findings import Finding, place, shown
from workbench.executors.cpu.trace import Recorder
from workbench.numba_cuda import Dimensions

PACKAGE = __name__.rpartition(".")[0] + "."
"""How the names of the executor's modules begin, whose frames are not the kernel's."""


class Here:
    """A block of a launch. ``thread`` is the number of the thread whose turn it is, x fastest.

    ``phase`` counts the block's barriers that are passed, and ``codes`` has the code of the kernel and of its device
    functions. ``recorder`` is None where nothing is to be recorded.
    """

    def __init__(self, kernel: str, grid: Dimensions, block: Dimensions, recorder: Recorder | None) -> None:
        self.kernel, self.grid, self.block, self.recorder = kernel, grid, block, recorder
        self.codes: set[CodeType] = set()
        self.index: Dimensions = (0, 0, 0)
        self.thread = self.phase = 0
        self._last: tuple = ()
        self._times = 0

    @property
    def threads(self) -> int:
        return math.prod(self.block)

    @property
    def lane(self) -> int:
        return self.thread % WARP

    @property
    def place(self) -> Dimensions:
        return place(self.thread, self.block)

    def dimensions(self, operation: str) -> SimpleNamespace:
        """``threadIdx``, ``blockIdx``, ``blockDim`` or ``gridDim``, with x, y and z."""
        values = {
            "threadIdx": self.place,
            "blockIdx": self.index,
            "blockDim": self.block,
            "gridDim": self.grid,
        }[operation]
        return SimpleNamespace(**dict(zip("xyz", values, strict=True)))

    def position(self, axes: int) -> int | Dimensions:
        """``cuda.grid(axes)``."""
        found = tuple(i * n + t for i, n, t in zip(self.index, self.block, self.place, strict=True))
        return found[0] if axes == 1 else found[:axes]

    def size(self, axes: int) -> int | Dimensions:
        """``cuda.gridsize(axes)``."""
        found = tuple(i * n for i, n in zip(self.grid, self.block, strict=True))
        return found[0] if axes == 1 else found[:axes]

    def frame(self) -> FrameType | None:
        """The frame of the kernel, or of its device function, that asks; None if somebody asks in a debugger."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__", "").startswith(PACKAGE):
            frame = frame.f_back
        return frame if frame is not None and frame.f_code in self.codes else None

    def repeats(self, doing: tuple) -> int:
        """How often this thread has done the same just before."""
        same = self._last == (self.thread, *doing)
        self._last, self._times = (self.thread, *doing), self._times + 1 if same else 0
        return self._times

    def fault(self, kind: str, frame: FrameType, what: str, **known: Any) -> KernelFault:
        """A fault of this thread, where ``frame`` is, in the words ``what``; ``known`` are fields of the Finding."""
        line = frame.f_lineno
        file = frame.f_code.co_filename
        code = linecache.getline(file, line).strip()
        fields = dict.fromkeys(("element", "other_block", "other_thread", "other_line"))
        fields |= {"array": "", "thread": self.place, **known}
        said = f"{self.kernel}, line {line}, `{code}`: {kind}: {what}"
        return KernelFault([Finding(kind, self.kernel, file, line, code, block=self.index, said=said, **fields)])

    def who(self, thread: int | None = None) -> str:
        """A thread in words; without one, that whose turn it is."""
        number = self.thread if thread is None else thread
        return f"thread {shown(place(number, self.block))} of block {shown(self.index)}"
