"""A loss differenced in its kernel: as near to float64 autograd of plain torch as a central difference can be."""

import math

import pytest
import torch
from numba import cuda

from workbench.gradients.in_kernel import differenced
from workbench.losses.squared_error import squared_difference

FLOATS = [torch.float32, torch.float64]


@cuda.jit(device=True)
def softplus(x):
    return math.log(1 + math.exp(x))


@cuda.jit(device=True)
def huber(x, y, width):
    distance = abs(x - y)
    if distance <= width:
        return distance * distance / 2
    return width * (distance - width / 2)


@cuda.jit(device=True)
def signed(x, label):
    return math.log(1 + math.exp(-x * (2 * label - 1)))


@cuda.jit(device=True)
def cube(x):
    return x * x * x


@cuda.jit(device=True)
def cubed_difference(x, y):
    return (x - y) * (x - y) * (x - y) + (x - y)


@cuda.jit(device=True)
def four(a, b, c, d):
    return a


@cuda.jit(device=True)
def weighted_sine(x, y, weight):
    return weight * math.sin(x - y)


# made once: each call of differenced makes kernels of its own, and each is compiled
SOFTPLUS, SQUARED, SINE, HUBER = map(differenced, (softplus, squared_difference, weighted_sine, huber))

LOSSES = {
    "softplus": (SOFTPLUS, lambda x: torch.log(1 + torch.exp(x)), 1),
    "squared difference": (SQUARED, lambda x, y: (x - y) ** 2, 2),
    "weighted sine": (SINE, lambda x, y, weight: weight * torch.sin(x - y), 3),
}


def _inputs(count, n, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(n, generator=generator, dtype=torch.float64).to(dtype) for _ in range(count)]
    return [x.requires_grad_() for x in inputs]


def _check(loss, reference, inputs, upstream):
    values = loss(*inputs)
    found = torch.autograd.grad(values, inputs, upstream)
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    truth = reference(*doubles)
    expected = torch.autograd.grad(truth, doubles, upstream.double())
    epsilon = torch.finfo(values.dtype).eps
    assert values.dtype == inputs[0].dtype
    torch.testing.assert_close(values.double(), truth, rtol=8 * epsilon, atol=8 * epsilon)
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, values.dtype)
        # h² of truncation of a function of scale one, and ε / h of the value in rounding: both are ε^(2/3)
        allowed = 4 * epsilon ** (2 / 3) * upstream.double().abs() * (1 + truth.detach().abs())
        assert ((one.double() - other).abs() <= allowed).all()
    return found, expected


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", [0, 1, 33, 257, 1025])
@pytest.mark.parametrize("name", LOSSES)
def test_against_float64_autograd(name, n, dtype):
    loss, reference, count = LOSSES[name]
    _check(loss, reference, _inputs(count, n, dtype), torch.linspace(-2, 2, n, dtype=dtype))


def test_a_difference_worked_by_hand():
    # the difference of x³ at 0 is h²; that of (x - y)², in which h cancels, is 2 (x - y)
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    differenced(cube)(x).sum().backward()
    assert x.grad.item() == pytest.approx((2.0**-52) ** (2 / 3), rel=1e-12)
    x, y = torch.tensor([3.0, 5.0]).requires_grad_(), torch.tensor([1.0, 9.0]).requires_grad_()
    loss = SQUARED(x, y)
    assert loss.tolist() == [4.0, 16.0]
    loss.backward(torch.tensor([1.0, -10.0]))
    assert x.grad.tolist() == pytest.approx([4.0, 80.0], rel=1e-4)
    assert y.grad.tolist() == pytest.approx([-4.0, -80.0], rel=1e-4)


def test_the_step_grows_with_the_root_and_the_distance_is_as_it_came_out():
    # the difference of d³ + d at d = 0 is 1 + h², and h at 100 is ten times that at 1
    x = torch.full((1,), 100.0, dtype=torch.float64, requires_grad=True)
    differenced(cubed_difference)(x, x.detach()).sum().backward()
    assert x.grad.item() - 1 == pytest.approx(100 * (2.0**-52) ** (2 / 3), rel=1e-5)


def test_large_and_small_magnitudes_move():
    x = torch.tensor([1e-30, 1e10, -1e10], requires_grad=True)
    SQUARED(x, torch.zeros(3)).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach(), rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_tensors_that_are_not_contiguous(dtype):
    x, y = (t.detach().view(30, 20).T[::2].requires_grad_() for t in _inputs(2, 600, dtype))
    upstream = torch.tensor(-3.0, dtype=dtype).expand(10, 30)
    _check(SQUARED, lambda x, y: (x - y) ** 2, [x, y], upstream)


def test_integer_inputs_are_read_as_they_are():
    (x,) = _inputs(1, 100, torch.float64)
    label = torch.arange(100) % 2
    differenced(signed)(x, label).sum().backward()
    sign = 2.0 * label - 1
    torch.testing.assert_close(x.grad, -sign * torch.sigmoid(-x.detach() * sign), rtol=0, atol=1e-9)


def huber_in_torch(x, y, width):
    distance = (x - y).abs()
    return torch.where(distance <= width, distance**2 / 2, width * (distance - width / 2))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", [257, 1025, 20_000])
def test_huber_away_from_its_joint_and_within_a_step_of_it(n, dtype):
    x, y, width = (t.detach() for t in _inputs(3, n, dtype))
    width = width.abs() + 0.5
    inputs = [t.requires_grad_() for t in (x, y, width)]
    upstream = torch.linspace(-2, 2, n, dtype=dtype)
    found = torch.autograd.grad(HUBER(*inputs), inputs, upstream)
    doubles = [t.detach().double().requires_grad_() for t in inputs]
    truth = huber_in_torch(*doubles)
    expected = torch.autograd.grad(truth, doubles, upstream.double())
    epsilon = torch.finfo(dtype).eps
    off_joint = ((doubles[0] - doubles[1]).abs() - doubles[2]).detach().abs()
    beyond = 0
    for one, other, moved in zip(found, expected, doubles, strict=True):
        h = epsilon ** (1 / 3) * moved.detach().abs().sqrt().clamp(min=1)
        # the second derivative jumps by 1 at the joint, so a point beyond it by h - d adds (h - d)² / 2 to a value
        inside = (h - off_joint).clamp(min=0)
        smooth = 4 * epsilon ** (2 / 3) * (1 + truth.detach())
        wrong = (one.double() - other).abs() / upstream.double().abs().clamp(min=1e-9)
        assert (wrong <= smooth + inside**2 / (4 * h)).all()
        assert (wrong[inside == 0] <= smooth[inside == 0]).all()
        beyond += int((wrong > smooth).sum())
    if (n, dtype) == (20_000, torch.float32):
        assert beyond > 10  # the joint does show, and nothing else does


def test_at_a_kink_the_difference_lies_between_both_slopes():
    x = torch.zeros(1, requires_grad=True)
    width = torch.full((1,), 1e-20)
    HUBER(x, torch.zeros(1), width).sum().backward()
    assert x.grad.item() == 0.0


def test_inputs_stay_as_they_are_and_only_what_requires_grad_is_differenced():
    x, y = _inputs(2, 50, torch.float32)
    y = y.detach()
    before = x.detach().clone(), y.clone()
    SQUARED(x, y).sum().backward()
    assert torch.equal(x.detach(), before[0])
    assert torch.equal(y, before[1])
    assert y.grad is None


def test_a_second_derivative_is_refused():
    (x,) = _inputs(1, 5, torch.float64)
    (gradient,) = torch.autograd.grad(SOFTPLUS(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="softplus has no second derivative"):
        gradient.sum().backward()


REFUSED = {
    "count": ((torch.ones(3),), "squared_difference takes 2 tensors and was given 1"),
    "shape": ((torch.ones(3), torch.ones(4)), r"input 1 of squared_difference has shape torch.Size\(\[4\]\)"),
    "dtype": ((torch.ones(3), torch.ones(3).double()), "input 1 of squared_difference has dtype torch.float64"),
    "half": ((torch.ones(3).half(), torch.ones(3).half()), "takes torch.float32 or torch.float64"),
    "integers": ((torch.arange(3), torch.arange(3)), "at least one floating-point tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inputs_that_do_not_fit_are_refused(name):
    inputs, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        SQUARED(*inputs)


def test_what_is_no_device_function_of_three_is_refused():
    with pytest.raises(ValueError, match="decorate it with"):
        differenced(lambda x: x)
    with pytest.raises(ValueError, match="four has 4 arguments"):
        differenced(four)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_each_sample_by_torch_func(name):
    loss, reference, count = LOSSES[name]
    inputs = [x.detach().view(3, 4) for x in _inputs(count, 12, torch.float64)]
    every = tuple(range(count))

    def gradients(function):
        return torch.func.vmap(torch.func.grad(lambda *x: function(*x).sum(), every))(*inputs)

    torch.testing.assert_close(gradients(loss), gradients(reference), rtol=1e-9, atol=1e-9)
