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


def test_audit_accepts_it_and_neither_of_the_other_ways():
    x = torch.linspace(-1, 1, 100)
    assert wb.audit(cube(wb.once_differentiable), x, reference=lambda x: x**3).passed
    for mark in (torch.autograd.function.once_differentiable, lambda backward: backward):
        found = wb.audit(cube(mark), x, reference=lambda x: x**3)
        assert [check.question for check in found.wrong] == ["second derivative, right or refused"]
