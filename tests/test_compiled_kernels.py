"""Every kernel of the losses and patterns compiles for five architectures without spills or stray float64.

What each takes is held in tests/golden, so that a change in the compiled code is seen in review.
"""

import pytest
from compiled_kernels import ARCHITECTURES, GOLDEN, compiled, declared_kernels, table, versions

ON_PURPOSE = {"positive_part.positive_part_kernel"}
"""Sums in float64 into a float64 array."""


def test_every_kernel_is_reported():
    assert declared_kernels() - set(compiled()) == set()
    assert len(compiled()) >= 30
    assert all(tuple(one.architecture for one in found) == ARCHITECTURES for found in compiled().values())


def test_none_spills():
    assert [
        (one.name, one.architecture) for found in compiled().values() for one in found if one.resources.spills
    ] == []


def test_no_float64_but_on_purpose():
    for name, found in compiled().items():
        for one in found:
            assert one.leaks == (), (name, one.architecture, one.leaks)
            declared = {each.verdict for each in one.float64} & {"declared"}
            assert bool(declared) == (name in ON_PURPOSE), (name, one.architecture)


def test_the_table_is_as_it_was():
    """After a change that is meant: ``python tests/compiled_kernels.py``, and look at the difference."""
    before = GOLDEN.read_text()
    if before.splitlines()[0] != versions():
        pytest.skip(f"{GOLDEN.name} was made by {before.splitlines()[0]}, and here is {versions()}")
    assert table().splitlines() == before.splitlines()
