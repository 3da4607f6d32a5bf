"""Functions drawn over one axis, such as a value beside its gradient."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.plot.picture import BLUE, GREEN, GREY, ORANGE, PURPLE, STYLE, Picture

LOOKS = (
    (BLUE, "-", 3.2, "o"),
    (ORANGE, "--", 1.8, "s"),
    (GREEN, "-.", 1.8, "^"),
    (PURPLE, ":", 2.2, "D"),
    (GREY, (0, (5, 1, 1, 1, 1, 1)), 1.4, "v"),
)
"""A colour, a dash, a width and a marker for each curve; the first is wide, so that it shows beneath another."""


def functions(
    x: torch.Tensor,
    panels: Mapping[str, Mapping[str, torch.Tensor]],
    *,
    xlabel: str = "x",
    ylabel: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
) -> Picture:
    """Curves over ``x`` [n], a panel for each entry of ``panels``: its title, and its curves [n] by name.

    A curve of one name looks the same in every panel. Over an ``x`` of integers it is markers, since there is nothing
    between them. Where a value is NaN or infinite the curve has a gap; on a
    logarithmic scale, so it has where the value is 0. ``xscale`` and ``yscale`` are matplotlib's names of scales.

    Raises ValueError for a curve that is not of the shape of ``x``, and for more names than there are looks.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    if len(names) > len(LOOKS):
        raise ValueError(f"there are {len(names)} names, and looks for {len(LOOKS)}; draw two pictures")
    across = x.detach().cpu().numpy()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(5.6, 4.2 * len(panels)), 3.6), layout="constrained")
        drawn = {}
        for axes, (title, curves) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            for name, y in curves.items():
                if y.shape != x.shape:
                    raise ValueError(f"{name} in {title} has shape {tuple(y.shape)}, and x has {tuple(x.shape)}")
                colour, dash, width, marker = LOOKS[names.index(name)]
                y = y.detach().cpu().double()
                shown = y.where(y.isfinite() & ((y > 0) | (yscale != "log")), float("nan"))
                look = {"linestyle": dash, "linewidth": width}
                if not x.is_floating_point():
                    look = {"linestyle": "none", "marker": marker, "markersize": 2.4 * width}
                drawn[name] = axes.plot(across, shown.numpy(), **look, color=colour, label=name)[0]
            axes.set(xlabel=xlabel, title=title, xscale=xscale, yscale=yscale)
            if yscale == "linear" and not any(y.is_floating_point() for y in curves.values()):
                axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.supylabel(ylabel, fontsize=10)
        figure.legend(handles=list(drawn.values()), loc="outside lower center", ncols=min(len(names), 3))
    return Picture(figure, f"{' and '.join(panels)} over {xlabel}: {', '.join(names)}")
