"""Images under what was predicted for them."""

from __future__ import annotations

import matplotlib as mpl
import torch
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, ORANGE, STYLE, Picture


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
