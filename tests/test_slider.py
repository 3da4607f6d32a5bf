"""A slider: what it draws when moved, the still beside the live view, and what it refuses."""

import subprocess
import sys

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from workbench import plot

pytest.importorskip("ipywidgets", reason="needs the lab extra")

VIEW = "application/vnd.jupyter.widget-view+json"


class Drawing:
    """draw(value), which counts how often each value was drawn."""

    def __init__(self):
        self.drawn = []

    def __call__(self, value):
        self.drawn.append(value)
        figure, axes = pyplot.subplots(figsize=(3, 2))
        axes.plot([0, value])
        return figure


def test_it_shows_the_start_and_then_what_it_is_moved_to():
    draw = Drawing()
    slider = plot.slider(draw, step=[1, 2, 3], start=2)
    assert draw.drawn == [2]
    assert slider.image.value == slider.still.png()
    slider.control.index = 2
    assert draw.drawn == [2, 3]
    assert slider.image.value != slider.still.png()
    slider.control.index = 1
    assert slider.image.value == slider.still.png()
    assert draw.drawn == [2, 3]  # not drawn again


def test_no_figure_is_left():
    slider = plot.slider(Drawing(), step=range(5))
    slider.control.index = 4
    assert pyplot.get_fignums() == []


def test_the_still_stands_beside_the_live_view():
    slider = plot.slider(Drawing(), step=[0.1, 0.25], start=0.25)
    slider.control.index = 0
    data, metadata = slider._repr_mimebundle_()
    assert data[VIEW]["model_id"] == slider.widget.model_id
    assert data["image/png"] == slider.still.png() != slider.image.value
    assert data["text/plain"] == "step = 0.25"
    assert metadata["image/png"]["width"] == 3 * 96


def test_a_picture_is_the_same_each_time():
    slider = plot.slider(lambda offset: plot.lanes("shfl_down_sync", offset), offset=[16, 8])
    first, second = slider.still.png(), slider.still.png()
    assert first == second
    slider.control.index = 1
    seen = slider.image.value
    slider.control.index = 0
    assert slider.image.value == first
    slider.control.index = 1
    assert slider.image.value == seen


def test_a_picture_keeps_its_own_words():
    slider = plot.slider(lambda offset: plot.lanes("shfl_down_sync", offset), offset=[16, 8])
    assert slider._repr_mimebundle_()[0]["text/plain"] == plot.lanes("shfl_down_sync", 16).alt


def test_labels_are_the_values():
    slider = plot.slider(lambda _: Figure((1, 1)), h=[1e-3, 1 / 3, 2])
    assert [label for label, _ in slider.control.options] == ["0.001", "0.3333", "2"]
    assert slider.control.description == "h"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, TypeError, "a slider moves one thing, and 0 are given"),
        ({"a": [1], "b": [2]}, TypeError, "a slider moves one thing, and 2 are given"),
        ({"a": []}, ValueError, "there are no values of a to choose from"),
        ({"a": [1, 2], "start": 3}, ValueError, "start=3 is none of the values of a: 1, 2"),
    ],
)
def test_refusals(arguments, error, said):
    with pytest.raises(error, match=said):
        plot.slider(Drawing(), **arguments)


def test_a_draw_that_returns_nothing_is_told():
    with pytest.raises(TypeError, match="draw returned NoneType for a = 1; let it return a matplotlib Figure"):
        plot.slider(lambda _: None, a=[1])


def test_without_ipywidgets_it_says_what_to_install():
    script = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "from workbench import plot\n"
        "try:\n    plot.slider(print, a=[1])\n"
        "except ModuleNotFoundError as missing:\n    print(missing)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == 'a slider needs ipywidgets; run: pip install -e ".[lab]"\n'
