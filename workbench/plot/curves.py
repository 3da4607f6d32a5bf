"""The loss of two trainings, over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREY, ORANGE, STYLE, Picture


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
