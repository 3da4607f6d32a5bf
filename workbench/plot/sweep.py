"""The error of a finite difference against its step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREEN, ORANGE, STYLE, Picture

if TYPE_CHECKING:
    from workbench.gradients.step_sweep import StepSweep


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
