"""A finished figure, and the colours and the style that all pictures share."""

from __future__ import annotations

import base64
import functools
import html
import io
from pathlib import Path

from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"

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

    @property
    def width(self) -> int:
        """How wide it is shown, in CSS pixels, of which an inch has 96."""
        return int(self.figure.get_figwidth() * 96)

    def png(self) -> bytes:
        """The picture as a PNG file of 160 dots per inch."""
        return self._file

    @functools.cached_property
    def _file(self) -> bytes:
        # once: a second drawing would lie a little elsewhere, since a layout begins where the last one ended
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=160, facecolor="white", metadata={"Software": None})
        return out.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the PNG to ``path``."""
        Path(path).write_bytes(self.png())

    def html(self) -> str:
        """An ``<img>`` that holds the picture itself, and what it shows in words."""
        data, alt = base64.b64encode(self.png()).decode(), html.escape(self.alt)
        return f'<img width="{self.width}" style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"width": self.width}}
