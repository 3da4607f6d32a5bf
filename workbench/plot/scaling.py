"""How long calls take, over the number of elements."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREEN, ORANGE, PURPLE, STYLE, Picture


def sizes(times: Mapping[str, Mapping[int, float]]) -> Picture:
    """The time of one call of each of several functions over the number of elements, both on logarithmic axes.

    ``times`` has for each function the seconds of a call by the number of elements.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for (name, seconds), colour, marker in zip(
            times.items(), (BLUE, ORANGE, GREEN, PURPLE), ("o", "s", "^", "D"), strict=False
        ):
            axes.plot(seconds.keys(), seconds.values(), marker=marker, markersize=4.5, color=colour, label=name)
        axes.set(xscale="log", yscale="log", xlabel="elements", ylabel="time of one call (s)")
        axes.legend()
    return Picture(figure, f"time of one call over the number of elements: {', '.join(times)}")
