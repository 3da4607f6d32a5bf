"""A histogram for each way to compute something, on one axis."""

import numpy as np
import pytest

from workbench import plot


def heights(axes):
    return [patch.get_height() for patch in axes.patches]


def test_every_run_is_in_its_histogram():
    picture = plot.spread({"wide": [-4.0, 0.0, 4.0], "narrow": [1.0, 1.0]}, unit="mm")
    wide, narrow = picture.figure.axes
    assert sum(heights(wide)) == 3
    assert max(heights(narrow)) == 2
    assert wide.get_xlim() == narrow.get_xlim()
    assert wide.get_title(loc="left") == "wide: typically 3.3 mm"
    assert narrow.get_xlabel() == "error (mm)"
    assert picture.alt == "errors of 5 runs: wide, -4 to 4 mm; narrow, 1 to 1 mm"
    assert picture.png().startswith(b"\x89PNG")


def test_steps_of_the_data_make_neither_gaps_nor_spikes():
    (axes,) = plot.spread({"even": np.arange(100) - 0.3}).figure.axes
    assert heights(axes)[:33] == [3] * 33
    assert sum(heights(axes)) == 100


def test_runs_that_all_agree_have_one_column():
    (axes,) = plot.spread({"fixed": np.zeros(7)}).figure.axes
    assert heights(axes) == [7]


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ({}, "one to three ways"),
        ({str(k): [0.0] for k in range(4)}, "4 are given"),
        ({"none": []}, "'none' have to be finite numbers, and at least one"),
        ({"lost": [0.0, np.nan]}, "'lost' have to be finite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(errors, words):
    with pytest.raises(ValueError, match=words):
        plot.spread(errors)
