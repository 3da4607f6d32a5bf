"""The unit of an audit: errors in ulps of the element, or of the whole tensor's size where that is larger."""

import math

import pytest
import torch

from workbench.gradients.diagnosis import diagnose, ulps

EPS = torch.finfo(torch.float32).eps
INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("got", "truth", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], [0, 0]),
        ([1 + EPS], [1.0], [1]),
        ([8 - 16 * EPS], [8.0], [2]),
        ([4 * EPS, 4.0], [0.0, 4.0], [math.sqrt(2), 0]),
        ([NAN, 1.0], [1.0, 1.0], [INF, 0]),
        ([NAN, INF, -INF], [NAN, INF, -INF], [0, 0, 0]),
        ([INF, 1.0], [1.0, INF], [INF, INF]),
        ([INF], [-INF], [INF]),
        ([0.0], [0.0], [0]),
        ([], [], []),
    ],
    ids=str,
)
def test_ulps(got, truth, expected):
    got, truth = (torch.tensor(values, dtype=torch.float64) for values in (got, truth))
    assert ulps(got, truth, torch.float32).tolist() == pytest.approx(expected)


def test_lost_digits_are_told_as_such_and_a_factor_as_a_factor():
    truth = torch.arange(1.0, 5.0, dtype=torch.float64)
    lost, factor = truth * (1 + 3e-6), truth * (1 + 3e-3)
    every = torch.ones(4, dtype=torch.bool)
    assert diagnose(lost, truth, every, {}, None) == (
        "the last digits are lost in 4 of 4 elements, as by differences or in a lower precision: "
        "it is off by 3e-06 of its norm"
    )
    assert diagnose(factor, truth, every, {}, None).startswith("every element is 1.003 times what it should be")
