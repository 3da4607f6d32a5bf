"""Kinks and ties that are declared: the gradient there is torch's choice, or wrong."""

import pytest
import torch
from wrong_at_kinks import CASES, RIGHT, X, Y

import workbench as wb
from workbench import losses, patterns


def wrong_of(audit):
    return {check.question: check.said for check in audit.wrong}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_caught_at_its_kink_alone(case):
    function, reference, inputs, kinks, question, words = case
    without = wrong_of(wb.audit(function, *inputs, reference=reference))
    found = wrong_of(wb.audit(function, *inputs, reference=reference, kinks=kinks))
    assert words in found[question]
    assert set(found) - {question} == set(without) <= {"second derivative, right or refused", "sizes from 0 to 1,025"}


@pytest.mark.parametrize(("function", "inputs", "kinks"), RIGHT.values(), ids=RIGHT)
def test_torchs_own_choice_is_right(function, inputs, kinks):
    audit = wb.audit(function, *inputs, reference=function, kinks=kinks)
    assert audit.passed, str(audit)
    asked = [check.verdict for check in audit.checks if check.question.endswith("as torch chooses")]
    assert asked == ["right"] * sum(len(values) for values in kinks.values())


def test_the_questions_and_what_is_put_in():
    seen = []

    def kept(x, y):
        seen.append((x.detach().clone(), y.detach().clone()))
        return (x - y).abs()

    kinks = {"x": [0.1, "y"], "y": ["y"]}
    x, y = X.float(), Y.float()
    audit = wb.audit(kept, x, y, reference=lambda x, y: (x - y).abs(), kinks=kinks)
    assert [check.question for check in audit.checks if "as torch chooses" in check.question] == [
        "gradient at the kink x = 0.1, as torch chooses",
        "gradient where x = y, as torch chooses",
        "gradient where elements of y are equal, as torch chooses",
    ]
    points = [(a, b) for a, b in seen if a.shape == X.shape]
    every_second = torch.arange(len(X)) % 2 == 0
    assert any((a[every_second] == 0.1).all() and torch.equal(a[~every_second], x[~every_second]) for a, _ in points)
    assert any((a == 0.1).all() for a, _ in points)
    assert any(torch.equal(a, b) for a, b in points)
    assert any((a == b)[every_second].all() and not (a == b)[~every_second].any() for a, b in points)
    for extreme in (torch.max, torch.min):
        assert any(torch.equal(a.to(x), x) and (b == extreme(b)).sum() >= len(b) // 2 for a, b in points)


@pytest.mark.parametrize("name", ["rounding_penalty", "positive_part"])
def test_the_patterns_choose_as_torch_does(name, device):
    pattern = patterns.ALL[name]
    kinks = {"rounding_penalty": {"x": [1.0, 0.5, "target"]}, "positive_part": {"x": [0.0]}}[name]
    audit = wb.audit(pattern.function, *pattern.example(device), reference=pattern.reference, kinks=kinks)
    assert {check.verdict for check in audit.checks} == {"right"}, str(audit)


def test_where_the_reference_raises():
    def reference(x):
        if (x == 0).any():
            raise ValueError("not at 0")
        return x.abs()

    audit = wb.audit(lambda x: x.abs(), X, reference=reference, kinks={"x": [0.0]})
    (check,) = [check for check in audit.checks if "kink" in check.question]
    assert (check.verdict, check.said) == ("unclear", "the reference raises there")


SQUARED = losses.ALL["squared_error"]


@pytest.mark.parametrize(
    ("kinks", "words"),
    [
        ({"z": [0.0]}, "kinks has 'z'; the floating-point inputs are x, y"),
        ({"x": 0.0}, r"kinks has 0.0 for 'x'; give a list, as in {'x': \[0.0\]}"),
        ({"x": "y"}, r"kinks has 'y' for 'x'; give a list, as in {'x': \['y'\]}"),
        ({"x": ["z"]}, "kinks has 'z' for 'x'; the floating-point inputs are x, y"),
        ({"x": [None]}, "kinks has None for 'x'; give finite numbers, or names of inputs"),
        ({"x": [float("nan")]}, "kinks has nan for 'x'; give finite numbers"),
    ],
)
def test_kinks_that_cannot_be(kinks, words):
    with pytest.raises(ValueError, match=words):
        wb.audit(SQUARED.function, X, Y, reference=SQUARED.reference, kinks=kinks)


def test_kinks_need_a_reference():
    with pytest.raises(ValueError, match="kinks needs a reference: what is right at a kink is what torch chooses"):
        wb.audit(torch.abs, X, kinks={"input 0": [0.0]})


def test_kinks_of_inputs_whose_shapes_differ():
    def function(x, y):
        return (x.sum() - y[0]).abs()

    with pytest.raises(ValueError, match=r"'x' equal to 'y', and they have shapes \(3,\) and \(40,\)"):
        wb.audit(function, X, Y[:3], reference=function, kinks={"x": ["y"]})
