"""How a measured error spreads over many runs, one way beside another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, GREEN, ORANGE, STYLE, Picture

BINS = 40


def spread(errors: Mapping[str, Sequence[float]], unit: str = "ulp") -> Picture:
    """A histogram of the errors of each way, one beneath the other on one axis, for up to three ways.

    ``errors`` has the errors of every run by the name of the way, in ``unit``.

    Raises ValueError for no ways, more than three, and errors that are none, NaN or infinite.
    """
    if not 1 <= len(errors) <= 3:
        raise ValueError(f"spread draws one to three ways beneath each other, and {len(errors)} are given")
    runs = {name: np.asarray(values, np.float64) for name, values in errors.items()}
    for name, values in runs.items():
        if not values.size or not np.isfinite(values).all():
            raise ValueError(f"the errors of {name!r} have to be finite numbers, and at least one")
    every = np.concatenate(list(runs.values()))
    edges = _edges(every)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.9 + 1.3 * len(runs)), layout="constrained")
        panels = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values), colour in zip(panels, runs.items(), (ORANGE, BLUE, GREEN), strict=False):
            axes.hist(values, edges, color=colour)
            axes.axvline(0, color="black", linewidth=0.8)
            axes.set_title(f"{name}: typically {np.sqrt(np.mean(values**2)):.2g} {unit}", fontsize=10, loc="left")
            axes.set_ylabel("runs")
        panels[-1].set_xlabel(f"error ({unit})")
    shown = "; ".join(f"{name}, {values.min():.3g} to {values.max():.3g} {unit}" for name, values in runs.items())
    return Picture(figure, f"errors of {len(every):,} runs: {shown}")


def _edges(values: np.ndarray) -> np.ndarray:
    """Of columns that all hold the same number of the values' steps: rounded results lie a unit in the last place
    apart, and columns of another width would have gaps and spikes that are not in the data.
    """
    steps = np.diff(np.unique(values))
    step = steps.min() if steps.size else 1.0
    span = values.max() - values.min()
    width = step * max(np.ceil(span / step / BINS), 1)
    return values.min() - step / 2 + width * np.arange(np.floor((span + step / 2) / width) + 2)
