"""What every loss keeps to: reductions, upstream gradients, no wasted launches, no second derivative."""

import functools
from dataclasses import dataclass, field

import formulas
import pytest
import torch
from cases import FLOATS
from formulas import assert_as_formula, value_and_gradients
from launches import count_launches

from workbench import losses

N, CLASSES = 37, 5
REDUCTIONS = ("none", "sum", "mean")


def squared_error_inputs(dtype=torch.float64, device="cpu"):
    x, y = torch.randn(2, N, dtype=dtype, device=device)
    return x.requires_grad_(), y.requires_grad_()


def cross_entropy_inputs(dtype=torch.float64, device="cpu"):
    logits = torch.randn(N, CLASSES, dtype=dtype, device=device, requires_grad=True)
    target = torch.randint(CLASSES, (N,), device=device)
    return logits, target, torch.rand(CLASSES, dtype=dtype, device=device) + 0.5


def adaptive_robust_inputs(dtype=torch.float64, device="cpu"):
    x = 3 * torch.randn(N, dtype=dtype, device=device)
    alpha, scale = torch.rand(2, N, dtype=dtype, device=device)
    return x.requires_grad_(), (alpha + 0.5).requires_grad_(), (scale + 0.5).requires_grad_()


@dataclass
class Case:
    """``inputs(dtype, device)`` makes inputs, of which the first requires grad, for N losses."""

    name: str
    inputs: object
    reductions: tuple = REDUCTIONS
    options: dict = field(default_factory=dict)

    function = property(lambda self: functools.partial(getattr(losses, self.name), **self.options))
    label = property(lambda self: " ".join([self.name, *self.options]))
    least_reduced = property(lambda self: self.reductions[0])
    formula = property(lambda self: getattr(formulas, self.name))


IN_KERNEL = ("sum", "mean")
SQUARED_ERROR = Case("squared_error", squared_error_inputs)
CROSS_ENTROPY = Case("cross_entropy", cross_entropy_inputs)
SQUARED_DISTANCE = Case("squared_distance", squared_error_inputs, IN_KERNEL)
IN_ORDER = Case("squared_distance", squared_error_inputs, IN_KERNEL, {"deterministic": True})
ADAPTIVE_ROBUST = Case("adaptive_robust", adaptive_robust_inputs)
CASES = [SQUARED_ERROR, CROSS_ENTROPY, SQUARED_DISTANCE, IN_ORDER, ADAPTIVE_ROBUST]


def each(**cases):
    return pytest.mark.parametrize("loss", cases.values(), ids=cases)


each_loss = each(**{loss.label: loss for loss in CASES})
each_unreduced = each(**{loss.label: loss for loss in CASES if "none" in loss.reductions})
each_reduction = pytest.mark.parametrize(
    ("loss", "reduction"),
    [pytest.param(loss, one, id=f"{loss.label} {one}") for loss in CASES for one in loss.reductions],
)


def test_every_loss_is_here():
    assert set(losses.ALL) == {loss.name for loss in CASES}


@each_loss
def test_the_example_is_float32_and_the_same_each_time(loss, device):
    one, two = (losses.ALL[loss.name].example(device) for _ in range(2))
    assert all(torch.equal(a, b) and a.device == device for a, b in zip(one, two, strict=True))
    assert one[0].dtype == torch.float32
    assert one[0].requires_grad


@each_reduction
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_value_and_gradient_of_each_reduction(loss, reduction, dtype, device):
    shape = (N,) if reduction == "none" else ()
    upstream = torch.randn(shape, dtype=dtype, device=device)
    inputs = loss.inputs(dtype, device)
    assert_as_formula(loss.function, loss.formula, inputs, upstream, ulps=32, scale=1.0, reduction=reduction)


@each_loss
def test_the_mean_is_the_default(loss):
    inputs = loss.inputs()
    assert torch.equal(loss.function(*inputs), loss.function(*inputs, reduction="mean"))


UPSTREAMS = {
    "expanded": lambda: torch.tensor(-1.5, dtype=torch.float64).expand(N),
    "every second": lambda: torch.randn(2 * N, dtype=torch.float64)[::2],
    "a column": lambda: torch.randn(N, 3, dtype=torch.float64).t()[1],
}


@each_unreduced
@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
def test_upstream_gradients_with_strides(loss, upstream):
    assert_as_formula(loss.function, loss.formula, loss.inputs(), upstream(), ulps=32, scale=1.0, reduction="none")


@each_reduction
def test_gradcheck(loss, reduction):
    first, *others = (x[:6] if len(x) == N else x for x in loss.inputs())
    assert torch.autograd.gradcheck(lambda *inputs: loss.function(*inputs, reduction), (first, *others))


@each_loss
def test_a_backward_twice_gives_the_same_twice(loss):
    first, *others = loss.inputs()
    value = loss.function(first, *others)
    value.backward(retain_graph=True)
    once = first.grad.clone()
    value.backward()
    assert torch.equal(first.grad, once + once)


@each_loss
def test_the_loss_may_be_changed_in_place(loss):
    first, *others = loss.inputs()
    loss.function(first, *others, reduction=loss.least_reduced).mul_(3.0).sum().backward()
    (expected,) = torch.autograd.grad(3.0 * loss.function(first, *others, reduction="sum"), first)
    torch.testing.assert_close(first.grad, expected)


@each_loss
def test_buffers_that_arrive_full_of_nan_are_written_over(loss, monkeypatch):
    inputs = loss.inputs()
    expected = value_and_gradients(loss.function, inputs, reduction=loss.least_reduced)
    made = []

    def poisoned(make):
        def make_poisoned(*arguments, **options):
            made.append(make(*arguments, **options).fill_(float("nan")))
            return made[-1]

        return make_poisoned

    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    value, gradients = value_and_gradients(loss.function, inputs, reduction=loss.least_reduced)
    assert made
    assert torch.equal(value, expected[0])
    assert all(torch.equal(one, two) for one, two in zip(gradients, expected[1], strict=True))


WASTED = {
    "squared_error x": (SQUARED_ERROR, (0,), 1, 1),
    "squared_error y": (SQUARED_ERROR, (1,), 1, 1),
    "squared_error x and y": (SQUARED_ERROR, (0, 1), 1, 2),
    "squared_distance y": (SQUARED_DISTANCE, (1,), 1, 1),
    "squared_distance x and y": (SQUARED_DISTANCE, (0, 1), 1, 2),
    "squared_distance deterministic x": (IN_ORDER, (0,), 2, 1),
    "adaptive_robust scale": (ADAPTIVE_ROBUST, (2,), 1, 1),
    "adaptive_robust all": (ADAPTIVE_ROBUST, (0, 1, 2), 1, 3),
    "cross_entropy logits": (CROSS_ENTROPY, (0,), 1, 1),
}


@pytest.mark.parametrize(("loss", "requiring", "forward", "backward"), WASTED.values(), ids=WASTED)
def test_no_launch_is_wasted(loss, requiring, forward, backward, monkeypatch):
    inputs = [x.detach() for x in loss.inputs()]
    wanted = [inputs[i].requires_grad_() for i in requiring]
    expected = torch.autograd.grad(loss.formula(*inputs), wanted)
    launched = count_launches(monkeypatch)
    value = loss.function(*inputs)
    assert len(launched) == forward
    value.backward()
    assert len(launched) == forward + backward
    torch.testing.assert_close([x.grad for x in wanted], list(expected))


@each_loss
def test_without_grad_no_graph_is_made(loss):
    assert not loss.function(*(x.detach() for x in loss.inputs())).requires_grad
    with torch.no_grad():
        assert not loss.function(*loss.inputs()).requires_grad


@each_loss
def test_a_second_derivative_through_the_upstream_gradient_is_refused(loss):
    first, *others = loss.inputs()
    value = loss.function(first, *others, reduction=loss.least_reduced)
    (gradient,) = torch.autograd.grad(value.square().sum(), first, create_graph=True)
    with pytest.raises(RuntimeError, match=r"twice|second derivative"):
        gradient.sum().backward()


@each_loss
def test_a_gradient_penalty_is_refused_and_not_ignored(loss):
    first, *others = loss.inputs()
    value = loss.function(first, *others)
    (gradient,) = torch.autograd.grad(value, first, create_graph=True)
    with pytest.raises(RuntimeError, match=r"twice|second derivative"):
        (value + gradient.square().sum()).backward()


@each_loss
def test_another_reduction_is_refused(loss):
    with pytest.raises(ValueError, match="'average' is none of 'none', 'sum', 'mean'"):
        loss.function(*loss.inputs(), reduction="average")


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_another_dtype_is_refused(loss, dtype):
    inputs = [x.to(dtype) if x.is_floating_point() else x for x in loss.inputs()]
    with pytest.raises(ValueError, match=f"is {dtype}; this loss takes torch.float32 or torch.float64"):
        loss.function(*inputs)


MEMORY = {
    "empty": lambda x: x[:0],
    "every second": lambda x: x.repeat_interleave(2, 0)[::2],
    "expanded": lambda x: x[:1].expand(x.shape),
    "with an offset": lambda x: x[3:],
    "a column of a matrix": lambda x: torch.stack([x, -x], 1)[:, 0],
}
NO_DIMENSION = {"no dimension": lambda x: x[2], "two dimensions, transposed": lambda x: x[:36].view(4, 9).t()}
ELEMENTWISE = [SQUARED_ERROR, SQUARED_DISTANCE, IN_ORDER, ADAPTIVE_ROBUST]
VIEWS = [(loss, name, view) for loss in CASES for name, view in MEMORY.items()]
VIEWS += [(loss, name, view) for loss in ELEMENTWISE for name, view in NO_DIMENSION.items()]


@pytest.mark.parametrize(
    ("loss", "view"), [pytest.param(loss, view, id=f"{loss.label} {name}") for loss, name, view in VIEWS]
)
def test_memory_of_any_layout(loss, view, device):
    """The class weights of cross entropy have a length of their own, and stay as they are."""
    inputs = [x.detach() for x in loss.inputs(device=device)]
    wanted = [x.requires_grad for x in loss.inputs(device=device)]
    batch = [view(x).requires_grad_(w) if len(x) == N else x for x, w in zip(inputs, wanted, strict=True)]
    before = [x.detach().clone() for x in batch]
    for reduction in loss.reductions:
        assert_as_formula(loss.function, loss.formula, batch, ulps=32, scale=1.0, reduction=reduction)
    assert all(torch.equal(x, old) for x, old in zip(batch, before, strict=True))


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda loss: loss.label)
def test_the_same_tensor_for_every_input(loss, device):
    """Its gradient is the sum of those of the inputs."""
    x = (torch.rand(N, dtype=torch.float64, device=device) + 0.5).requires_grad_()
    count = len(loss.inputs())
    for reduction in loss.reductions:
        upstream = torch.randn(N if reduction == "none" else (), dtype=torch.float64, device=device)
        found, expected = (
            value_and_gradients(lambda x, f=f, **o: f(*[x] * count, **o), [x], upstream, reduction=reduction)
            for f in (loss.function, loss.formula)
        )
        torch.testing.assert_close(found, expected)


@each_loss
def test_inputs_that_are_frozen_get_no_gradient_and_no_launch(loss, monkeypatch):
    inputs = [x.detach() for x in loss.inputs()]
    launched = count_launches(monkeypatch)
    loss.function(*inputs)
    forward = len(launched)
    for k, (x, of) in enumerate(zip(inputs, loss.inputs(), strict=True)):
        if of.requires_grad:
            launched.clear()
            moving = [y.requires_grad_() if j == k else y for j, y in enumerate(x.clone() for x in inputs)]
            loss.function(*moving).backward()
            assert len(launched) == forward + 1
            assert [y.grad is not None for y in moving] == [j == k for j in range(len(moving))]


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_through_float_is_right_to_its_last_digit(loss, dtype):
    """As the refusal advises: computed in float32, and rounded once, where autograd takes the gradient back."""
    inputs = [x.detach().to(dtype) if x.is_floating_point() else x for x in loss.inputs()]
    inputs[0].requires_grad_()

    def through(to, function):
        converted = [to(x) if x.is_floating_point() else x for x in inputs]
        return torch.autograd.grad(function(*converted, reduction="sum"), inputs[0])[0]

    found, expected = through(torch.Tensor.float, loss.function), through(torch.Tensor.double, loss.formula)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).tiny)
