"""audit passes what is right, and says of what is wrong how it is wrong."""

import pytest
import torch
from everyday import everyday
from right_functions import RIGHT
from wrong_gradients import WRONG, mean_square, values, with_backward

import workbench as wb
from workbench import losses
from workbench.gradients.audit import WrongGradient

each_loss = pytest.mark.parametrize("loss", losses.ALL.values(), ids=losses.ALL)
each_wrong = pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.id)


def audit_loss(loss, inputs, **options):
    return wb.audit(loss.function, *inputs, reference=loss.reference, **options)


def verdicts(audit):
    return {check.question: check.verdict for check in audit.checks}


def of_gradients(audit):
    """The verdicts on gradients at the point itself."""
    return {question: verdict for question, verdict in verdicts(audit).items() if question.startswith("gradient")}


def small_inputs(loss, seed, n=6, classes=4):
    generator = torch.Generator().manual_seed(seed)
    if loss.name in ("squared_error", "squared_distance"):
        return tuple(torch.randn(2, n, generator=generator))
    if loss.name == "adaptive_robust":
        x, alpha, scale = torch.rand(3, n, generator=generator)
        return 8 * x - 4, (alpha + 0.5).where(x > 0.5, -alpha - 0.5), scale + 0.5
    target = torch.randint(classes, (n,), generator=generator)
    return 3 * torch.randn(n, classes, generator=generator), target, torch.rand(classes, generator=generator) + 0.5


@each_loss
def test_a_loss_passes(loss, device):
    audit = audit_loss(loss, loss.example(device))
    assert audit.passed, str(audit)
    assert set(verdicts(audit).values()) == {"right"}
    assert audit.where == wb.executor(device).name
    assert any(question.startswith("each reduction: ") for question in verdicts(audit))


OTHERS = {
    "upstream gradient strided, zero or scaled",
    "inputs that are not contiguous",
    "backward a second and third time",
    "the same call again",
    "each subset of inputs that require a gradient",
    "inputs and upstream gradient left as they were",
    "every element of a result written",
    "second derivative, right or refused",
}
OF_A_REFERENCE = {"each reduction: none, sum, mean", "sizes from 0 to 1,025"}


def test_the_questions():
    """Each gradient is asked about in both precisions and by differences; an input that requires none is left out."""
    x, y = torch.randn(2, 6)
    loss = losses.ALL["squared_error"]
    both, only_y = audit_loss(loss, (x, y)), audit_loss(loss, (x, y.clone().requires_grad_()))
    by_x = [f"gradient by x, {how}" for how in ("float64, against torch", "float32, against torch")]
    by_x.append("gradient by x, float64, against differences")
    values = [f"value, {dtype}, against torch" for dtype in ("float64", "float32")]
    by_y = [question.replace("by x", "by y") for question in by_x]
    assert set(verdicts(only_y)) == {*values, *by_y, *OTHERS, *OF_A_REFERENCE}
    assert set(verdicts(both)) == {*values, *by_x, *by_y, *OTHERS, *OF_A_REFERENCE}
    assert set(verdicts(wb.audit(loss.function, x, y))) == {by_x[-1], by_y[-1], *OTHERS}
    assert both.passed
    assert only_y.passed


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_inputs_dtype_changes_no_verdict(loss, dtype):
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in small_inputs(loss, 0)]
    assert set(verdicts(audit_loss(loss, (inputs[0].requires_grad_(), *inputs[1:]))).values()) == {"right"}


@each_loss
@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm(loss, seed):
    inputs = small_inputs(loss, seed)
    audit = audit_loss(loss, (inputs[0].requires_grad_(), *inputs[1:]), seed=seed)
    assert set(verdicts(audit).values()) == {"right"}, str(audit)


@pytest.mark.parametrize("n", [1, 33])
@pytest.mark.parametrize("large", [1e-4, 1.0, 1e4])
def test_no_false_alarm_at_other_scales(n, large):
    x, y = large * torch.randn(2, n)
    assert set(verdicts(audit_loss(losses.ALL["squared_error"], (x, y))).values()) == {"right"}


def test_no_element():
    with torch.no_grad():
        audit = wb.audit(lambda x: (x * x).sum(), torch.zeros(0), reference=lambda x: (x**2).sum())
    assert audit.passed


@each_wrong
def test_a_wrong_gradient_is_named(wrong):
    audit = wb.audit(wrong.function, *wrong.inputs, reference=wrong.reference)
    assert not audit.passed
    found = {check.question: check for check in audit.checks}
    assert found["value, float64, against torch"].verdict == "right"
    assert found["value, float32, against torch"].verdict == "right"
    caught = [check for check in audit.wrong if check.question.startswith("gradient")]
    assert {check.question.split(", ", 1)[1] for check in caught} >= {
        "float64, against torch",
        "float64, against differences",
    }
    for check in caught:
        assert check.error > check.allowed
        if check.question.endswith("against torch"):
            assert wrong.words in check.said


@each_wrong
@pytest.mark.parametrize("seed", everyday(range(3), 3))
def test_a_wrong_gradient_is_caught_without_a_reference(wrong, seed):
    audit = wb.audit(wrong.function, *wrong.inputs, seed=seed)
    assert "wrong" in of_gradients(audit).values()
    assert all(check.said for check in audit.wrong)


@pytest.mark.parametrize(("function", "inputs"), RIGHT.values(), ids=RIGHT)
def test_what_torch_does_is_right(function, inputs):
    audit = wb.audit(function, *inputs, reference=function)
    assert audit.passed, str(audit)


def test_a_wrong_value_is_caught():
    audit = wb.audit(lambda x: 1.01 * (x * x).mean(), values(5), reference=mean_square)
    assert verdicts(audit)["value, float64, against torch"] == "wrong"
    assert verdicts(audit)["gradient by x, float64, against differences"] == "right"


def test_another_shape_is_caught():
    audit = wb.audit(lambda x: x * x, values(5), reference=lambda x: (x * x)[:, None])
    assert "its shape is (5,) and should be (5, 1)" in audit.wrong[0].said


KINKS = {
    "|x|, close beside": (torch.abs, 1e-5),
    "|x|, half a step beside": (torch.abs, 2e-4),
    "relu, at its kink": (torch.relu, 0.0),
    "relu, close beside": (torch.relu, -1e-5),
}


@pytest.mark.parametrize("others", [0, 200])
@pytest.mark.parametrize(("function", "x"), KINKS.values(), ids=KINKS)
def test_a_kink_near_the_point_leaves_the_difference_unclear(function, x, others):
    """A right gradient is not called wrong there, and a difference that cannot know does not call it right."""
    point = torch.cat([torch.tensor([x], dtype=torch.float64), values(others)])
    audit = wb.audit(lambda x: function(x).sum(), point)
    assert of_gradients(audit) == {"gradient by x, float64, against differences": "unclear"}
    assert "kink" in audit.checks[0].said
    assert audit.passed


def test_a_kink_far_from_the_point_changes_nothing():
    assert set(verdicts(wb.audit(torch.abs, values(20))).values()) == {"right"}


def test_raise_if_wrong():
    right = wb.audit(mean_square, values(5))
    wrong = wb.audit(WRONG[0].function, *WRONG[0].inputs)
    right.raise_if_wrong()
    with pytest.raises(WrongGradient) as raised:
        wrong.raise_if_wrong()
    assert str(raised.value) == str(wrong)


def test_the_text_and_the_page_hold_every_question_and_verdict():
    wrong = WRONG[0]
    audit = wb.audit(wrong.function, *wrong.inputs, reference=wrong.reference, name="mine <1>")
    text, page = str(audit), audit._repr_html_()
    for check in audit.checks:
        assert check.question in text
        assert check.question in page
        assert check.said.replace("'", "&#x27;") in page
    for count, shown in ((10, "✓ right"), (4, "✗ WRONG")):
        assert text.count(shown) == count
        assert page.count(shown) == count
    assert wrong.words in text
    assert "audit of mine <1> on the cpu: 4 of 14 answers are wrong" in text
    assert "mine &lt;1&gt;" in page


def test_the_name_and_the_inputs_names():
    audit = wb.audit(losses.SquaredError.apply, torch.randn(5), torch.randn(5))
    assert audit.name == "SquaredError"
    assert [question.split(",")[0] for question in of_gradients(audit)] == ["gradient by x", "gradient by y"]
    function = with_backward("Plain", mean_square, lambda u, x: u * 2 * x / 5)
    assert wb.audit(function.apply, values(5)).checks[0].question.startswith("gradient by input 0")


@each_loss
def test_inputs_and_their_grad_stay_as_they_are(loss):
    inputs = small_inputs(loss, 0)
    inputs[0].requires_grad_()
    inputs[0].grad = torch.full_like(inputs[0], 7.0)
    before = [x.detach().clone() for x in inputs]
    audit_loss(loss, inputs)
    assert all(torch.equal(x, old) for x, old in zip(inputs, before, strict=True))
    assert (inputs[0].grad == 7).all()
    assert [x.grad is None for x in inputs[1:]] == [True] * (len(inputs) - 1)


def test_a_function_that_overwrites_its_input_gets_a_copy():
    def overwrites(x):
        value = (x * 3).sum()
        x.data.zero_()
        return value

    x = values(5)
    wb.audit(overwrites, x)
    assert torch.equal(x, values(5))


def test_the_same_seed_gives_the_same_answers_and_leaves_torchs_own_alone():
    state = torch.get_rng_state()
    one, two, other = (wb.audit(torch.exp, values(5), seed=seed) for seed in (1, 1, 2))
    assert one.checks == two.checks
    assert one.checks != other.checks
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_to_differentiate_by():
    with pytest.raises(ValueError, match="at least one floating-point tensor"):
        wb.audit(lambda n: n, torch.arange(3))


@pytest.mark.parametrize(
    ("function", "what"),
    [(lambda x: x.long(), "<class 'torch.Tensor'>"), (lambda x: (x.long(), None), "a tuple without one")],
)
def test_nothing_of_floating_point_returned(function, what):
    with pytest.raises(ValueError, match=f"returns a floating-point tensor.*this one returned {what}"):
        wb.audit(function, torch.randn(3))


def test_what_the_function_raises_passes_through():
    with pytest.raises(ZeroDivisionError):
        wb.audit(lambda x: x / (1 // 0), torch.randn(3))
