"""The exercises on custom functions: what to save, outputs that go unused, frozen inputs, and a penalty."""

import math

import torch
from answers import tried
from numba import cuda

import workbench as wb


@cuda.jit
def exponential_kernel(x, value):
    """Updates: value [n]."""
    i = cuda.grid(1)
    if i < value.size:
        value[i] = math.exp(x[i])


def exponential(saves, backward):
    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            value = torch.empty_like(x)
            wb.launch(exponential_kernel[wb.blocks(x.numel()), 256], x, value)
            saves(ctx, x, value)
            return value

    Exponential.backward = staticmethod(backward)
    return Exponential


def of_the_output(ctx, upstream):
    return upstream * ctx.saved_tensors[-1]


def of_the_input(ctx, upstream):
    return upstream * torch.exp(ctx.saved_tensors[0])


def polar(backward, materialise=False):
    class Polar(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(materialise)
            ctx.save_for_backward(x, y)
            return torch.hypot(x, y), torch.atan2(y, x)

    Polar.backward = staticmethod(lambda ctx, u, v: backward(u, v, *ctx.saved_tensors))
    return Polar


def by_both(u, v, x, y):
    square = x * x + y * y
    return u * x / square.sqrt() - v * y / square, u * y / square.sqrt() + v * x / square


def each_by_itself(u, v, x, y):
    square, of_x, of_y = x * x + y * y, 0, 0
    if u is not None:
        of_x, of_y = u * x / square.sqrt(), u * y / square.sqrt()
    if v is not None:
        of_x, of_y = of_x - v * y / square, of_y + v * x / square
    return of_x, of_y


def nothing_unless_both(u, v, x, y):
    return (None, None) if u is None or v is None else by_both(u, v, x, y)


def radius_not_squared(u, v, x, y):
    radius = torch.hypot(x, y)
    return u * x / radius - v * y / radius, u * y / radius + v * x / radius


@cuda.jit
def scaled_kernel(x, y, value):
    """Updates: value [n]."""
    i = cuda.grid(1)
    if i < value.size:
        value[i] = x[i] * y[i] * y[i]


@cuda.jit
def by_x_kernel(y, upstream, gradient):
    """Updates: gradient [n]."""
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = y[i] * y[i] * upstream[i]


@cuda.jit
def by_y_kernel(x, y, upstream, gradient):
    """Updates: gradient [n]."""
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 2 * x[i] * y[i] * upstream[i]


def launched(kernel, *tensors):
    out = torch.empty_like(tensors[0])
    wb.launch(kernel[wb.blocks(out.numel()), 256], *tensors, out)
    return out


def scaled(gradients):
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return launched(scaled_kernel, x, y)

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            x, y = ctx.saved_tensors
            of_x = lambda: launched(by_x_kernel, y, upstream)  # noqa: E731
            of_y = lambda: launched(by_y_kernel, x, y, upstream)  # noqa: E731
            return gradients(*ctx.needs_input_grad, of_x, of_y)

    return Scaled


def wanted(needs_x, needs_y, of_x, of_y):
    return of_x() if needs_x else None, of_y() if needs_y else None


def always(needs_x, needs_y, of_x, of_y):
    return of_x(), of_y()


def thrown_away(needs_x, needs_y, of_x, of_y):
    by_x, by_y = of_x(), of_y()
    return by_x if needs_x else None, by_y if needs_y else None


def all_or_nothing(needs_x, needs_y, of_x, of_y):
    return (of_x(), of_y()) if needs_x and needs_y else (None, None)


def without_none(needs_x, needs_y, of_x, of_y):
    return tuple(of() for of, needed in ((of_x, needs_x), (of_y, needs_y)) if needed)


RIGHT = {
    "exponential": exponential(lambda ctx, x, value: ctx.save_for_backward(value), of_the_output),
    "polar": polar(each_by_itself),
    "frozen": scaled(wanted),
    "penalty": ("right", "lost", "lost", "refused"),
}
WRONG = {
    "exponential": [
        (exponential(lambda ctx, x, value: ctx.save_for_backward(x), of_the_input), "the input is saved"),
        (exponential(lambda ctx, x, value: ctx.save_for_backward(x, value), of_the_output), "2 tensors are saved"),
        (
            exponential(lambda ctx, x, value: setattr(ctx, "value", value), lambda ctx, u: u * ctx.value),
            "nothing is saved by ctx.save_for_backward",
        ),
        (
            exponential(lambda ctx, x, value: ctx.save_for_backward(value), lambda ctx, u: ctx.saved_tensors[0]),
            "the upstream gradient is ignored",
        ),
        (
            exponential(
                lambda ctx, x, value: ctx.save_for_backward(value), lambda ctx, u: u * torch.exp(ctx.saved_tensors[0])
            ),
            "elements are wrong",
        ),
    ],
    "polar": [
        (polar(by_both), "where output 0 is unused: it raises TypeError"),
        (polar(nothing_unless_both), "where output 0 is unused"),
        (polar(radius_not_squared, True), "elements are wrong"),
        (polar(lambda u, v, x, y: each_by_itself(u, None, x, y)), "gradient by x"),
    ],
    "frozen": [
        (scaled(always), "backward launches 2 kernels all the same"),
        (scaled(thrown_away), "where y requires no gradient, backward launches 2 kernels"),
        (scaled(all_or_nothing), "where x alone requires a gradient"),
        (scaled(without_none), "incorrect number of gradients"),
    ],
    "penalty": [
        (("right", "refused", "lost", "refused"), "The second: nothing marks"),
        (("right", "lost", "refused", "refused"), "The third: torch's decorator"),
        (("right", "right", "right", "refused"), "2 of 4 are right; the first that is not is number 2"),
        (None, "no answer yet"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)


def test_zeros_for_an_unused_output_are_as_good_as_none():
    assert wb.exercise("polar").check(polar(by_both, True)).passed
