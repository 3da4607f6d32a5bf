"""What the threads of a block did, in order: a trace of accesses, of barriers, and of values handed around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workbench.executors.cpu.findings import place, shown
from workbench.numba_cuda import Dimensions
from workbench.tables import Table

READ, WRITE, ATOMIC = "read", "write", "atomic"

ROWS = 20
"""Steps that a trace shows of itself."""


class Access(NamedTuple):
    """One thread's access of one element.

    ``thread`` is its number in the block, x fastest, and ``place`` its (x, y, z). ``array`` is the kernel's own name,
    ``space`` is global, constant, shared or local, ``kind`` read, write or atomic, and ``value`` what was read, was
    written, or is there after the atomic operation. ``phase`` counts the barriers that the block has passed.
    """

    step: int
    block: Dimensions
    thread: int
    place: Dimensions
    array: str
    space: str
    element: tuple[int, ...]
    kind: str
    value: Any
    line: int
    phase: int


class Barrier(NamedTuple):
    """Threads that waited for each other at a barrier of the block, or at a ``syncwarp``, by number.

    ``phase`` is the one that a barrier of the block ends.
    """

    step: int
    block: Dimensions
    operation: str
    threads: tuple[int, ...]
    line: int
    phase: int


class Exchange(NamedTuple):
    """What a thread got in a shuffle from thread ``source``, or in a vote, to which all contribute: source is None.

    ``value`` is what it got, and ``given`` what it handed out.
    """

    step: int
    block: Dimensions
    operation: str
    source: int | None
    thread: int
    given: Any
    value: Any
    line: int
    phase: int


@dataclass(frozen=True)
class Layout:
    """An array of a trace: its space, its shape and the dtype of its elements."""

    space: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, repr=False)
class Trace:
    """A recorded run of some blocks of a launch; ``steps`` count through accesses, barriers and exchanges together.

    ``blocks`` are those that ran, each a place in ``grid``, and ``block`` is their shape. ``arrays`` has the layout of
    every array that the kernel names, touched or not.
    """

    kernel: str
    grid: Dimensions
    block: Dimensions
    blocks: tuple[Dimensions, ...]
    arrays: dict[str, Layout]
    accesses: tuple[Access, ...]
    barriers: tuple[Barrier, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def steps(self) -> tuple[Access | Barrier | Exchange, ...]:
        """Everything that was recorded, in order."""
        return tuple(sorted((*self.accesses, *self.barriers, *self.exchanges), key=lambda event: event.step))

    @property
    def table(self) -> Table:
        """The first steps, in words."""
        several = len(self.blocks) > 1
        columns = ("step", "phase", *(("block",) if several else ()), "thread", "line", "what")
        rows = []
        for event in self.steps[:ROWS]:
            here = (shown(event.block),) if several else ()
            rows.append((str(event.step), str(event.phase), *here, self._who(event), str(event.line), _what(event)))
        count = len(self.steps)
        notes = (f"{count - ROWS:,} more steps; .accesses, .barriers and .exchanges have all.",) if count > ROWS else ()
        where = f"{len(self.blocks)} blocks" if several else f"block {shown(self.blocks[0])}"
        return Table(f"trace of {self.kernel}, {where}: {count:,} steps", columns, tuple(rows), notes)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def _who(self, event: Access | Barrier | Exchange) -> str:
        if not isinstance(event, Barrier):
            return shown(place(event.thread, self.block))
        return ", ".join(_runs(event.threads))


def _what(event: Access | Barrier | Exchange) -> str:
    if isinstance(event, Barrier):
        return f"wait for each other at {event.operation}"
    if isinstance(event, Exchange):
        source = "" if event.source is None else f" from thread {event.source}"
        return f"{event.operation}: gets {_shown(event.value)}{source}"
    element = ", ".join(map(str, event.element))
    relation = {READ: "is", WRITE: "=", ATOMIC: "becomes"}[event.kind]
    return f"{event.kind} {event.array}[{element}] {relation} {_shown(event.value)}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) or getattr(value, "dtype", None) == "float32" else str(value)


def _runs(numbers: tuple[int, ...]) -> list[str]:
    """Numbers that follow each other as ``first-last``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


@dataclass
class Recorder:
    """A Trace that is being recorded."""

    arrays: dict[str, Layout] = field(default_factory=dict)
    accesses: list[Access] = field(default_factory=list)
    barriers: list[Barrier] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def step(self) -> int:
        return len(self.accesses) + len(self.barriers) + len(self.exchanges)

    @property
    def parts(self) -> tuple[dict[str, Layout], tuple[Access, ...], tuple[Barrier, ...], tuple[Exchange, ...]]:
        """What was recorded, in the order of a Trace's fields."""
        return self.arrays, tuple(self.accesses), tuple(self.barriers), tuple(self.exchanges)

    def access(self, *values: Any) -> None:
        self.accesses.append(Access(self.step, *values))

    def barrier(self, *values: Any) -> None:
        self.barriers.append(Barrier(self.step, *values))

    def exchange(self, *values: Any) -> None:
        self.exchanges.append(Exchange(self.step, *values))
