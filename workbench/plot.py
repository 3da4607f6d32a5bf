"""Pictures of what the other tools found. Each function takes data and returns a Picture.

A picture stands on white in a light and in a dark notebook alike, and its colours can be told apart by people who see
red and green the same (M. Okabe and K. Ito, 2008).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.figure import Figure

from workbench.gradients.finite_difference import StepSweep

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
    """The error of a central difference against its step, one V for each dtype, with its best step marked."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for (dtype, errors), colour, marker in zip(
            sweep.errors.items(), (ORANGE, BLUE, GREEN), ("s", "o", "^"), strict=False
        ):
            # an error of exactly zero has no place on a logarithmic axis
            drawn = [e or float("nan") for e in errors]
            axes.plot(sweep.steps, drawn, marker=marker, markersize=3.5, color=colour, label=dtype)
            best = min(range(len(errors)), key=lambda k: errors[k] or float("inf"))
            axes.plot(
                sweep.steps[best], errors[best], marker=marker, markersize=10, color=colour, markerfacecolor="none"
            )
            axes.annotate(
                f"{errors[best]:.0e} at {sweep.steps[best]:.0e}",
                (sweep.steps[best], errors[best]),
                textcoords="offset points",
                xytext=(0, -18),
                ha="center",
                color=colour,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        axes.set(xscale="log", yscale="log", xlabel="step (in units of the input)", ylabel="relative error")
        axes.margins(y=0.14)
        axes.set_title("a central difference: rounding on the left, truncation on the right")
        axes.legend()
    return Picture(figure, "relative error of a central difference against its step, by dtype")


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
