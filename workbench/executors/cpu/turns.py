"""Run a block whose threads are generators: each in its turn, up to where it waits for others.

Threads go on when all those have come whom they wait for: those of the block that still run, or the lanes that a mask
names. A barrier that some threads pass by is a fault, which is raised in words. Nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import GeneratorType
from typing import Any, NamedTuple

import numpy as np

from workbench.executors.cpu import exchanges, sanitize
from workbench.executors.cpu.dialect import BARRIERS, EXCHANGES, SHUFFLES, WARP
from workbench.executors.cpu.findings import KINDS, place, shown
from workbench.executors.cpu.here import Here
from workbench.executors.cpu.typed import compute

FULL = 0xFFFFFFFF

Group = dict[int, "Wait"]
"""Threads that wait, by number."""


class Wait(NamedTuple):
    """What a thread waits for, and where: the line in the kernel, and those in the device functions that it is in."""

    operation: str
    arguments: tuple
    lines: tuple[int, ...]

    @property
    def scope(self) -> str:
        return BARRIERS.get(self.operation) or EXCHANGES[self.operation]

    @property
    def mask(self) -> int:
        """The lanes that take part, as bits."""
        given = self.arguments[:1] if self.operation != "activemask" else ()
        return int(given[0]) & FULL if given else FULL

    @property
    def value(self) -> Any:
        """What the thread hands out."""
        if self.operation == "activemask":
            return True
        return self.arguments[0 if self.scope == "block" else 1]


class Turns:
    """The threads of a block, of which ``threads`` has the generators."""

    def __init__(self, threads: list[Generator], here: Here) -> None:
        self.threads, self.here = threads, here
        self.waiting: Group = {}
        self.returned: dict[int, bool] = {}
        self.answers: dict[int, Any] = dict.fromkeys(range(len(threads)))

    def run(self) -> None:
        """Run the block to its end. Raises KernelFault for what CUDA does not define."""
        ready = list(range(len(self.threads)))
        while ready:
            for number in ready:
                self._turn(number)
            ready = sorted(n for first in range(0, len(self.threads), WARP) for n in self._meet(first))
            if not ready and self.waiting:
                ready = self._meet_block()

    def _turn(self, number: int) -> None:
        self.here.thread = number
        try:
            operation, *arguments = self.threads[number].send(self.answers[number])
        except StopIteration as end:
            self.returned[number] = bool(end.value)
        else:
            self.waiting[number] = Wait(operation, tuple(arguments), tuple(_lines(self.threads[number])))

    def _meet(self, first: int) -> list[int]:
        """Let those of the warp from thread ``first`` on go on that have met all whom they wait for."""
        warp = {n: w for n, w in self.waiting.items() if first <= n < first + WARP}
        met = {}
        for number, wait in warp.items():
            named = {n for n in warp if wait.mask >> (n - first) & 1}
            here = {n: w for n, w in warp.items() if (w.operation, w.lines) == (wait.operation, wait.lines)}
            if wait.operation == "activemask":
                met[number] = here
            elif wait.scope == "warp" and named <= set(here):
                met[number] = {n: w for n, w in here.items() if n in named or n == number}
        for group in {tuple(group): group for group in met.values()}.values():
            self._record_barrier(group)
        for number, group in met.items():
            self._answer(number, group)
        for number in met:
            del self.waiting[number]
        return list(met)

    def _meet_block(self) -> list[int]:
        """Let the block go on from a barrier, if all its threads have come there that have not returned before."""
        group = dict(self.waiting)
        number, wait = min(group.items(), key=lambda item: (item[1].scope == "block", item[0]))
        self.here.thread = number
        whom = "the block" if wait.scope == "block" else f"the lanes of mask {wait.mask:#x}"
        first = number - number % WARP
        for other, theirs in group.items():
            if wait.scope == "warp" and not (first <= other < first + WARP and wait.mask >> (other - first) & 1):
                continue
            if (theirs.operation, theirs.lines) != (wait.operation, wait.lines):
                self._raise(sanitize.DIVERGED, number, other, f"waits elsewhere, at line {theirs.lines[-1]}", whom)
        for other, early in self.returned.items():
            if not early:
                self._raise(sanitize.SKIPPED, number, other, "has run to the end of the kernel", whom)
        self._record_barrier(group)
        for number in group:
            self._answer(number, group)
        self.waiting = {}
        self.here.phase += 1
        return list(group)

    def _raise(self, kind: int, waiting: int, other: int, does: str, whom: str) -> None:
        here = self.here
        what = f"thread {shown(place(waiting, here.block))} waits here for {whom}, and {here.who(other)} {does}"
        known = {"other_thread": place(other, here.block), "other_block": here.index}
        raise here.fault(KINDS[kind], _frame(self.threads[waiting]), what, **known)

    def _record_barrier(self, group: Group) -> None:
        wait = next(iter(group.values()))
        recorder, here = self.here.recorder, self.here
        if recorder is not None and (wait.operation in BARRIERS or wait.scope == "block"):
            recorder.barrier(here.index, wait.operation, tuple(group), wait.lines[-1], here.phase)

    def _answer(self, number: int, group: Group) -> None:
        """Work out what a thread gets back."""
        wait = group[number]
        if wait.operation in BARRIERS:
            self.answers[number] = None
            return
        source = None
        if wait.operation in SHUFFLES:
            source = self._source(number, group)
            answer = group[source].value
        else:
            answer = self._vote(number, group)
        self.answers[number] = answer
        here = self.here
        if here.recorder is not None:
            given, line = wait.value, wait.lines[-1]
            here.recorder.exchange(here.index, wait.operation, source, number, given, answer, line, here.phase)

    def _source(self, number: int, group: Group) -> int:
        """Whose value a thread gets in a shuffle: its own, where the lane that it asks takes no part."""
        wait = group[number]
        source = compute(getattr(exchanges, f"lane_of_{wait.operation}"), number, int(wait.arguments[2]))
        return source if source in group else number

    def _vote(self, number: int, group: Group) -> Any:
        members = np.full(len(self.threads), -1)
        members[list(group)] = 0
        values = [wait.value for wait in group.values()]
        handed = np.zeros(len(self.threads), np.result_type(*map(np.asarray, values)))
        handed[list(group)] = values
        return compute(getattr(exchanges, group[number].operation), handed, members, number)


def _chain(thread: Any) -> Iterator[Any]:
    """The generators that are waiting: the kernel's, and those of the device functions that it is in."""
    while isinstance(thread, GeneratorType):
        yield thread
        thread = thread.gi_yieldfrom


def _lines(thread: Generator) -> Iterator[int]:
    return (one.gi_frame.f_lineno for one in _chain(thread))


def _frame(thread: Generator) -> Any:
    return list(_chain(thread))[-1].gi_frame
