"""The picture of one difference: the slope that it tells is the difference's own, and its axes hold what they say."""

import math

import pytest
import torch

import workbench as wb
from workbench import plot


def raised(x):
    return 100 + torch.sin(x)


@pytest.mark.parametrize(
    ("scheme", "dtype", "step", "slope"),
    [
        ("central", torch.float64, 0.5, math.cos(1) * math.sin(0.5) / 0.5),
        ("forward", torch.float64, 0.5, (math.sin(1.5) - math.sin(1)) / 0.5),
        ("forward", torch.float32, 1e-6, 0.0),  # less than the distance between float32 values near 100
    ],
)
def test_the_slope_and_its_error(scheme, dtype, step, slope):
    picture = plot.secant(wb.secant(raised, 1.0, step, scheme=scheme, dtype=dtype))
    error = abs(slope / math.cos(1) - 1)
    assert f"slope {slope:.5f} for {math.cos(1):.5f}, wrong by {error:.0e}" in picture.alt
    left, right = picture.figure.axes
    line = {one.get_label(): one for one in left.lines}["secant"]
    (x0, *_, x1), (y0, *_, y1) = line.get_data()
    assert float(y1 - y0) / float(x1 - x0) == pytest.approx(slope, abs=1e-9)
    (marked_step,), (marked_error,) = right.lines[1].get_data()
    assert marked_step == step
    assert marked_error == pytest.approx(error, rel=1e-6)
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (left, right))


def test_a_small_step_shows_the_staircase_of_the_dtype():
    left, _ = plot.secant(wb.secant(raised, 1.0, 1e-5, dtype=torch.float32)).figure.axes
    values = {one.get_label(): one for one in left.lines}["values in float32"].get_ydata()
    assert 2 <= len(set(values.tolist())) <= 8


def test_a_step_that_is_lost_in_x_has_no_error():
    _, right = plot.secant(wb.secant(torch.sin, 1.0, 1e-3)).figure.axes
    assert min(right.lines[0].get_xdata()) > torch.finfo(torch.float32).eps / 4
