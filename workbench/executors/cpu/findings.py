"""What the sanitizer finds, in words and as data."""

from __future__ import annotations

import bisect
import linecache
from collections.abc import Callable
from dataclasses import dataclass

from workbench.executors.cpu import sanitize
from workbench.executors.cpu.dialect import WARP
from workbench.executors.cpu.watched import Site
from workbench.numba_cuda import Dimensions
from workbench.source import file_of

KINDS = {
    sanitize.OUT_OF_BOUNDS: "out of bounds",
    sanitize.NOT_WRITTEN: "not written",
    sanitize.WRITE_WRITE: "write-write race",
    sanitize.READ_WRITE: "read-write race",
    sanitize.LANE: "inactive lane",
    sanitize.MASK: "wrong mask",
    sanitize.DIVERGED: "divergent barrier",
    sanitize.SKIPPED: "skipped barrier",
}
"""What a finding can be called. Which access of a race ran first here says nothing, so its name does not say it."""

DOES = {
    sanitize.READ: ("reads", "read"),
    sanitize.WRITE: ("writes", "wrote"),
    sanitize.ATOMIC: ("updates atomically", "updated atomically"),
}


@dataclass(frozen=True)
class Finding:
    """One fault of a kernel: its kind (a value of KINDS, or "endless wait"), where, and which threads met there.

    ``code`` is the text of the line, in ``file``. ``array`` is the kernel's argument or allocation, ``element`` the
    index in it, ``block`` and ``thread`` who did it, ``other_block`` and ``other_thread`` whom they met, and
    ``other_line`` where that one was; None where they have no meaning. ``said`` is the sentence, which ends with what
    to do.
    """

    kind: str
    kernel: str
    file: str
    line: int
    code: str
    array: str | None
    element: tuple[int, ...] | None
    block: Dimensions
    thread: Dimensions
    other_block: Dimensions | None
    other_thread: Dimensions | None
    other_line: int | None
    said: str

    def __str__(self) -> str:
        return self.said


@dataclass(frozen=True)
class Buffer:
    """Memory that is watched: its name in the kernel, where it lies, and the shape and strides of its elements."""

    name: str
    base: int
    bytes: int
    item: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    is_shared: bool
    unit: str = "element"

    def element(self, offset: int) -> tuple[int, ...]:
        """The index of the element at so many bytes from the base."""
        index = [0] * len(self.shape)
        for axis in sorted(range(len(self.shape)), key=lambda axis: -abs(self.strides[axis])):
            if self.strides[axis] and self.shape[axis] > 1:
                index[axis], offset = divmod(offset, abs(self.strides[axis]))
                if self.strides[axis] < 0:
                    index[axis] = self.shape[axis] - 1 - index[axis]
        return tuple(index)


def findings(
    found: list[list[int]],
    began: list[int],
    function: Callable,
    sites: dict[int, Site],
    buffers: list[Buffer],
    grid: Dimensions,
    block: Dimensions,
) -> list[Finding]:
    """The findings that a launch noted in ``found``, one for two lines that met either way round.

    ``began`` has the tick at which each block began.
    """
    teller = _Teller(began, function, sites, buffers, grid, block)
    told: dict[tuple, Finding] = {}
    for row in found:
        if not teller.is_benign(row):
            finding = teller.finding(row)
            lines = frozenset({finding.line, finding.other_line})
            told.setdefault((finding.kind, finding.array, finding.file, lines), finding)
    return list(told.values())


@dataclass(frozen=True)
class _Teller:
    began: list[int]
    function: Callable
    sites: dict[int, Site]
    buffers: list[Buffer]
    grid: Dimensions
    block: Dimensions

    def is_benign(self, row: list[int]) -> bool:
        """Whether two threads write the same constant, of which one write arrives: see workbench.sanitizer."""
        constant = self.sites[row[1]].constant
        return row[0] == sanitize.WRITE_WRITE and constant != "" and self.sites[row[6]].constant == constant

    def finding(self, row: list[int]) -> Finding:
        kind, number, at_block, at_thread, a, b, c, buffer = row
        site, about = self.sites[number], {}
        here, me = place(at_block, self.grid), place(at_thread, self.block)
        who = f"thread {shown(me, self.block)} of block {shown(here, self.grid)}"
        file = site.file or file_of(self.function)
        if buffer >= 0:
            memory = self.buffers[buffer]
            about = {"array": memory.name, "element": memory.element(a)}
            through = "" if site.array in (memory.name, "") else f", through `{site.array}`"
            what = f"{memory.unit} {indexed(about['element'])} of {memory.name!r}{through}"
        if kind == sanitize.OUT_OF_BOUNDS:
            about = {"array": site.array}
            where = f"{site.array!r}, which has size {c}"
            if buffer < -1:
                where = f"axis {b} of {site.array!r}, which has size {c} there"
            said = f"{who} uses index {a}, outside {where}"
            todo = "Guard the access with `if`, or correct the index"
        elif kind == sanitize.NOT_WRITTEN:
            said = f"{who} reads {what}, which no thread of its block has written"
            todo = "Write every element that is read, and put cuda.syncthreads() in between"
        elif kind == sanitize.LANE:
            said = f"{who} reads from lane {a}, which does not take part"
            todo = "Let every lane that is read from come here"
        elif kind == sanitize.MASK:
            said = f"{who} names lane {a} in its mask, which does not come here"
            if a == at_thread % WARP:
                said = f"{who} is lane {a}, which its mask does not name"
            todo = "Let exactly the lanes of the mask come here: move this out of the `if`, or correct the mask"
        elif kind in (sanitize.DIVERGED, sanitize.SKIPPED):
            about = {"other_block": here, "other_thread": place(a, self.block)}
            elsewhere = "has run to the end of the kernel"
            if kind == sanitize.DIVERGED:
                about["other_line"] = self.sites[b].line
                elsewhere = f"waits at line {self.sites[b].line}"
            waiting = f"thread {shown(about['other_thread'], self.block)} of block {shown(here, self.grid)}"
            said = f"{waiting} waits here for its block, and thread {shown(me, self.block)} {elsewhere}"
            todo = "Move the barrier to where all threads of the block come: out of an `if`, out of a loop that differs"
        else:
            about |= self._other(b, c)
            did, other_did = DOES[site.mode][0], DOES[self.sites[c].mode][1]
            other = f"thread {shown(about['other_thread'], self.block)}"
            other += "" if about["other_block"] == here else f" of block {shown(about['other_block'], self.grid)}"
            at = "on the same line" if about["other_line"] == site.line else f"at line {about['other_line']}"
            said = f"{who} {did} {what}, which {other} {other_did} {at}, and neither waits for the other"
            todo = _advice(site, self.sites[c], about["other_block"] == here)
        title, code = self.function.__name__, linecache.getline(file, site.line).strip()
        where = f"line {site.line}" if not site.file or site.file == file_of(self.function) else f"{file}:{site.line}"
        said = f"{title}, {where}, `{code}`: {KINDS[kind]}: {said}. {todo}."
        nothing = dict.fromkeys(("array", "element", "other_block", "other_thread", "other_line"))
        return Finding(KINDS[kind], title, file, site.line, code, block=here, thread=me, said=said, **nothing | about)

    def _other(self, stamp: int, site: int) -> dict[str, object]:
        number = bisect.bisect(self.began, stamp >> sanitize.TICK) - 1
        thread = stamp >> sanitize.WHO & sanitize.THREADS - 1
        return {
            "other_block": place(number, self.grid),
            "other_thread": place(thread, self.block),
            "other_line": self.sites[site].line,
        }


def _advice(site: Site, other: Site, same_block: bool) -> str:
    """What to do about a race."""
    if sanitize.ATOMIC in (site.mode, other.mode):
        return "Make both atomic, or let the one wait for the other"
    if not same_block:
        return "Blocks run in any order: give each an element of its own, or use cuda.atomic"
    if site.line == other.line:
        return "Give each thread an element of its own, use cuda.atomic, or put cuda.syncthreads() in between"
    return "Put cuda.syncthreads() in between"


def place(number: int, size: Dimensions) -> Dimensions:
    """Where thread ``number`` of a block, or block ``number`` of a grid, of this size is: (x, y, z)."""
    x, y, _ = size
    return (number % x, number // x % y, number // (x * y))


def shown(place: tuple[int, ...], size: tuple[int, ...] = ()) -> str:
    """A place: ``3`` on one axis, ``(0, 2)`` on two; without trailing axes of size 1, or of 0 with no size given."""
    axes = max((k + 1 for k, n in enumerate(size) if n > 1), default=1)
    if not size:
        axes = max((k + 1 for k, n in enumerate(place) if n), default=1)
    return indexed(place[:axes])


def indexed(element: tuple[int, ...]) -> str:
    """The index of an element: ``3`` in one dimension, ``(3, 0)`` in two."""
    return str(element[0]) if len(element) == 1 else str(element)
