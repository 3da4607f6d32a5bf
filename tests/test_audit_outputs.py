"""Functions of several outputs: all together, and each unused in turn."""

import pytest
import torch
from wrong_outputs import ALONE, TOGETHER, UNUSED, X, Y, of_two, product_detached, right, sums_and_products, three

import workbench as wb
from workbench.patterns import ALL, references


def found(function, reference=None, inputs=(X, Y)):
    return {check.question: check for check in wb.audit(function, *inputs, reference=reference).checks}


@pytest.mark.parametrize("reference", [None, sums_and_products], ids=["by itself", "by a reference"])
@pytest.mark.parametrize("wrong", ALONE.values(), ids=ALONE)
def test_wrong_where_an_output_is_unused(wrong, reference):
    function, question, words = wrong
    checks = found(function, reference)
    assert words in checks[question].said
    others = {name for name, check in checks.items() if check.verdict == "wrong"} - {question}
    assert not others - {"upstream gradient strided, zero or scaled", "second derivative, right or refused"}


@pytest.mark.parametrize("wrong", TOGETHER.values(), ids=TOGETHER)
def test_wrong_where_all_are_used(wrong):
    function, question, words = wrong
    checks = found(function, sums_and_products)
    assert words in checks[question].said
    assert found(function)["gradient by x, float64, against differences"].verdict == "wrong"


@pytest.mark.parametrize("reference", [None, three], ids=["by itself", "by a reference"])
def test_outputs_of_several_shapes_and_dtypes(reference):
    checks = found(three, reference)
    assert {check.verdict for check in checks.values()} == {"right"}
    if reference:
        values = [question.split(",")[0] for question in checks if question.startswith("output")]
        assert values == ["output 0", "output 2", "output 3"] * 2
    assert UNUSED in checks


@pytest.mark.parametrize("reference", [None, sums_and_products], ids=["by itself", "by a reference"])
def test_a_right_backward_is_right(reference, device):
    assert {check.verdict for check in found(of_two(right), reference).values()} == {"right"}
    pattern = ALL["two_outputs"]
    reference = reference and references.two_outputs
    audit = wb.audit(pattern.function, *pattern.example(device), reference=reference)
    assert {check.verdict for check in audit.checks} == {"right"}, str(audit)


def test_an_output_without_a_gradient():
    """Nothing can be asked of it alone; a reference that has one tells it to be missing."""
    alone = found(product_detached)
    assert UNUSED not in alone
    assert {check.verdict for check in alone.values()} == {"right"}
    said = found(product_detached, sums_and_products)["value, float64, against torch"].said
    assert "output 1 requires no gradient and should" in said
    assert {check.verdict for check in found(product_detached, product_detached).values()} == {"right"}


def test_another_number_of_outputs_or_another_shape():
    def fewer(x, y):
        return x * x + y * y

    def flat(x, y):
        return x * x + y * y, (x * y)[:1]

    question = "value, float64, against torch"
    said = found(fewer, sums_and_products)[question].said
    assert said == "it returns the floating-point value and should return output 0, output 1"
    assert found(flat, sums_and_products)[question].said == "the output 1's shape is (1,) and should be (40,)"


def test_a_list_and_a_single_output_in_a_tuple():
    assert {check.verdict for check in found(lambda x, y: [x * y, x + y], lambda x, y: (x * y, x + y)).values()} == {
        "right"
    }
    checks = found(lambda x, y: (x.max(), torch.argmax(x)), lambda x, y: (x.max(), torch.argmax(x)))
    assert UNUSED not in checks
    assert {check.verdict for check in checks.values()} == {"right"}
