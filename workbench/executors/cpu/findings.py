"""What the sanitizer finds, in words and as data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.executors.cpu import sanitize
from workbench.executors.cpu.watched import Site
from workbench.numba_cuda import Dimensions

KINDS = {
    sanitize.OUT_OF_BOUNDS: "out of bounds",
    sanitize.NOT_WRITTEN: "not written",
    sanitize.WRITE_WRITE: "write-write race",
    sanitize.READ_WRITE: "read-write race",
    sanitize.WRITE_READ: "write-read race",
    sanitize.LANE: "inactive lane",
    sanitize.DIVERGED: "divergent barrier",
    sanitize.SKIPPED: "skipped barrier",
}


@dataclass(frozen=True)
class Finding:
    """One fault of a kernel: its kind (a value of KINDS, or "endless wait"), where, and which threads met there.

    ``element`` is the index in the array, ``block`` and ``thread`` who did it, ``other_block`` and ``other_thread``
    whom they met, and ``other_line`` where that one was; None where they have no meaning. ``said`` is the sentence.
    """

    kind: str
    kernel: str
    line: int
    code: str
    array: str
    element: tuple[int, ...] | None
    block: Dimensions
    thread: Dimensions
    other_block: Dimensions | None
    other_thread: Dimensions | None
    other_line: int | None
    said: str

    def __str__(self) -> str:
        return self.said


def findings(
    found: np.ndarray,
    kernel: str,
    sites: dict[int, Site],
    buffers: list[np.ndarray],
    grid: Dimensions,
    block: Dimensions,
) -> list[Finding]:
    """The findings that a launch noted in ``found``. ``buffers`` are the watched arrays, or arrays of their shape."""
    return [_finding(row, kernel, sites, buffers, grid, block) for row in found[1 : found[0, 0] + 1].tolist()]


def _finding(
    row: list[int],
    kernel: str,
    sites: dict[int, Site],
    buffers: list[np.ndarray],
    grid: Dimensions,
    block: Dimensions,
) -> Finding:
    kind, number, at_block, at_thread, a, b, c, buffer = row
    site = sites[number]
    here, me = place(at_block, grid), place(at_thread, block)
    element = other_block = other_thread = other_line = None
    who = f"thread {shown(me)} of block {shown(here)}"
    if kind == sanitize.OUT_OF_BOUNDS:
        what = f"index {a} is outside axis {b} of {site.array!r}, which has size {c}; {who} uses it"
    elif kind == sanitize.LANE:
        what = f"{site.code} reads lane {a}, which does not take part in it; {who} does"
    elif kind in (sanitize.DIVERGED, sanitize.SKIPPED):
        other_thread = place(a, block)
        elsewhere = "waits elsewhere" if kind == sanitize.DIVERGED else "has run to the end of the kernel"
        other_line = sites[-b].line if kind == sanitize.DIVERGED and -b in sites else None
        elsewhere += f", at line {other_line}" if other_line else ""
        what = f"thread {shown(other_thread)} waits here for the block, and {who} {elsewhere}"
    else:
        element = tuple(int(k) for k in np.unravel_index(a, buffers[buffer].shape))
        what = f"element {indexed(element)} of {site.array!r}"
        if kind == sanitize.NOT_WRITTEN:
            what = f"{who} reads {what}, which no thread has written"
        else:
            other_block, other_thread = place(b // sanitize.THREADS, grid), place(b % sanitize.THREADS, block)
            other_line = sites[c].line
            did, other_did = {
                sanitize.WRITE_WRITE: ("writes", "wrote"),
                sanitize.READ_WRITE: ("writes", "read"),
                sanitize.WRITE_READ: ("reads", "wrote"),
            }[kind]
            other = f"thread {shown(other_thread)}"
            other += "" if other_block == here else f" of block {shown(other_block)}"
            what = f"{who} {did} {what}, which {other} {other_did} at line {other_line} with no barrier in between"
    code = f", `{site.code}`" if site.code and kind != sanitize.LANE else ""
    said = f"{kernel}, line {site.line}{code}: {KINDS[kind]}: {what}"
    return Finding(
        KINDS[kind],
        kernel,
        site.line,
        site.code,
        site.array,
        element,
        here,
        me,
        other_block,
        other_thread,
        other_line,
        said,
    )


def place(number: int, size: Dimensions) -> Dimensions:
    """Where thread ``number`` of a block, or block ``number`` of a grid, of this size is: (x, y, z)."""
    x, y, _ = size
    return (number % x, number // x % y, number // (x * y))


def shown(place: tuple[int, ...]) -> str:
    """A place with the axes that say something: ``3`` for (3, 0, 0), ``(0, 2)`` for (0, 2, 0)."""
    last = max((k for k, v in enumerate(place) if v), default=0)
    kept = place[: last + 1]
    return str(kept[0]) if len(kept) == 1 else str(tuple(kept))


def indexed(element: tuple[int, ...]) -> str:
    """The index of an element: ``3`` in one dimension, ``(3, 0)`` in two."""
    return str(element[0]) if len(element) == 1 else str(element)
