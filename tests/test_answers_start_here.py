"""The exercise of the first notebook: mend Huber's gradient."""

import torch
from answers import tried
from numba import cuda

import workbench as wb


@cuda.jit
def huber_kernel(x, y, loss):
    """Updates: loss [n]."""
    i = cuda.grid(1)
    if i < loss.size:
        d = abs(x[i] - y[i])
        loss[i] = d * d / 2 if d <= 1 else d - 0.5


def huber(gradient_kernel):
    class Huber(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            loss = torch.empty_like(x)
            wb.launch(huber_kernel[wb.blocks(x.numel()), 256], x, y, loss)
            return loss

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            x, y = ctx.saved_tensors
            gradient = torch.empty_like(x)
            wb.launch(gradient_kernel[wb.blocks(x.numel()), 256], x, y, upstream, gradient)
            return gradient, None

    return Huber


@cuda.jit
def right(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        d = x[i] - y[i]
        gradient[i] = max(-1, min(1, d)) * upstream[i]


@cuda.jit
def as_given(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (x[i] - y[i]) * upstream[i]


@cuda.jit
def one_on_both_sides(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        d = x[i] - y[i]
        gradient[i] = (d if abs(d) <= 1 else 1) * upstream[i]


@cuda.jit
def without_upstream(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        d = x[i] - y[i]
        gradient[i] = max(-1, min(1, d))


RIGHT = {"huber": huber(right)}
WRONG = {
    "huber": [
        (huber(as_given), "elements are wrong"),
        (huber(one_on_both_sides), "elements are wrong"),
        (huber(without_upstream), "the upstream gradient is ignored"),
        (lambda x, y: torch.nn.functional.huber_loss(x, y, reduction="none"), "no kernel was launched"),
    ]
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
