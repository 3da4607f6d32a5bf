"""What every loss keeps to: reductions, upstream gradients, no wasted launches, no second derivative."""

import importlib
from dataclasses import dataclass

import formulas
import pytest
import torch
from cases import FLOATS
from formulas import assert_as_formula, value_and_gradients

from workbench import launch, losses

N, CLASSES = 37, 5
REDUCTIONS = ("none", "sum", "mean")


def squared_error_inputs(dtype=torch.float64, device="cpu"):
    x, y = torch.randn(2, N, dtype=dtype, device=device)
    return x.requires_grad_(), y.requires_grad_()


def cross_entropy_inputs(dtype=torch.float64, device="cpu"):
    logits = torch.randn(N, CLASSES, dtype=dtype, device=device, requires_grad=True)
    target = torch.randint(CLASSES, (N,), device=device)
    return logits, target, torch.rand(CLASSES, dtype=dtype, device=device) + 0.5


@dataclass
class Case:
    """``inputs(dtype, device)`` makes inputs, of which the first requires grad, for N losses."""

    name: str
    inputs: object

    function = property(lambda self: getattr(losses, self.name))
    formula = property(lambda self: getattr(formulas, self.name))
    module = property(lambda self: importlib.import_module(f"workbench.losses.{self.name}"))


CASES = [Case("squared_error", squared_error_inputs), Case("cross_entropy", cross_entropy_inputs)]
each_loss = pytest.mark.parametrize("loss", CASES, ids=lambda loss: loss.name)


def test_every_loss_is_here():
    assert set(losses.ALL) == {loss.name for loss in CASES}


@each_loss
def test_the_example_is_float32_and_the_same_each_time(loss, device):
    one, two = (losses.ALL[loss.name].example(device) for _ in range(2))
    assert all(torch.equal(a, b) and a.device == device for a, b in zip(one, two, strict=True))
    assert one[0].dtype == torch.float32
    assert one[0].requires_grad


@each_loss
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
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


@each_loss
@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
def test_upstream_gradients_with_strides(loss, upstream):
    assert_as_formula(loss.function, loss.formula, loss.inputs(), upstream(), ulps=32, scale=1.0, reduction="none")


@each_loss
@pytest.mark.parametrize("reduction", REDUCTIONS)
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
def test_the_unreduced_loss_may_be_changed_in_place(loss):
    first, *others = loss.inputs()
    loss.function(first, *others, reduction="none").mul_(3.0).sum().backward()
    (expected,) = torch.autograd.grad(3.0 * loss.function(first, *others, reduction="sum"), first)
    torch.testing.assert_close(first.grad, expected)


@each_loss
def test_buffers_that_arrive_full_of_nan_are_written_over(loss, monkeypatch):
    inputs = loss.inputs()
    expected = value_and_gradients(loss.function, inputs, reduction="none")
    made = []

    def poisoned(make):
        def make_poisoned(*arguments, **options):
            made.append(make(*arguments, **options).fill_(float("nan")))
            return made[-1]

        return make_poisoned

    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    value, gradients = value_and_gradients(loss.function, inputs, reduction="none")
    assert len(made) >= 2
    assert torch.equal(value, expected[0])
    assert all(torch.equal(one, two) for one, two in zip(gradients, expected[1], strict=True))


@pytest.mark.parametrize(
    ("loss", "requiring", "launches"),
    [(CASES[0], (0,), 1), (CASES[0], (1,), 1), (CASES[0], (0, 1), 2), (CASES[1], (0,), 1)],
    ids=["x", "y", "x and y", "logits"],
)
def test_no_launch_is_wasted(loss, requiring, launches, monkeypatch):
    inputs = [x.detach() for x in loss.inputs()]
    wanted = [inputs[i].requires_grad_() for i in requiring]
    expected = torch.autograd.grad(loss.formula(*inputs), wanted)
    launched = []
    monkeypatch.setattr(loss.module, "launch", lambda *arguments: (launched.append(1), launch(*arguments)))
    value = loss.function(*inputs)
    assert len(launched) == 1
    value.backward()
    assert len(launched) == 1 + launches
    torch.testing.assert_close([x.grad for x in wanted], list(expected))


@each_loss
def test_without_grad_no_graph_is_made(loss):
    assert not loss.function(*(x.detach() for x in loss.inputs())).requires_grad
    with torch.no_grad():
        assert not loss.function(*loss.inputs()).requires_grad


@each_loss
def test_a_second_derivative_through_the_upstream_gradient_is_refused(loss):
    first, *others = loss.inputs()
    value = loss.function(first, *others, reduction="none")
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
