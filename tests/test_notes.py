"""What an audit says is said once, and in whole sentences."""

import math

import pytest
import torch
from wrong_gradients import mean_square, values

import workbench as wb
from workbench.gradients.check import Check
from workbench.gradients.diagnosis import counted, diagnose, how_many
from workbench.gradients.notes import notes


def wrong(question, said):
    return Check(question, "wrong", 1.0, 0.0, "relative", said=said)


def test_what_holds_in_both_precisions_is_said_once():
    """The last digits of a number may differ; the words of float64 stay."""
    found = notes(
        (
            wrong("gradient by x, float64, against torch", "at [0] it is 2.50001 and should be 1"),
            wrong("value, float64, against torch", "something else"),
            wrong("gradient by x, float32, against torch", "at [0] it is 2.50002 and should be 1"),
        )
    )
    assert found == [
        "gradient by x, float64 and float32, against torch: at [0] it is 2.50001 and should be 1.",
        "value, float64, against torch: something else.",
    ]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("gradient by x, float32, against torch", "8 of 41 elements are wrong"),
        ("gradient by x, float32, against torch", "8 of 40 elements differ"),
        ("gradient by y, float32, against torch", "8 of 40 elements are wrong"),
        ("gradient by x, float64, against torch", "8 of 40 elements are wrong"),
    ],
)
def test_what_differs_is_said_apart(question, said):
    checks = [wrong("gradient by x, float64, against torch", "8 of 40 elements are wrong"), wrong(question, said)]
    assert notes(checks) == [f"{check.question}: {check.said}." for check in checks]


def test_a_sentence_ends_once():
    assert notes((wrong("q", "is there a kink?"), wrong("r", ""))) == ["q: is there a kink?"]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 of 3,000 elements of x are wrong"), (1, "1 of 3,000 elements of x is wrong")]
)
def test_the_verb_goes_with_the_count(count, said):
    assert how_many(torch.arange(3000) < count, " of x") == said


def test_the_noun_goes_with_the_count():
    assert [counted(n, "row") for n in (0, 1, 1025)] == ["0 rows", "1 row", "1,025 rows"]


def test_a_scalar_has_no_place():
    got, truth = torch.tensor(3.0), torch.tensor(2.5)
    assert (
        diagnose(got, truth, got != truth, {}, None)
        == "every element is 1.2 times what it should be (it is 3 and should be 2.5)"
    )


def test_nan_has_a_place():
    for got, where in (
        ([1, 2, math.nan, 1], "1 of 4 elements, the first at [2]"),
        ([1, math.nan] * 3, "3 of 6 elements, one in 2 from 1 on"),
    ):
        got = torch.tensor(got)
        assert diagnose(got, torch.ones(len(got)), got != 1, {}, None).startswith(f"NaN in {where}: ")


def test_a_gradient_of_zero_is_no_number_of_times_the_differences():
    (check,) = (c for c in wb.audit(lambda x: mean_square(x.detach()), values(5)).wrong if "differences" in c.question)
    assert check.said.startswith("the backward says 0 along a random direction")
    assert "times" not in check.said


def test_an_audit_shows_itself_as_text_where_it_is_not_printed():
    audit = wb.audit(mean_square, values(5))
    assert repr(audit) == str(audit)
