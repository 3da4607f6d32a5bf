"""Numbers on an axis of threads or elements keep in step with warps."""

import pytest

from workbench.plot.ticks import apart


@pytest.mark.parametrize(("size", "spacing"), [(1, 1), (8, 1), (9, 2), (32, 4), (64, 8), (65, 16), (1024, 128)])
def test_about_eight_numbers_a_power_of_two_apart(size, spacing):
    assert apart(size) == spacing
