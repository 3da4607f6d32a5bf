"""Each reduction of a loss is asked about, where both it and its reference take one."""

import functools

import pytest
import torch.nn.functional as F
from wrong_gradients import values
from wrong_reductions import OF_A_MEAN, WRONG, X, Y, defaulting

import workbench as wb

ALL_THREE = "each reduction: none, sum, mean"


def found(function, reference, inputs=(X, Y)):
    return {check.question: check for check in wb.audit(function, *inputs, reference=reference).checks}


def asked(checks):
    return [question for question in checks if "reduction" in question]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_with_another_reduction_than_the_mean(wrong):
    function, words = wrong
    checks = found(function, F.mse_loss)
    assert checks[ALL_THREE].verdict == "wrong"
    assert words in checks[ALL_THREE].said
    others = [question for question, check in checks.items() if check.verdict == "wrong" and question != ALL_THREE]
    assert set(others) <= {"second derivative, right or refused"}


@pytest.mark.parametrize(("wrong", "default"), [*zip(OF_A_MEAN.values(), ["none", "sum"], strict=True)], ids=OF_A_MEAN)
def test_wrong_with_the_mean(wrong, default):
    function, words = wrong
    check = found(function, defaulting(default))[ALL_THREE]
    assert words in check.said


def test_a_partial_is_asked_for_the_others_too():
    function, words = WRONG["0.1 % off in the sum"]
    bound = functools.partial(function, reduction="mean")
    assert words in found(bound, functools.partial(F.mse_loss, reduction="mean"))[ALL_THREE].said


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (lambda x, y: ((x - y) ** 2).mean(), F.mse_loss),
        (F.mse_loss, lambda x, y: ((x - y) ** 2).mean()),
        (lambda x, y, **options: F.mse_loss(x, y), F.mse_loss),
        (functools.partial(lambda reduction, x, y: F.mse_loss(x, y), "mean"), F.mse_loss),
    ],
    ids=["the reference alone", "the function alone", "options that nobody names", "bound by its place"],
)
def test_not_asked(function, reference):
    checks = found(function, reference)
    assert not asked(checks)
    assert all(check.verdict == "right" for check in checks.values())


def test_what_one_of_them_refuses_is_passed_over():
    def no_sum(x, y, reduction="mean"):
        if reduction == "sum":
            raise ValueError("no sum here")
        return F.mse_loss(x, y, reduction=reduction)

    def no_reduction(x, y, reduction=None):
        if reduction:
            raise ValueError("no reduction here")
        return F.mse_loss(x, y)

    for one, other in ((no_sum, F.mse_loss), (F.mse_loss, no_sum)):
        checks = found(one, other)
        assert asked(checks) == ["each reduction: none, mean"]
        assert all(check.verdict == "right" for check in checks.values())
    assert not asked(found(no_reduction, F.mse_loss))


def test_a_single_row_is_made_two():
    """With one row a mean over rows is their sum."""

    def loss(x, reduction="none"):
        return {"none": lambda: x * x, "sum": (x * x).sum, "mean": (x * x).sum}[reduction]()

    def reference(x, reduction="none"):
        return {"none": lambda: x * x, "sum": (x * x).sum, "mean": (x * x).sum(-1).mean}[reduction]()

    said = found(loss, reference, (values(1, 3),))[ALL_THREE].said
    assert "with reduction='mean', the value: a factor 1/2 is missing, as of a mean over dimension 0" in said
