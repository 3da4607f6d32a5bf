"""Arrays of a kernel that runs as plain Python: each access checked, and recorded where a trace is wanted.

An index counts from the end where it is negative, once, as Numba has it; further out it is out of bounds. Shared and
local memory has no value until it is written. Who looks at an element in a debugger is neither checked nor recorded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.executors.cpu import sanitize
from workbench.executors.cpu.findings import KINDS, indexed
from workbench.executors.cpu.here import Here
from workbench.executors.cpu.trace import ATOMIC, READ, WRITE, Layout
from workbench.executors.cpu.typed import compute, plain

ENDLESS = 100_000
"""So often one thread finds one element unchanged, and does nothing else, before it is said to wait in vain."""


@dataclass
class Memory:
    """Memory that a kernel has a name for. ``written`` tells of each byte whether it has a value; None: all have."""

    name: str
    space: str
    root: np.ndarray
    written: np.ndarray | None

    def element(self, address: int) -> tuple[int, ...]:
        """The index of the element at an address, for any strides that do not overlap."""
        index = [0] * self.root.ndim
        low, _ = np.lib.array_utils.byte_bounds(self.root)
        offset = address - low
        for axis in sorted(range(self.root.ndim), key=lambda axis: -abs(self.root.strides[axis])):
            size, stride = self.root.shape[axis], self.root.strides[axis]
            if stride and size > 1:
                steps, offset = divmod(offset, abs(stride))
                index[axis] = steps if stride > 0 else size - 1 - steps
        return tuple(index)


def uninitialised(name: str, space: str, shape: tuple[int, ...], dtype: np.dtype) -> Memory:
    """Memory without values; in a debugger, its floats are NaN and its integers -1."""
    size = int(np.prod(shape)) * dtype.itemsize
    return Memory(name, space, np.full(size, 255, np.uint8).view(dtype).reshape(shape), np.zeros(size, bool))


class Array:
    """An array, or a part of one, as a kernel sees it. ``memory`` is that of the whole."""

    __slots__ = ("_data", "_here", "_memory")

    def __init__(self, data: np.ndarray, memory: Memory, here: Here) -> None:
        for name, value in (("_data", data), ("_memory", memory), ("_here", here)):
            object.__setattr__(self, name, value)
        if here.recorder is not None:
            layout = Layout(memory.space, memory.root.shape, str(memory.root.dtype))
            here.recorder.arrays.setdefault(memory.name, layout)

    def __repr__(self) -> str:
        return f"{self._memory.space} {self._data!r}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._data, dtype)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        if name in (self._data.dtype.names or ()):
            return self[name]
        value = getattr(self._data, name)
        if isinstance(value, np.ndarray):
            return Array(value, self._memory, self._here)
        if callable(value):
            return lambda *given: Array(np.asarray(value(*given)), self._memory, self._here)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __getitem__(self, index: Any) -> Any:
        part = self._part(index)
        if part.ndim or part.dtype.names:
            return Array(part, self._memory, self._here)
        value = plain(part[()])
        self._touch(READ, part, value)
        return value

    def __setitem__(self, index: Any, value: Any) -> None:
        part = self._part(index)
        whole = isinstance(value, Array) and value.ndim
        for at in np.ndindex(part.shape):
            element = part[(*at, ...)]
            given = value[at] if whole else value
            # an integer that does not fit wraps around, and a float is cut off
            with np.errstate(invalid="ignore"):
                element[...] = np.asarray(given).astype(part.dtype)
            self._touch(WRITE, element, plain(element[()]))

    def atomic(self, operation: Callable, index: Any, values: tuple) -> Any:
        """Do an atomic operation on an element, and return what was there before."""
        part = self._part(index)
        self._check_written(part)
        with np.errstate(all="ignore"):
            old = compute(operation, part.reshape(1), 0, *values)
        self._touch(ATOMIC, part, plain(part[()]))
        return old

    def _part(self, index: Any) -> np.ndarray:
        """The element or the elements at an index, as a view."""
        if isinstance(index, str):
            return self._data[index][...]
        parts = [_integer(k) for k in (index if isinstance(index, tuple) else (index,))]
        axes = [k for k in parts if k is not None and k is not Ellipsis]
        axis = 0
        for k in parts:
            if k is Ellipsis:
                axis += self._data.ndim - len(axes)
            elif k is not None:
                size = self._data.shape[axis] if axis < self._data.ndim else 0
                if type(k) is int and not -size <= k < size:
                    self._outside(k, axis)
                axis += 1
        return self._data[tuple(parts) if Ellipsis in parts else (*parts, ...)]

    def _outside(self, index: int, axis: int) -> None:
        here, name = self._here, self._memory.name
        frame = here.frame()
        if frame is not None and axis < self._data.ndim:
            size = self._data.shape[axis]
            what = f"index {index} is outside axis {axis} of {name!r}, which has size {size}; {here.who()} uses it"
            raise here.fault(KINDS[sanitize.OUT_OF_BOUNDS], frame, what, array=name)

    def _check_written(self, part: np.ndarray) -> None:
        written, here, name = self._memory.written, self._here, self._memory.name
        if written is None:
            return
        first = _address(part) - _address(self._memory.root)
        frame = None if written[first : first + part.itemsize].all() else here.frame()
        if frame is not None:
            element = self._memory.element(_address(part))
            what = f"{here.who()} reads element {indexed(element)} of {name!r}, which no thread has written"
            raise here.fault(KINDS[sanitize.NOT_WRITTEN], frame, what, array=name, element=element)

    def _touch(self, kind: str, part: np.ndarray, value: Any) -> None:
        """Check and record one access."""
        if kind == READ:
            self._check_written(part)
        here, memory = self._here, self._memory
        address = _address(part)
        if kind == WRITE and memory.written is not None:
            first = address - _address(memory.root)
            memory.written[first : first + part.itemsize] = True
        frame = here.frame()
        if frame is None:
            return
        if here.repeats((kind, address, value)) > ENDLESS:
            element = memory.element(address)
            what = (
                f"{here.who()} finds element {indexed(element)} of {memory.name!r} unchanged again and again; here the "
                "threads of a block take turns at barriers, so no other can change it"
            )
            raise here.fault("endless wait", frame, what, array=memory.name, element=element)
        if here.recorder is not None:
            element = memory.element(address)
            who, what = (here.index, here.thread, here.place), (memory.name, memory.space, element, kind, value)
            here.recorder.access(*who, *what, frame.f_lineno, here.phase)


def memory_of(value: Any) -> Any:
    """The NumPy array that an Array looks at; anything else as it is."""
    return value._data if isinstance(value, Array) else value


def _integer(index: Any) -> Any:
    if index is None or index is Ellipsis or isinstance(index, slice):
        return index
    return operator.index(index)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
