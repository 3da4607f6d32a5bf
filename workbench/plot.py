"""Pictures of what the other tools found. Each function takes data and returns a Picture.

A picture stands on white in a light and in a dark notebook alike, and its colours can be told apart by people who see
red and green the same (M. Okabe and K. Ito, 2008).
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import ConnectionPatch, Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from workbench.gradients.error_map import ErrorMap, power_of_two
from workbench.gradients.step_sweep import StepSweep

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Exchange, Trace

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"

STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


class Picture:
    """A finished figure: shows itself in a notebook, and saves itself to a file."""

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure, self.alt = figure, alt

    def png(self) -> bytes:
        """The picture as a PNG file of 160 dots per inch."""
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=160, facecolor="white", metadata={"Software": None})
        return out.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the PNG to ``path``."""
        Path(path).write_bytes(self.png())

    def html(self) -> str:
        """An ``<img>`` that holds the picture itself, and what it shows in words."""
        data, width = base64.b64encode(self.png()).decode(), int(self.figure.get_figwidth() * 96)
        alt = html.escape(self.alt)
        return f'<img width="{width}" style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        width = int(self.figure.get_figwidth() * 96)
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"width": width}}


def loss_curves(curves: Mapping[str, Sequence[float]]) -> Picture:
    """The loss of two trainings at every step, one over the other, and how far they are apart.

    ``curves`` has the curve to judge first and the one to judge it by second.
    """
    (name, mine), (base, theirs) = curves.items()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(theirs, color=ORANGE, linewidth=5, alpha=0.45, label=base)
        left.plot(mine, color=BLUE, linewidth=1.4, label=name)
        left.set(xlabel="training step", ylabel="loss (nats a sample)", yscale="log", title="the loss")
        left.legend()
        # steps where the two agree to the last bit have no place on a logarithmic axis
        apart = [abs(a - b) / abs(b) or float("nan") for a, b in zip(mine, theirs, strict=True)]
        right.plot(apart, ".", color=BLUE, markersize=3)
        right.axhline(1e-4, color=GREY, linestyle="--", linewidth=1)
        right.text(0, 1.2e-4, "1e-4", color=GREY, va="bottom")
        right.set(xlabel="training step", ylabel="relative difference", yscale="log", title="how far apart")
        right.set_ylim(1e-8, 1e-3)
    return Picture(figure, f"loss curves of {name} and {base}; they differ by at most {_largest(apart):.1e}")


def _largest(values: Sequence[float]) -> float:
    return max((v for v in values if v == v), default=0.0)


def step_sweep(sweep: StepSweep) -> Picture:
    """The error of a difference against its step, one V for each dtype, with the step chosen by theory marked."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for (dtype, errors), colour, marker in zip(
            sweep.errors.items(), (ORANGE, BLUE, GREEN), ("s", "o", "^"), strict=False
        ):
            # an error of exactly zero has no place on a logarithmic axis
            drawn = [e or float("nan") for e in errors]
            step, error = sweep.chosen[dtype]
            label = f"{dtype}; the chosen step {step:.0e} (large mark) errs by {error:.0e}"
            axes.plot(sweep.steps, drawn, marker=marker, markersize=3.5, color=colour, label=label)
            axes.plot(step, error or float("nan"), marker=marker, markersize=10, color=colour, markerfacecolor="none")
        axes.set(xscale="log", yscale="log", xlabel="step (in units of the input)", ylabel="relative error")
        axes.set_title(f"a {sweep.scheme} difference: rounding on the left, truncation on the right")
        figure.legend(loc="outside lower center")
    return Picture(figure, f"relative error of a {sweep.scheme} difference against its step, by dtype")


def predictions(images: torch.Tensor, labels: torch.Tensor, predicted: torch.Tensor, title: str) -> Picture:
    """Images [n, height, width] in a row of twelve each, under what was predicted; mistakes say what was right."""
    columns = 12
    rows = -(-len(images) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 1.0 * rows + 0.5), layout="constrained")
        figure.suptitle(title, fontsize=11)
        for k, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
            axes.set_axis_off()
            if k >= len(images):
                continue
            right = int(labels[k]) == int(predicted[k])
            axes.imshow(images[k].cpu().numpy(), cmap="gray_r", interpolation="nearest")
            said = f"{int(predicted[k])}" if right else f"{int(predicted[k])}, is {int(labels[k])}"
            axes.set_title(said, fontsize=9, color=BLUE if right else ORANGE, fontweight="normal" if right else "bold")
    return Picture(figure, title)


RIGHT, ENDLESS = "#e3e3e3", BLUE
"""Cells that are right, and cells whose error is NaN or infinite."""

HEAT = LinearSegmentedColormap.from_list("heat", ["#f6b26b", "#D55E00", "#3d1300"])
"""From a small error to a large one: one hue that darkens, beside a pale grey and a blue."""


def errors(maps: Sequence[ErrorMap]) -> Picture:
    """The error of each element of one or several tensors, one beneath the other, with the first wrong one ringed."""
    heights = [1.1 + min(max(3.2 * m.cells.shape[0] / m.cells.shape[1], 0.8), 3.6) for m in maps]
    with mpl.rc_context(STYLE | {"font.size": 9, "axes.grid": False}):
        figure = Figure(figsize=(6.4, sum(heights)), layout="constrained")
        parts = figure.subfigures(len(maps), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, error_map in zip(parts, maps, strict=True):
            _draw_errors(part, error_map)
    return Picture(figure, " ".join(m.caption for m in maps))


def _draw_errors(part: SubFigure, error_map: ErrorMap) -> None:
    axes = part.subplots()
    cells = error_map.cells.numpy()
    down, across = error_map.block
    edges_x, edges_y = (
        np.arange(size + 1) * b - 0.5 for size, b in zip(cells.shape[::-1], (across, down), strict=True)
    )
    few = max(cells.shape) <= 64
    lines = {"edgecolors": "white", "linewidth": 0.4} if few else {"edgecolors": "none"}
    ends = np.isinf(cells)
    wrong = (cells > error_map.allowed) & ~ends
    handles = []
    for where, colour, name in (
        (cells <= error_map.allowed, RIGHT, f"right, to {error_map.allowed:.2g} ulp"),
        (ends, ENDLESS, "NaN or infinite"),
    ):
        if where.any():
            flat = LinearSegmentedColormap.from_list(name, [colour, colour])
            axes.pcolormesh(edges_x, edges_y, np.where(where, 1.0, np.nan), cmap=flat, **lines)
            handles.append(Patch(color=colour, label=name))
    if wrong.any():
        low, high = 10 ** np.floor(np.log10(cells[wrong].min())), 10 ** np.ceil(np.log10(cells[wrong].max()))
        norm = LogNorm(low, max(high, 10 * low))
        axes.pcolormesh(edges_x, edges_y, np.where(wrong, cells, np.nan), cmap=HEAT, norm=norm, **lines)
        bar = part.colorbar(ScalarMappable(norm, HEAT), ax=axes, pad=0.02, fraction=0.05)
        bar.set_label("error (ulp)")
        bar.minorticks_off()
        bar.outline.set_visible(False)
    row, column = error_map.place
    x, y = (edges_x[column // across] + across / 2, edges_y[row // down] + down / 2)
    ring = {"marker": "o", "linestyle": "none", "markersize": 9, "markerfacecolor": "none", "clip_on": False}
    axes.plot(x, y, markeredgecolor="white", markeredgewidth=3.2, **ring)
    first = f"first wrong: {list(error_map.first)}"
    handles += axes.plot(x, y, markeredgecolor="black", markeredgewidth=1.3, label=first, **ring)
    axes.set(xlabel=error_map.axes[1], ylabel=error_map.axes[0], xlim=edges_x[[0, -1]], ylim=edges_y[[-1, 0]])
    axes.spines[:].set_visible(False)
    for axis, size, b, step in (
        (axes.xaxis, cells.shape[1], across, 1),
        (axes.yaxis, cells.shape[0], down, error_map.step),
    ):
        apart = power_of_two(size * b / 8)
        axis.set_major_locator(FixedLocator(range(0, size * b, apart)))
        axis.set_major_formatter(FuncFormatter(lambda place, _, step=step: f"{int(place) * step:,}"))
    axes.set_title("\n".join(filter(None, (error_map.title, error_map.reduced))), fontsize=9, loc="left")
    part.legend(handles=handles, loc="outside lower left", ncols=3, handlelength=1.2)


ACCESSES = {
    "read": {"marker": "o", "facecolors": "none", "edgecolors": BLUE},
    "write": {"marker": "s", "facecolors": ORANGE, "edgecolors": "none"},
    "atomic": {"marker": "^", "facecolors": GREEN, "edgecolors": "none"},
}
"""How each kind of access is drawn; a write is small enough to lie inside a read of the same element."""

PHASES = 10
"""Phases that one picture has room for."""

GAP = 0.08
"""Inches between a barrier and what is beside it."""


def threads(trace: Trace) -> Picture:
    """Which thread read and wrote which element: a row for each array, a column between one barrier and the next.

    Threads are on x, those of several blocks side by side, and elements on y, in the order of memory. A last row has
    the shuffles: for each thread, whom it got its value from. The first PHASES phases are drawn.
    """
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
    counts = ", ".join(f"{sum(a.kind == kind for a in trace.accesses):,} {kind}s" for kind in kinds)
    return Picture(
        figure, f"{trace.kernel}: which thread read and wrote what, in {phases:,} phases: {counts or 'nothing'}"
    )


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
    turns: list[dict[tuple, Exchange]] = []
    for event in shuffles:  # a thread's next shuffle is in the next turn
        who = (event.block, event.thread)
        turn = next((t for t in turns if who not in t), None)
        if turn is None:
            turns.append(turn := {})
        turn[who] = event
    for number, turn in enumerate(turns):
        other = [e for e in turn.values() if e.source != e.thread]
        x = [_column(trace, e.block, e.thread) for e in other]
        y = [e.source for e in other]
        shade = mpl.colormaps["Purples"](0.45 + 0.5 * (number + 1) / len(turns))
        axes.scatter(x, y, s=_dot(trace) * 0.6, marker="D", color=shade, linewidths=0, zorder=3)
        if len(turns) > 1 and other:
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
