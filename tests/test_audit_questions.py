"""Gradients that are right at one point, and wrong when asked for in another way: each question catches its own."""

import pytest
import torch
from wrong_elsewhere import CASES, SECOND, X, drifting_forward, function, plain_backward, saving, squares

import workbench as wb


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_caught_by_its_own_question_alone(case):
    wrong, reference, inputs, question, words = case
    audit = wb.audit(wrong, *inputs, reference=reference)
    found = {check.question: check.said for check in audit.wrong}
    assert words in found.pop(question)
    assert not found or list(found) == [SECOND], str(audit)  # what a backward saved has no derivative either


def test_a_call_that_drifts():
    drifting = function("drifting", drifting_forward, plain_backward)
    found = {check.question: check for check in wb.audit(drifting, X).wrong}
    assert "in a second call: 40 of 40 elements of the value differ" in found["the same call again"].said


def test_an_input_overwritten():
    def overwriting(x):
        result = x * x
        x.data.neg_()
        return result

    found = {check.question: check for check in wb.audit(overwriting, X, reference=squares).wrong}
    assert "of the input x differ" in found["inputs and upstream gradient left as they were"].said


def test_a_refusal_of_second_derivatives_is_right_and_said():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            saving(ctx, x)
            return x * x

        @staticmethod
        def backward(ctx, u):
            if torch.is_grad_enabled():
                raise RuntimeError("no second derivative")
            (x,) = ctx.saved_tensors
            return 2 * x * u

    audit = wb.audit(Once.apply, X, reference=squares)
    assert audit.passed
    assert [check.said for check in audit.checks if check.said] == ["refused: no second derivative"]


def test_a_saved_tensor_for_a_gradient():
    """It requires a gradient itself, of which torch would warn where a number is taken of it."""

    def exponential_forward(ctx, x):
        value = x.exp()
        ctx.save_for_backward(value)
        return value

    def exponential_backward(ctx, u):
        return ctx.saved_tensors[0]

    audit = wb.audit(function("saved", exponential_forward, exponential_backward), X, reference=torch.exp)
    assert "the upstream gradient is ignored" in audit.wrong[0].said


def test_a_gradient_of_zero_that_the_reference_rounds_is_no_alarm():
    """The weight of a single row has no effect on a weighted mean, and torch's 0 is a difference of two roundings."""

    class WeightedMean(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return weighted_mean(x, w)

        @staticmethod
        def backward(ctx, upstream):
            x, w = ctx.saved_tensors
            total = w.sum()
            mean = (w * x * x).sum() / total
            by_w = (x * x - mean) / total if len(x) > 1 else torch.zeros_like(w)
            return upstream * 2 * w * x / total, upstream * by_w

    def weighted_mean(x, w):
        return (w * x * x).sum() / w.sum()

    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        x, w = torch.randn(100, generator=generator), torch.rand(100, generator=generator) + 0.5
        found = wb.audit(WeightedMean.apply, x, w, reference=weighted_mean)
        assert found.passed, found
