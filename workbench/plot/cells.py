"""A map of the errors of the elements of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from workbench.plot.picture import BLUE, STYLE, Picture
from workbench.plot.ticks import apart

if TYPE_CHECKING:
    from workbench.gradients.error_map import ErrorMap

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
        axis.set_major_locator(FixedLocator(range(0, size * b, apart(size * b))))
        axis.set_major_formatter(FuncFormatter(lambda place, _, step=step: f"{int(place) * step:,}"))
    axes.set_title("\n".join(filter(None, (error_map.title, error_map.reduced))), fontsize=9, loc="left")
    part.legend(handles=handles, loc="outside lower left", ncols=3, handlelength=1.2)
