"""Where differences along a direction disagree with a gradient, differences by single elements say which are wrong."""

import pytest
import torch
from wrong_gradients import WRONG, values, with_backward

import workbench as wb
from workbench.gradients.questions.elements import LOOKED_AT

BY_ID = {wrong.id: wrong for wrong in WRONG}


def said_of(function, *inputs):
    checks = [check for check in wb.audit(function, *inputs).checks if check.question.endswith("against differences")]
    return [check.said for check in checks]


# what the audit says of the elements, without a reference
SAID = {
    "sign": "40 of 40 elements are wrong; the first is at [0], where the backward says -0.0622784 and differences say "
    "0.0622784, -1 times that",
    "0.1 % off": "40 of 40 elements are wrong; the first is at [0], where the backward says 0.0623407 and differences "
    "say 0.0622784, 1.001 times that",
    "past a warp": "8 of 40 elements are wrong; the first is at [32], where the backward says 0 and differences say ",
    "one element": "1 of 40 elements is wrong; the first is at [39], where the backward says 1 and differences say ",
    "the last column left out": "5 of 40 elements are wrong; the first is at [0, 7], where the backward says 0 and ",
}


@pytest.mark.parametrize(("name", "words"), SAID.items(), ids=SAID)
def test_the_wrong_elements_are_named(name, words):
    (said,) = said_of(BY_ID[name].function, *BY_ID[name].inputs)
    assert words in said


def test_of_two_inputs_the_wrong_one_is_told():
    distance = BY_ID["the second input forgotten"]
    by_x, by_y = said_of(distance.function, *distance.inputs)
    assert by_x == ""
    assert "40 of 40 elements are wrong; the first is at [0]" in by_y


def squares_off_at(places, factor):
    def derivative(u, x):
        gradient = (2 * u * x).flatten()
        gradient[torch.as_tensor(places)] *= factor
        return gradient.view(x.shape)

    return with_backward("off", lambda x: x * x, derivative).apply


@pytest.mark.parametrize("place", [0, 1, 1000, 2731, 4095])
def test_one_of_many_is_found_by_halving(place):
    (said,) = said_of(squares_off_at([place], 2.0), values(64, 64))
    assert f"at [{place // 64}, {place % 64}], where the backward says " in said
    assert said.endswith(", 2 times that")
    seen = place in (0, 4095)
    how = "1 of 64 elements looked at, among 4,096, is wrong; the first is"
    assert (how if seen else "none of 64 elements looked at, among 4,096, is wrong; halving finds one") in said


def test_the_first_of_many_though_it_was_not_looked_at():
    (said,) = said_of(squares_off_at(range(100, 4096), 1.001), values(4096))
    assert "of 64 elements looked at, among 4,096, are wrong; the first is at [100], where" in said
    assert said.endswith(", 1.001 times that")


def test_many_elements_take_no_more_evaluations_than_few():
    def evaluations(n, function):
        count = 0

        def counting(x):
            nonlocal count
            count += not torch.is_grad_enabled()
            return function(x)

        said_of(counting, values(n))
        return count

    assert evaluations(1 << 14, torch.square) < 50
    assert 7 * LOOKED_AT < evaluations(1 << 14, squares_off_at([5], 1.5)) < 7 * (LOOKED_AT + 40)


def test_one_number_is_not_told_twice():
    (said,) = said_of(squares_off_at([0], 2.0), values(1))
    assert said.endswith(": 2 times that")


def test_nothing_is_said_of_a_right_one():
    assert said_of(torch.square, values(100)) == [""]


def test_infinities_of_both_signs():
    (said,) = said_of(with_backward("inf", torch.square, lambda u, x: x / 0).apply, values(5))
    assert said == "the gradient holds NaN or infinity"
