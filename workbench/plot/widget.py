"""A slider over the values of one thing, with the picture of each; a still where no kernel runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.figure import Figure

from workbench.plot.picture import Picture


class Slider:
    """What :func:`slider` returns: shows itself in a notebook, live, with the picture of the start value as a still."""

    def __init__(self, draw: Callable[[Any], Figure | Picture], name: str, values: list[Any], at: int) -> None:
        import ipywidgets

        # each value is drawn once, so that going back and forth is as quick as the browser
        self._picture = functools.cache(lambda index: _finished(draw(values[index]), f"{name} = {values[index]}"))
        self.still = self._picture(at)
        labels = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        self.control = ipywidgets.SelectionSlider(
            options=[(label, index) for index, label in enumerate(labels)],
            index=at,
            description=name,
            style={"description_width": "initial"},
            layout={"width": "28em", "max_width": "100%"},
        )
        self.image = ipywidgets.Image(value=self.still.png(), width=self.still.width, layout={"max_width": "100%"})
        self.control.observe(self._show, "index")
        self.widget = ipywidgets.VBox([self.control, self.image])

    def _show(self, change: Any) -> None:
        self.image.value = self._picture(change["new"]).png()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        live = self.widget._repr_mimebundle_()
        data, metadata = self.still._repr_mimebundle_()
        return live | data, metadata


def slider(draw: Callable[[Any], Figure | Picture], *, start: Any = None, **values: Iterable[Any]) -> Slider:
    """A slider of one thing and the picture that belongs to it, as in ``slider(draw, step=steps, start=1e-3)``.

    ``draw(value)`` returns a matplotlib Figure or a Picture of this package, and is called once for each value that is
    looked at; a pyplot figure is closed. The one keyword names what is moved and has the values to choose from, in
    order. ``start`` is the value to begin with; by default the first. Left and right arrow keys move it.

    Where no kernel runs, as on a page, the picture of ``start`` is what is seen.

    Raises ValueError for no values and a ``start`` that is none of them, TypeError for another number of keywords than
    one and a ``draw`` that returns no picture, and ModuleNotFoundError where ipywidgets is not installed.
    """
    if len(values) != 1:
        raise TypeError(f"a slider moves one thing, and {len(values)} are given: slider(draw, step=[1, 2, 3])")
    ((name, given),) = values.items()
    choices = list(given)
    if not choices:
        raise ValueError(f"there are no values of {name} to choose from")
    if start is not None and start not in choices:
        raise ValueError(f"start={start!r} is none of the values of {name}: {', '.join(map(str, choices))}")
    try:
        import ipywidgets  # noqa: F401
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'a slider needs ipywidgets; run: pip install -e ".[lab]"', name="ipywidgets"
        ) from None
    return Slider(draw, name, choices, 0 if start is None else choices.index(start))


def _finished(drawn: Figure | Picture, alt: str) -> Picture:
    if isinstance(drawn, Picture):
        return drawn
    if not isinstance(drawn, Figure):
        raise TypeError(f"draw returned {type(drawn).__name__} for {alt}; let it return a matplotlib Figure")
    from matplotlib import pyplot

    pyplot.close(drawn)  # pyplot keeps its figures, and a notebook shows those that are left at the end of a cell
    return Picture(drawn, alt)
