"""A backward that may be differentiated once, and says so when it is asked again."""

import pytest
import torch
from numba import cuda

import workbench as wb


@cuda.jit
def cube_kernel(x, out):
    """Updates: out [n]."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] * x[i] * x[i]


@cuda.jit
def cube_gradient_kernel(x, upstream, gradient):
    """Updates: gradient [n]."""
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 3 * x[i] * x[i] * upstream[i]


def cube(mark):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, exponent):
            ctx.save_for_backward(x)
            out = torch.empty_like(x)
            wb.launch(cube_kernel[wb.blocks(x.numel()), 256], x, out)
            return out

        @staticmethod
        @mark
        def backward(ctx, upstream):
            (x,) = ctx.saved_tensors
            gradient = torch.empty_like(x)
            wb.launch(cube_gradient_kernel[wb.blocks(x.numel()), 256], x, upstream, gradient)
            return gradient, None

    return lambda x: Cube.apply(x, 3)


def test_gradient_is_that_of_the_backward():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    cube(wb.once_differentiable)(x).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3.0, 120.0]


@pytest.mark.parametrize("upstream", [torch.ones(2), torch.tensor([2.0, 3.0], requires_grad=True)])
def test_second_derivative_is_refused(upstream):
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(cube(wb.once_differentiable)(x), x, upstream, create_graph=True)
    torch.testing.assert_close(gradient, (3 * x**2 * upstream))
    with pytest.raises(RuntimeError, match="Cube has no second derivative: its backward is marked"):
        torch.autograd.grad(gradient.sum(), x)


def through(save):
    """x³, whose backward has of its input only what ``save(ctx, x)`` kept: a copy that does not lead back to x."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            save(ctx, x.clone())
            return x**3

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            (x,) = ctx.saved_tensors or (ctx.kept,)
            return 3 * x * x * upstream

    return Cube.apply


def save(ctx, copy):
    ctx.save_for_backward(copy)


def keep(ctx, copy):
    ctx.kept = copy


@pytest.mark.parametrize("way", [save, keep])
@pytest.mark.parametrize("before", [lambda x: x, lambda x: x.exp().sin()], ids=["leaf", "computed"])
def test_it_is_refused_where_a_copy_was_saved(way, before):
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    loss = through(way)(before(x)).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="Cube has no second derivative"):
        torch.autograd.grad(loss + gradient.square().sum(), x)


def test_a_tensor_it_does_not_come_from_has_its_derivative():
    x, scale = torch.ones(2, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(through(save)(x).sum(), x, create_graph=True)
    assert torch.autograd.grad((scale * gradient).sum(), scale)[0] == 6


def test_audit_accepts_it_and_neither_of_the_other_ways():
    x = torch.linspace(-1, 1, 100)
    assert wb.audit(cube(wb.once_differentiable), x, reference=lambda x: x**3).passed
    for mark in (torch.autograd.function.once_differentiable, lambda backward: backward):
        found = wb.audit(cube(mark), x, reference=lambda x: x**3)
        assert [check.question for check in found.wrong] == ["second derivative, right or refused"]
