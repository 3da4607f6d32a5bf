"""The lines that an audit writes run by themselves, and show the two numbers that it speaks of."""

import math
import re

import pytest
import torch
from everyday import everyday
from wrong_elsewhere import CASES, one_block_backward, plain_forward, squares
from wrong_elsewhere import function as function_of
from wrong_gradients import WRONG, mean_square, values, with_backward

import workbench as wb

each_wrong = pytest.mark.parametrize("wrong", everyday(WRONG, 4), ids=[wrong.id for wrong in WRONG])
SAID = re.compile(r"# it is (\S+) and should be (\S+)$")


def run(audit, function, **inputs):
    """What the lines leave in ``got`` and ``expected``, in a namespace of the function and nothing else."""
    owner = getattr(function, "__self__", None)
    text = audit.reproduce()
    namespace = {"function": function, getattr(owner or function, "__name__", "function"): owner or function, **inputs}
    exec(text, namespace)
    said = [float(number) for number in SAID.search(text).groups()]
    assert [namespace["got"], namespace["expected"]] == pytest.approx(said, rel=1e-5, nan_ok=True)
    return namespace["got"], namespace["expected"], text


@each_wrong
@pytest.mark.parametrize("with_reference", everyday([True, False], 2))
def test_each_wrong_gradient_is_shown(wrong, with_reference):
    audit = wb.audit(wrong.function, *wrong.inputs, reference=wrong.reference if with_reference else None)
    got, expected, _ = run(audit, wrong.function)
    assert not math.isclose(got, expected, rel_tol=1e-5)
    if with_reference and audit.wrong[0].fault.error.flatten()[0] > audit.wrong[0].allowed:
        fault = audit.wrong[0].fault
        ratio = float((fault.got / fault.truth).flatten()[0])
        assert got / expected == pytest.approx(ratio, rel=1e-3, nan_ok=True)  # the same fault, not another one


def half(u, x):
    return u * x


def test_one_row_is_enough_for_an_element_by_itself():
    Square = with_backward("Square", torch.square, half)
    x = torch.linspace(-1, 1, 1000)
    audit = wb.audit(Square.apply, x, reference=torch.square)
    got, expected, text = run(audit, Square.apply)
    fault = audit.wrong[0].fault
    assert (got, expected) == (float(fault.got[0]), float(fault.truth[0]))
    assert "input_0 = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)\n" in text


def past_the_first_block(u, x):
    gradient = 2 * u * x
    gradient[256:] = 0
    return gradient


def test_what_depends_on_the_place_is_shown_with_random_inputs_of_the_same_range():
    Square = with_backward("Square", torch.square, past_the_first_block)
    _, _, text = run(wb.audit(Square.apply, 3 * torch.rand(1000), reference=torch.square), Square.apply)
    low, high = re.search(r"torch.empty\(1000, dtype=torch.float64\)\.uniform_\((\S+), (\S+), generator", text).groups()
    assert 0 <= float(low) < 0.1
    assert 2.9 < float(high) <= 3
    assert "input_0.grad[256]" in text


def test_a_size_at_which_it_fails():
    function = function_of("one_block", plain_forward, one_block_backward)
    got, _, text = run(wb.audit(function, values(40), reference=squares), function)
    assert got == 0
    assert "x = torch.empty(257, " in text
    assert "x.grad[256]" in text


def test_plain_arguments_are_kept():
    def picked(x, target, scale, name):
        assert target.min() >= 0
        assert name == "mine"
        return scale * x.gather(1, target[:, None])[:, 0].where(target != 3, 0.0)

    def reference(x, target, scale, name):
        return scale * x.gather(1, target[:, None])[:, 0]

    target = torch.arange(300) % 7
    target[:3] = torch.arange(3)
    audit = wb.audit(picked, torch.rand(300, 9), target, 1.5, "mine", reference=reference)
    got, expected, text = run(audit, picked)
    assert (got, expected > 0) == (0, True)
    assert "scale = 1.5\n" in text
    assert "target = torch.tensor([3], dtype=torch.int64)\n" in text  # the row alone shows it


def test_integers_are_drawn_from_their_range():
    def late(x, target):
        picked = x.gather(1, target[:, None])[:, 0]
        return picked * (torch.arange(len(x)) < 256)

    def reference(x, target):
        return x.gather(1, target[:, None])[:, 0]

    _, _, text = run(wb.audit(late, torch.rand(300, 9), torch.arange(300) % 7, reference=reference), late)
    assert "target = torch.randint(0, 7, (300,), generator=generator).to(torch.int64)\n" in text


def test_inputs_that_no_random_ones_stand_for_are_taken_by_their_names():
    x = torch.rand(1000)
    x[700] = 0.5

    def spoiled(x):
        return torch.where((x == 0.5).any(), 2.0, 1.0) * x

    audit = wb.audit(spoiled, x, reference=lambda x: x)
    # without the row, all 1,000 of them; the row 0 alone holds no 0.5
    got, expected, text = run(audit, spoiled, x=x)
    assert got == 2 * expected
    assert "# x: as they were handed to the audit; others do not show it\nx = x.detach().to(torch.float64)" in text


def test_a_fault_in_float32_alone():
    def rough(x):
        return x * x * (1.0 if x.dtype == torch.float64 else 1.001)

    audit = wb.audit(rough, values(40), reference=squares)
    _, _, text = run(audit, rough)
    assert "dtype=torch.float32" in text
    assert audit.wrong[0].question.startswith("value, float32")


def test_not_finite_inputs_are_written_so_that_they_run():
    def clipped(x):
        return x.nan_to_num(posinf=5.0)

    def wrong(x):
        return torch.where(x.isinf().any(), 2.0, 1.0) * clipped(x)

    got, expected, text = run(wb.audit(wrong, torch.tensor([math.inf, 1.0]), reference=clipped), wrong)
    assert (got, expected) == (10, 5)
    assert text.startswith("from math import inf, nan\n\nimport torch\n\nx = torch.tensor([inf], ")


def test_a_name_that_the_lines_use_is_not_an_input_s():
    def doubled(value, upstream):
        return 3 * value * upstream

    _, _, text = run(wb.audit(doubled, values(3), values(3), reference=lambda x, y: 2 * x * y), doubled)
    assert "value = doubled(input_0, input_1)\n" in text


@pytest.mark.parametrize("derivative", [lambda u, x: 2 * u * x, lambda u, x: None], ids=["wrong", "none"])
@pytest.mark.parametrize("with_reference", [True, False])
def test_several_outputs(derivative, with_reference):
    def both(x):
        return x * x, x**3

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return both(x)

    forward = function_of("Both", forward, lambda ctx, u, v: derivative(u, *ctx.saved_tensors))
    audit = wb.audit(forward, values(5), reference=both if with_reference else None)
    got, expected, text = run(audit, forward)
    assert got != pytest.approx(expected)
    assert "outputs = Both.apply(x)\n" in text
    assert "[outputs[0], outputs[1]]" in text
    assert "upstream_0 = torch.tensor([" in text


@pytest.mark.parametrize("name", ["an upstream gradient overwritten", "saved gradient freed", "no empty input"])
def test_what_no_element_shows_is_said_in_a_comment(name):
    function, reference, inputs, _, words = CASES[name]
    audit = wb.audit(function, *inputs, reference=reference)
    lines = audit.reproduce().splitlines()
    assert all(line.startswith("# ") for line in lines)
    assert lines[0] == "# What is wrong shows in no single element of one plain call."
    assert words in " ".join(line.removeprefix("# ") for line in lines)


def test_a_right_function_has_nothing_to_reproduce():
    with pytest.raises(ValueError, match="nothing to reproduce: the audit passed"):
        wb.audit(mean_square, values(5)).reproduce()
