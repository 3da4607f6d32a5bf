"""One finite difference: the curve that a dtype holds, the secant through it, and its error among those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.plot.picture import BLUE, GREEN, GREY, ORANGE, STYLE, Picture

if TYPE_CHECKING:
    from workbench.gradients.secant import Secant


def secant(drawn: Secant) -> Picture:
    """What :func:`workbench.secant` found: the secant beside the tangent, and the error of the slope.

    On the left the window is as wide as the step asks for, so that a small step shows the values of the dtype as the
    staircase that they are. On the right is the error of every step, this one marked.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6))
        left, right = figure.subplots(1, 2)
        # where the axes are does not depend on their numbers, so that a slider's pictures lie on each other
        figure.subplots_adjust(left=0.09, right=0.98, bottom=0.15, top=0.85, wspace=0.28)
        _draw_curve(left, drawn)
        # an error of exactly zero has no place on a logarithmic axis
        errors = [error or float("nan") for error in drawn.errors.values()]
        right.plot(list(drawn.errors), errors, color=BLUE, marker="o", markersize=3)
        ring = {"color": ORANGE, "marker": "o", "markersize": 11, "markerfacecolor": "none"}
        right.plot(drawn.step, drawn.error or float("nan"), **ring)
        right.axvline(drawn.step, color=ORANGE, linewidth=0.8)
        right.set(xscale="log", yscale="log", xlabel="step (in units of x)", ylabel="relative error of the slope")
        figure.suptitle(str(drawn), fontsize=10)
    return Picture(figure, str(drawn))


def _draw_curve(axes: Axes, drawn: Secant) -> None:
    """Values less that at the point, against the distance from it."""
    distance, across, rises = drawn.distance, drawn.across, drawn.rises
    axes.plot(distance, drawn.held, color=BLUE, label=f"values in {drawn.dtype}")
    axes.plot(distance, drawn.curve, color=GREY, linestyle=":", label="the curve")
    axes.plot(distance, drawn.derivative * distance, color=GREEN, linestyle="--", label="tangent")
    axes.plot(distance, rises[0] + drawn.slope * (distance - across[0]), color=ORANGE, label="secant")
    axes.plot(across, rises, color=ORANGE, linestyle="none", marker="o", markersize=6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(style="sci", scilimits=(-2, 2))
    axes.set(xlabel="distance from x", ylabel="f minus f(x)")
    axes.legend(fontsize=8)
