"""What bandwidth and arithmetic allow, and what kernels reach of it."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREY, ORANGE, STYLE, Picture


def roofline(points: Mapping[str, tuple[float, float]], bandwidth: float, peak: float) -> Picture:
    """The rate of arithmetic that a machine allows, over arithmetic intensity, and kernels as points below it.

    ``points`` has for each kernel its arithmetic intensity in FLOP/byte, and the rate that it reaches in GFLOP/s; those
    left of the ridge, which bandwidth limits, are drawn apart from those right of it. ``bandwidth`` is in GB/s, and
    ``peak``, the rate that no intensity exceeds, in GFLOP/s.
    """
    ridge = peak / bandwidth
    places, rates = zip(*points.values(), strict=True)
    low, high = min(*places, ridge) / 2, max(*places, ridge) * 4
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.plot([low, ridge, high], [low * bandwidth, peak, peak], color=GREY, linewidth=2)
        axes.axvline(ridge, color=GREY, linestyle=":", linewidth=1)
        axes.text(high, peak * 1.08, f"{peak:.3g} GFLOP/s", color=GREY, ha="right", va="bottom")
        middle = (low * ridge) ** 0.5
        axes.text(middle, middle * bandwidth * 1.25, f"{bandwidth:.3g} GB/s", color=GREY, ha="right", va="bottom")
        for name, (intensity, rate) in points.items():
            limited = intensity < ridge
            axes.plot(intensity, rate, "o" if limited else "s", color=BLUE if limited else ORANGE, markersize=7)
            axes.annotate(name, (intensity, rate), (6, -5), textcoords="offset points", va="top", fontsize=9)
        axes.set(xscale="log", yscale="log", xlim=(low, high))
        axes.set(xlabel="arithmetic intensity (FLOP/byte)", ylabel="rate of arithmetic (GFLOP/s)")
        axes.set_ylim(min(*rates, low * bandwidth) / 2, max(*rates, peak) * 2)
        axes.set_title("bandwidth limits what is left of the dotted line, arithmetic what is right of it", fontsize=10)
    shown = ", ".join(f"{name} {rate:.3g} GFLOP/s" for name, (_, rate) in points.items())
    return Picture(figure, f"roofline of {bandwidth:.3g} GB/s and {peak:.3g} GFLOP/s: {shown}")
