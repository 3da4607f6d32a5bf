"""Curves of functions: a look for each name, gaps where there is no value, and refusals."""

import math

import pytest
import torch
from matplotlib.ticker import LogLocator

from workbench import plot

X = torch.tensor([1.0, 2.0, 3.0])


def lines(picture):
    """For each panel, the name, colour and heights of each curve."""
    return [
        [(line.get_label(), line.get_color(), line.get_ydata().tolist()) for line in axes.lines]
        for axes in picture.figure.axes
    ]


def test_a_name_looks_the_same_in_every_panel():
    left, right = lines(plot.functions(X, {"value": {"a": X, "b": X**2}, "gradient": {"b": 2 * X}}))
    assert [name for name, _, _ in left] == ["a", "b"]
    assert left[0][1] != left[1][1] == right[0][1]
    assert right[0][2] == [2, 4, 6]


def test_a_value_that_is_not_finite_leaves_a_gap():
    ((_, _, heights),) = lines(plot.functions(X, {"value": {"a": torch.tensor([1.0, math.inf, 3.0])}}))[0]
    assert heights[0] == 1
    assert math.isnan(heights[1])


def test_a_zero_leaves_a_gap_on_a_logarithmic_scale_only():
    zero = {"value": {"a": torch.tensor([0.0, 1.0, 2.0])}}
    assert lines(plot.functions(X, zero))[0][0][2][0] == 0
    assert math.isnan(lines(plot.functions(X, zero, yscale="log"))[0][0][2][0])


def test_axes_are_labelled():
    figure = plot.functions(X, {"value": {"a": X}}, xlabel="x (metres)", ylabel="loss (nats)", xscale="log").figure
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_xscale(), axes.get_title()) == ("x (metres)", "log", "value")
    assert figure.get_supylabel() == "loss (nats)"


def test_refuses_another_shape_and_too_many_names():
    with pytest.raises(ValueError, match=r"a in value has shape \(2,\), and x has \(3,\)"):
        plot.functions(X, {"value": {"a": X[:2]}})
    with pytest.raises(ValueError, match="there are 6 names"):
        plot.functions(X, {"value": {str(k): X for k in range(6)}})


def test_over_integers_there_are_markers_and_no_line_between():
    whole = torch.tensor([0, 1, 2])
    picture = plot.functions(whole, {"value": {"a": whole // 2, "b": whole % 2}})
    (axes,) = picture.figure.axes
    a, b = axes.lines
    assert (a.get_linestyle(), b.get_linestyle()) == ("None", "None")
    assert a.get_marker() != b.get_marker()
    assert a.get_markersize() > b.get_markersize()
    assert all(tick == round(tick) for tick in axes.get_yticks())
    logarithmic = plot.functions(whole, {"value": {"a": whole + 1}}, yscale="log").figure.axes[0]
    assert isinstance(logarithmic.yaxis.get_major_locator(), LogLocator)
    (curve,) = plot.functions(X, {"value": {"a": X}}).figure.axes[0].lines
    assert (curve.get_linestyle(), curve.get_marker()) == ("-", "None")
