"""One shuffle of a warp: which lane gets its value from which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREY, STYLE, Picture
from workbench.plot.recorded import recorded_block, turns

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Trace
    from workbench.stepping import Block

WARP = 32

SOURCES = {
    "shfl_sync": lambda lane, number: number % WARP,
    "shfl_up_sync": lambda lane, number: lane - number,
    "shfl_down_sync": lambda lane, number: lane + number,
    "shfl_xor_sync": lambda lane, number: lane ^ number,
}
"""The lane that a lane asks, in a whole warp; where there is no such lane, it keeps its own value."""


class Shuffled(NamedTuple):
    """One lane's part in a shuffle."""

    lane: int
    source: int
    given: Any = None
    value: Any = None


def lanes(run: Trace | str | Any, *arguments: Any, step: int = 0, warp: int = 0, block: Block = 0) -> Picture:
    """One shuffle of a warp as arrows, from the lane that hands a value out to the lane that gets it.

    ``run`` is ``kernel[grid, block]``, which is run with ``arguments`` and recorded as :func:`workbench.trace` does;
    or a Trace of one block; or the name of a shuffle, such as ``"shfl_down_sync"``, where the one argument is its lane,
    offset or mask, for a picture without values. ``step`` says which shuffle of the kernel, and ``warp`` which warp of
    the block, both counted from 0.

    Updates: what the kernel writes, where one is run. Raises what :func:`workbench.trace` raises, and ValueError for a
    Trace of several blocks, a shuffle that is not there and a name that is none.
    """
    if isinstance(run, str):
        title, parts = _named(run, *arguments)
    else:
        title, parts = _recorded(recorded_block(run, arguments, block), step, warp)
    upright = all(len(_shown(value)) <= 4 for part in parts for value in (part.given, part.value))
    with mpl.rc_context(STYLE | {"font.size": 9, "axes.grid": False}):
        figure = Figure(figsize=(9.6, 2.3 if upright else 3.3), layout="constrained")
        axes = figure.subplots()
        for part in parts:
            _draw(axes, part, 0 if upright else 90)
        axes.set(xlim=(-0.7, WARP - 0.3), ylim=(-0.28, 1.28), xlabel="lane of the warp", xticks=range(WARP))
        axes.set_yticks([1, 0], ["hands out", "gets"])
        axes.tick_params(length=0, labelsize=8)
        axes.spines[:].set_visible(False)
        axes.set_title(title, fontsize=10)
    moved = sum(part.source != part.lane for part in parts)
    return Picture(figure, f"{title}: {moved} of {len(parts)} lanes get another lane's value")


def _named(operation: str, number: int) -> tuple[str, list[Shuffled]]:
    if operation not in SOURCES:
        raise ValueError(f"there is no shuffle {operation!r}; there are {', '.join(SOURCES)}")
    asked = {lane: SOURCES[operation](lane, number) for lane in range(WARP)}
    parts = [Shuffled(lane, source if 0 <= source < WARP else lane) for lane, source in asked.items()]
    return f"{operation}(mask, value, {number})", parts


def _recorded(trace: Trace, step: int, warp: int) -> tuple[str, list[Shuffled]]:
    first = warp * WARP
    shuffles = [e for e in trace.exchanges if e.source is not None and e.thread // WARP == warp]
    rounds = turns(shuffles)
    if not 0 <= step < len(rounds):
        raise ValueError(
            f"{trace.kernel}: warp {warp} of the block makes {len(rounds)} shuffles, so there is no step {step}; "
            "steps and warps count from 0"
        )
    events = rounds[step]
    parts = [Shuffled(e.thread - first, e.source - first, e.given, e.value) for e in events]
    which = f"shuffle {step} of 0 to {len(rounds) - 1}" + (f", warp {warp}" if warp else "")
    return f"{trace.kernel}, {which}: {events[0].operation}, line {events[0].line}", parts


def _shown(value: Any) -> str:
    if value is None:
        return "  "
    return str(int(value)) if np.issubdtype(np.asarray(value).dtype, np.integer) else f"{value:.3g}"


def _draw(axes: Axes, part: Shuffled, rotation: float) -> None:
    moved = part.source != part.lane
    colour, width = (BLUE, 1.2) if moved else (GREY, 0.8)
    away = 0.14 if rotation == 0 else 0.2
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    ends = (part.lane, away), (part.source, 1 - away)
    axes.annotate("", *ends, arrowprops=arrow | {"linestyle": "-" if moved else ":"})
    for y, value, edge in ((1, part.given, GREY), (0, part.value, colour)):
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": edge, "linewidth": 0.9}
        text = {"ha": "center", "va": "center", "fontsize": 7, "rotation": rotation, "bbox": box}
        axes.text(part.lane, y, _shown(value), **text)
