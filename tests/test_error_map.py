"""The picture of an audit: which elements are wrong, and by how much, where there is something wrong to see."""

import math
import subprocess
import sys

import pytest
import torch
from wrong_gradients import mean_square, values, with_backward

import workbench as wb
from workbench.gradients.check import Check
from workbench.gradients.error_map import CELLS, error_map
from workbench.gradients.fault import Fault

NAN, INF = math.nan, math.inf


def map_of(got, truth=None, allowed=4.0):
    truth = torch.ones_like(got) if truth is None else truth
    fault = Fault("value", got, truth, torch.float64, allowed)
    return error_map(Check("value, float64, against torch", "wrong", INF, allowed, "ulp", fault=fault))


def ones_but(*shape, wrong):
    """Ones, with 2 where ``wrong``."""
    got = torch.ones(shape, dtype=torch.float64)
    got[wrong] = 2.0
    return got


def marked(found):
    """Which cells are wrong; None where a cell has no element."""
    return [[None if math.isnan(c) else c > found.allowed for c in row] for row in found.cells.tolist()]


def test_one_dimension_in_rows_of_a_warp():
    found = map_of(ones_but(70, wrong=slice(31, None, 32)))
    assert found.cells.shape == (3, 32)
    assert [row[31] for row in marked(found)] == [True, True, None]
    assert not any(any(row[:31]) for row in marked(found))
    assert [row[5:7] for row in marked(found)] == [[False, False], [False, False], [False, None]]
    assert (found.first, found.place, found.step, found.wrong) == ((31,), (0, 31), 32, 2)
    assert found.axes == ("from element", "element in its row of 32 (a warp)")
    assert (found.block, found.reduced) == ((1, 1), "")


@pytest.mark.parametrize(("n", "shape"), [(3, (1, 3)), (1024, (32, 32)), (1025, (5, 256)), (66_000, (65, 1024))])
def test_the_width_of_a_row(n, shape):
    found = map_of(ones_but(n, wrong=slice(n - 1, None)))
    assert tuple(size * b for size, b in zip(found.cells.shape, found.block, strict=True)) == shape
    assert found.place == ((n - 1) // shape[1], (n - 1) % shape[1])


def test_two_dimensions_as_they_are():
    found = map_of(ones_but(20, 12, wrong=(-1,)))
    assert marked(found) == [[False] * 12] * 19 + [[True] * 12]
    assert (found.first, found.place, found.axes) == ((19, 0), (19, 0), ("dimension 0", "dimension 1"))
    assert found.title == "value, float64, against torch: 12 of 240 elements are wrong"
    assert found.caption == f"{found.title}, all at 19 in dimension 0; the first is at [19, 0]."


def test_more_dimensions_are_folded():
    found = map_of(ones_but(2, 3, 4, wrong=(1, 2, 3)))
    assert marked(found) == [[False] * 4] * 5 + [[False] * 3 + [True]]
    assert (found.first, found.place) == ((1, 2, 3), (5, 3))
    assert found.axes == ("dimensions 0, 1, folded", "dimension 2")


def test_a_dimension_of_one_element_is_none():
    assert map_of(ones_but(1, 40, 1, wrong=(0, 39))).cells.shape == (2, 32)
    assert map_of(ones_but(3, 1, 4, wrong=(0,))).axes == ("dimension 0", "dimension 2")


def test_a_large_tensor_is_reduced_to_the_largest_of_each_block():
    got = torch.ones(300, 1000, dtype=torch.float64)
    got[5, 17] = 2.0
    got[6, 17] = 1.5
    got[299, 999] = NAN
    found = map_of(got)
    assert found.block == (4, 8)
    assert found.cells.shape == (75, 125)
    assert all(size <= CELLS for size in found.cells.shape)
    eps = torch.finfo(torch.float64).eps
    expected = torch.zeros(75, 125, dtype=torch.float64)
    expected[1, 2], expected[74, 124] = 1 / eps, INF
    torch.testing.assert_close(found.cells, expected)
    assert found.reduced == "a cell has the largest error of 4 by 8 elements"
    assert found.caption.endswith("the first is at [5, 17]. Here a cell has the largest error of 4 by 8 elements.")


def audited(*shape, spoil, **options):
    def derivative(u, x):
        gradient = 2 * u * x
        spoil(gradient)
        return gradient

    x = values(*shape)
    return wb.audit(with_backward("Square", torch.square, derivative).apply, x, reference=lambda x: x * x, **options)


def test_an_audit_draws_each_wrong_tensor_once():
    audit = audited(40, spoil=lambda gradient: gradient[32:].zero_())
    (found,) = audit.maps
    assert found.label == "gradient by input 0"
    assert found.question == "gradient by input 0, float64, against torch"
    assert marked(found) == [[False] * 32, [True] * 8 + [None] * 24]


def test_what_is_wrong_at_another_size_alone_is_drawn_at_that_size():
    audit = audited(40, spoil=lambda gradient: gradient[256:].zero_())
    (found,) = audit.maps
    assert (found.question, found.shape, found.first) == ("sizes from 0 to 1,025", (257,), (256,))


def test_several_tensors_stand_beneath_each_other():
    wrong = with_backward("Product", torch.mul, lambda u, x, y: 2 * u * y, lambda u, x, y: 3 * u * x)
    audit = wb.audit(wrong.apply, values(40), values(40), reference=torch.mul)
    assert [found.label for found in audit.maps] == ["gradient by input 0", "gradient by input 1"]
    picture = audit.plot()
    drawn = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert [title for title in drawn if title] == [found.title for found in audit.maps]
    assert picture.alt == " ".join(found.caption for found in audit.maps)


def test_the_page_has_a_picture_with_words_and_is_the_same_again():
    audit = audited(40, spoil=lambda gradient: gradient.fill_(NAN))
    page = audit._repr_html_()
    assert page.count("<img") == 1
    assert "40 of 40 elements are wrong; the first is at [0]." in page
    assert page == audited(40, spoil=lambda gradient: gradient.fill_(NAN))._repr_html_()


RIGHT = {
    "nothing is wrong": lambda: wb.audit(torch.square, values(5), reference=torch.square),
    "nothing is there": lambda: wb.audit(mean_square, values(0), reference=mean_square),
    "one number is wrong": lambda: wb.audit(lambda x: 2 * x, values(), reference=lambda x: 3 * x),
    "the backward raises": lambda: wb.audit(with_backward("W", torch.square, lambda u, x: u @ x).apply, values(2, 3)),
}


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_there_is_no_picture_where(make):
    audit = make()
    assert "<img" not in audit._repr_html_()
    with pytest.raises(ValueError, match="there is nothing to draw"):
        audit.plot()


def test_no_plotting_library_is_imported_before_a_picture_is_shown():
    script = (
        "import sys, torch, workbench as wb\n"
        "audit = wb.audit(lambda x: 2 * x.detach(), torch.ones(5), reference=lambda x: 2 * x)\n"
        "str(audit)\n"
        "assert 'matplotlib' not in sys.modules\n"
        "assert '<img' in audit._repr_html_()\n"
        "assert 'matplotlib' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
