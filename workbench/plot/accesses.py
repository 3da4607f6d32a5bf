"""Which thread read and wrote which element, phase by phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from workbench.plot.picture import GREY, STYLE, Picture
from workbench.plot.recorded import ACCESSES, recorded, turns

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Exchange, Trace
    from workbench.stepping import Block

PHASES = 10
"""Phases that one picture has room for."""

GAP = 0.08
"""Inches between a barrier and what is beside it."""


def threads(run: Trace | Any, *arguments: Any, block: Block = 0) -> Picture:
    """Which thread read and wrote which element: a row for each array, a column between one barrier and the next.

    ``run`` is ``kernel[grid, block]``, which is run with ``arguments`` and recorded as :func:`workbench.trace` does,
    for the block of the grid that ``block`` says (None: all); or it is a Trace that was recorded before.

    Threads are on x, those of several blocks side by side, and elements on y, in the order of memory. A last row has
    the shuffles: for each thread, whom it got its value from. The first PHASES phases are drawn.

    Updates: what the kernel writes, unless ``run`` is a Trace. Raises what :func:`workbench.trace` raises.
    """
    trace = recorded(run, arguments, block)
    phases = 1 + max((event.phase for event in (*trace.accesses, *trace.exchanges)), default=0)
    columns = min(phases, PHASES)
    arrays = list(dict.fromkeys(access.array for access in trace.accesses))
    shuffles = [e for e in trace.exchanges if e.source is not None]
    spans = {name: _span(trace, name) for name in arrays}
    heights = [min(max(high - low + 1, 6), 32) for low, high in spans.values()] + [24] * bool(shuffles)
    count = math.prod(trace.block)
    with mpl.rc_context(STYLE | {"font.size": 9, "axes.grid": False}):
        wide = min(3.2 + 0.4 * len(trace.blocks), 8) if columns == 1 else 1.5
        figure = Figure(figsize=(max(4.5, 1 + wide * columns), 1.3 + 0.075 * sum(heights)), layout="constrained")
        grid = figure.subplots(
            max(len(heights), 1), columns, sharex=True, sharey="row", squeeze=False, height_ratios=heights or [1]
        )
        for row, name in zip(grid, arrays, strict=False):
            low, high = spans[name]
            row[0].set_ylabel(f"{name}\n{trace.arrays[name].space}")
            row[0].set_ylim(low - 0.8, high + 0.8)
            row[0].yaxis.set_major_locator(FixedLocator([low]) if low == high else MaxNLocator(5, integer=True))
            for phase, axes in enumerate(row):
                _draw_accesses(axes, trace, name, phase)
        if shuffles:
            grid[-1][0].set_ylabel("shuffle\nfrom thread")
            grid[-1][0].set_ylim(-0.8, count + 2)
            for phase, axes in enumerate(grid[-1]):
                _draw_shuffles(axes, [e for e in shuffles if e.phase == phase], trace)
        for phase, column in enumerate(grid.T):
            column[0].set_title(f"phase {phase}", fontsize=9)
            column[0].set_xlim(-0.8, count * len(trace.blocks) - 0.2)
            column[0].xaxis.set_major_locator(MaxNLocator(4, integer=True))
            column[-1].set_xlabel("thread" if len(trace.blocks) == 1 else "thread, block after block")
            for axes in column:
                axes.grid(True)
                for block in range(1, len(trace.blocks)):
                    axes.axvline(block * count - 0.5, color=GREY, linewidth=0.8, linestyle=":")
            if phase:
                _draw_barrier(figure, column, trace, phase - 1)
        figure.supylabel("element, in the order of the array", fontsize=9)
        figure.get_layout_engine().set(w_pad=GAP)
        left_out = f"; the first {columns} of {phases:,} phases" if phases > columns else ""
        figure.suptitle(f"{trace.kernel}: who read and wrote what{left_out}", fontsize=10)
        kinds = [kind for kind in ACCESSES if any(access.kind == kind for access in trace.accesses)]
        handles = [figure.axes[0].scatter([], [], s=22, label=kind, **ACCESSES[kind]) for kind in kinds]
        if phases > 1:
            handles += figure.axes[0].plot([], [], color="black", linewidth=2, label="barrier")
        figure.legend(handles=handles, loc="outside lower right", ncols=4)
    counts = ", ".join(_counted(sum(a.kind == kind for a in trace.accesses), kind) for kind in kinds)
    length = _counted(phases, "phase")
    return Picture(figure, f"{trace.kernel}: which thread read and wrote what, in {length}: {counts or 'nothing'}")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _column(trace: Trace, block: tuple[int, int, int], thread: int) -> int:
    """Where a thread stands on x."""
    return trace.blocks.index(block) * math.prod(trace.block) + thread


def _flat(trace: Trace, name: str, element: tuple[int, ...]) -> int:
    shape = trace.arrays[name].shape
    return int(np.ravel_multi_index(element, shape)) if shape else 0


def _span(trace: Trace, name: str) -> tuple[int, int]:
    """The first and the last element of an array that were touched."""
    touched = [_flat(trace, name, a.element) for a in trace.accesses if a.array == name]
    return min(touched), max(touched)


def _draw_accesses(axes: Axes, trace: Trace, name: str, phase: int) -> None:
    size = _dot(trace)
    for kind, style in ACCESSES.items():
        found = {
            (_column(trace, a.block, a.thread), _flat(trace, name, a.element))
            for a in trace.accesses
            if (a.array, a.phase, a.kind) == (name, phase, kind)
        }
        if found:
            x, y = zip(*sorted(found), strict=True)
            axes.scatter(x, y, s=size * (0.55 if kind == "write" else 1), linewidths=0.9, zorder=3, **style)


def _draw_shuffles(axes: Axes, shuffles: list[Exchange], trace: Trace) -> None:
    """The shuffles of a phase, numbered in their order; who keeps its own value has no mark."""
    rounds = turns(shuffles)
    for number, turn in enumerate(rounds):
        other = [e for e in turn if e.source != e.thread]
        x = [_column(trace, e.block, e.thread) for e in other]
        y = [e.source for e in other]
        shade = mpl.colormaps["Purples"](0.45 + 0.5 * (number + 1) / len(rounds))
        axes.scatter(x, y, s=_dot(trace) * 0.6, marker="D", color=shade, linewidths=0, zorder=3)
        if len(rounds) > 1 and other:
            axes.annotate(str(number + 1), (x[-1], y[-1]), (0, 4), textcoords="offset points", fontsize=7, ha="center")


def _dot(trace: Trace) -> float:
    return 14 if math.prod(trace.block) * len(trace.blocks) <= 64 else 6


def _draw_barrier(figure: Figure, column: Sequence[Axes], trace: Trace, phase: int) -> None:
    """The barrier of the block that ends ``phase``, to the left of the column after it, with its line."""
    for axes in column:
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", left=False)
    middle = ScaledTranslation(-GAP, 0, figure.dpi_scale_trans)
    top, bottom = column[0].transAxes + middle, column[-1].transAxes + middle
    line = ConnectionPatch((0, 1.02), (0, -0.05), top, bottom, color="black", linewidth=2)
    line.set_in_layout(False)
    figure.add_artist(line)
    lines = sorted({b.line for b in trace.barriers if b.phase == phase and b.operation != "syncwarp"})
    said = f"line {', '.join(map(str, lines))}"
    column[0].text(0, 1.03, said, transform=top, fontsize=7, ha="center", va="bottom", in_layout=False)
