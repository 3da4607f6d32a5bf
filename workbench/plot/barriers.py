"""The timeline of a block: what each thread does between barriers, and who waits."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from workbench.plot.picture import GREY, PURPLE, STYLE, Picture
from workbench.plot.recorded import ACCESSES, recorded_block
from workbench.plot.ticks import apart

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Access, Barrier, Exchange, Trace
    from workbench.stepping import Block

MARKS = ACCESSES | {"shuffle or vote": {"marker": "D", "facecolors": PURPLE, "edgecolors": "none"}}

COLUMNS, ROWS, WARP = 60, 64, 32
"""Steps and threads that one picture has room for, and the threads of a warp."""


class Mark(NamedTuple):
    """One thing that a thread did: its column, its kind, and the array or the operation."""

    column: int
    thread: int
    kind: str
    name: str


class Wall(NamedTuple):
    """A barrier: its column, who met there, from which column each of them waited, and its line."""

    column: int
    waited: dict[int, int]
    line: int
    of_block: bool


def timeline(run: Trace | Any, *arguments: Any, block: Block = 0) -> Picture:
    """What each thread of one block does, in order, up to each barrier: threads are rows, and steps are columns.

    ``run`` is ``kernel[grid, block]``, which is run with ``arguments`` and recorded as :func:`workbench.trace` does,
    for the block of the grid that ``block`` says; or it is a Trace of one block that was recorded before.

    A column is one step of each thread: its next access, shuffle or barrier. A grey line is a thread that has nothing
    left to do before the barrier, and waits. Between two barriers the order of different threads is not defined, so
    what stands in one column need not happen at one time. The first COLUMNS steps of the first ROWS threads are drawn.

    Updates: what the kernel writes, unless ``run`` is a Trace. Raises what :func:`workbench.trace` raises, and
    ValueError for a Trace of several blocks.
    """
    trace = recorded_block(run, arguments, block)
    marks, walls = _laid_out(trace)
    threads = math.prod(trace.block)
    steps = 1 + max((event.column for event in (*marks, *walls)), default=0)
    columns, rows = min(steps, COLUMNS), min(threads, ROWS)
    with mpl.rc_context(STYLE | {"font.size": 9, "axes.grid": False}):
        row = 0.17 if rows <= WARP else 0.085
        figure = Figure(figsize=(max(5.2, 1.2 + 0.17 * columns), 1.9 + row * max(rows, 4)), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(-0.8, columns - 0.2), ylim=(rows - 0.4, -0.6), ylabel="thread")
        axes.yaxis.set_major_locator(MultipleLocator(apart(rows)))
        for first in range(WARP, rows, WARP):
            axes.axhline(first - 0.5, color=GREY, linewidth=0.8, linestyle=":")
        handles = []
        for kind, style in MARKS.items():
            found = [(m.column, m.thread) for m in marks if m.kind == kind]
            if found:
                size = (26 if rows <= WARP else 13) * (0.6 if kind != "read" else 1)
                axes.scatter(*zip(*found, strict=True), s=size, linewidths=1.1, zorder=3, **style)
                handles.append(axes.scatter([], [], s=24, label=kind, **style))
        for wall in walls:
            _draw_wall(axes, wall)
        if walls:
            handles += axes.plot([], [], color="black", linewidth=2, label="barrier")
            handles += axes.plot([], [], color=GREY, linewidth=1.4, alpha=0.6, label="waits for the others")
        _name_columns(axes, marks, walls, columns)
        _name_phases(axes, [w.column for w in walls if w.of_block], columns)
        left_out = [f"{columns} of {steps:,} steps"] * (columns < steps) + [f"{rows} of {threads:,} threads"] * (
            rows < threads
        )
        title = f"{trace.kernel}: what each thread does between barriers"
        figure.suptitle(title + (f"\nthe first {' and '.join(left_out)}" if left_out else ""), fontsize=10)
        figure.legend(handles=handles, loc="outside lower right", ncols=len(handles) if columns > 24 else 3)
    barriers = sum(wall.of_block for wall in walls)
    alt = f"timeline of {trace.kernel}: {threads:,} threads, {barriers:,} barriers of the block, {steps:,} steps"
    return Picture(figure, alt)


def _laid_out(trace: Trace) -> tuple[list[Mark], list[Wall]]:
    """A column for everything that was recorded: one after the thread's last, or after the last of all who met."""
    at = dict.fromkeys(range(math.prod(trace.block)), 0)
    marks, walls, meeting = [], [], []
    for event in trace.steps:
        if meeting and not _meets(event, meeting):
            marks += _meet(meeting, at)
            meeting = []
        if hasattr(event, "element"):
            marks.append(Mark(at[event.thread], event.thread, event.kind, event.array))
            at[event.thread] += 1
        elif hasattr(event, "threads"):
            column = max(at[t] for t in event.threads)
            waited = {t: at[t] for t in event.threads}
            walls.append(Wall(column, waited, event.line, event.operation != "syncwarp"))
            at |= dict.fromkeys(event.threads, column + 1)
        elif not event.operation.startswith("syncthreads"):  # those are barriers too, and drawn as such
            meeting.append(event)
    return marks + _meet(meeting, at), walls


def _meets(event: Access | Barrier | Exchange, meeting: list[Exchange]) -> bool:
    """Whether an event is a part of the shuffle or vote whose other parts came right before."""
    first = meeting[0]
    return (
        hasattr(event, "source")
        and (event.operation, event.line, event.thread // WARP) == (first.operation, first.line, first.thread // WARP)
        and event.thread not in {e.thread for e in meeting}
    )


def _meet(meeting: list[Exchange], at: dict[int, int]) -> list[Mark]:
    """Updates: ``at``, past the column in which the lanes meet."""
    column = max((at[e.thread] for e in meeting), default=0)
    at |= {e.thread: column + 1 for e in meeting}
    return [Mark(column, e.thread, "shuffle or vote", e.operation) for e in meeting]


def _draw_wall(axes: Axes, wall: Wall) -> None:
    for thread, since in wall.waited.items():
        if since < wall.column:
            axes.plot([since - 0.4, wall.column], [thread] * 2, color=GREY, linewidth=1.4, alpha=0.6, zorder=1)
    width = 2 if wall.of_block else 1
    axes.vlines(wall.column, min(wall.waited) - 0.4, max(wall.waited) + 0.4, color="black", linewidth=width, zorder=2)


def _name_columns(axes: Axes, marks: list[Mark], walls: list[Wall], columns: int) -> None:
    names: dict[int, dict[str, None]] = {}
    for column, name in (*((m.column, m.name) for m in marks), *((w.column, f"line {w.line}") for w in walls)):
        names.setdefault(column, {})[name] = None
    shown = sorted(column for column in names if column < columns)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.set_xticklabels(["/".join(names[column]) for column in shown], rotation=90, fontsize=7)
    axes.set_xlabel("step of each thread: the array that it touches, or the line of the barrier")


def _name_phases(axes: Axes, walls: list[int], columns: int) -> None:
    ends = [-1, *(w for w in walls if w < columns), columns]
    for phase, (begin, end) in enumerate(itertools.pairwise(ends)):
        if end - begin > 1:
            place = axes.get_xaxis_transform()
            axes.text((begin + end) / 2, 1.01, f"phase {phase}", transform=place, ha="center", va="bottom", fontsize=8)
