"""Which elements are wrong is said in words where they follow one another."""

import pytest
import torch

from workbench.gradients.pattern import pattern

CASES = {
    "a tail": (1000, slice(256, None), ", all from 256 on"),
    "a head": (1000, slice(256), ", all up to 255"),
    "a middle": (3000, slice(1024, 2048), ", all from 1,024 to 2,047"),
    "the last lane of each warp": (1000, slice(31, None, 32), ", one in 32 from 31 on"),
    "the first lane of some": (1000, slice(0, 300, 32), ", one in 32 from 0 to 288"),
    "two apart": (1000, [3, 700], ""),
    "no order": (1000, [3, 5, 6], ""),
    "one": (1000, 7, ""),
    "every one": (1000, slice(None), ""),
    "none": (1000, slice(0), ""),
    "the last row": ((20, 12), (19,), ", all at 19 in dimension 0"),
    "the columns from the fourth on": ((20, 12), (slice(None), slice(3, None)), ", all from 3 on in dimension 1"),
    "a corner": ((20, 12), (slice(10, None), slice(3, None)), ""),
    "a plane": ((4, 5, 6), (slice(None), 2), ", all at 2 in dimension 1"),
    "a column of one": ((40, 1), (slice(32, None),), ", all from 32 on in dimension 0"),
}


@pytest.mark.parametrize(("shape", "where", "said"), CASES.values(), ids=CASES)
def test_pattern(shape, where, said):
    wrong = torch.zeros(shape, dtype=torch.bool)
    wrong[where] = True
    assert pattern(wrong) == said


def test_a_scalar():
    assert pattern(torch.tensor(True)) == ""
