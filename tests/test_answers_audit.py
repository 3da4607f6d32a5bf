"""The exercises on the audit: three gradients to mend, and which question catches what."""

import pytest
import torch
from answers import tried
from numba import cuda
from wrong_gradients import with_backward

import workbench as wb


def weighted_mean(by_weight, scale=1.0):
    def by_x(upstream, x, weight):
        return scale * upstream * 2 * weight * x / (1 + weight.sum())

    def value(x, weight):
        return (weight * x * x).sum() / (1 + weight.sum())

    return with_backward("WeightedMean", value, by_x, lambda u, x, w: u * by_weight(x, w, value(x, w)))


@cuda.jit
def cube_gradient_kernel(x, upstream, gradient):
    """Updates: gradient [n]."""
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 3 * x[i] * x[i] * upstream[i]


@cuda.jit
def unguarded_kernel(x, upstream, gradient):
    """Updates: gradient [n]."""
    i = cuda.grid(1)
    gradient[i] = 3 * x[i] * x[i] * upstream[i]


def cube(blocks, kernel=cube_gradient_kernel, refuse=wb.once_differentiable):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @refuse
        def backward(ctx, upstream):
            (x,) = ctx.saved_tensors
            gradient = torch.zeros_like(x)
            if blocks(x.numel()):
                wb.launch(kernel[blocks(x.numel()), 256], x.detach(), upstream.detach(), gradient)
            return gradient

    return Cube


def smooth(backward, saves=lambda ctx, x, value: ctx.save_for_backward(x)):
    class Smooth(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            value = torch.sqrt(1 + x * x)
            ctx.derivative = x / value
            saves(ctx, x, value)
            return value

    Smooth.backward = staticmethod(backward)
    return Smooth


def of_saved(ctx, upstream):
    (x,) = ctx.saved_tensors
    return upstream * x / torch.sqrt(1 + x * x)


def kept_apart(ctx, upstream):
    return ctx.derivative * upstream


def in_place(ctx, upstream):
    return ctx.derivative.mul_(upstream)


def into_the_upstream(ctx, upstream):
    (x,) = ctx.saved_tensors
    return upstream.mul_(x / torch.sqrt(1 + x * x))


RIGHT = {
    "weighted mean": weighted_mean(lambda x, w, value: (x * x - value) / (1 + w.sum())),
    "cube": cube(wb.blocks),
    "once more": smooth(of_saved),
    "which question": ("sizes", "kinks", "upstream", "subsets"),
}
WRONG = {
    "weighted mean": [
        (weighted_mean(lambda x, w, value: x * x / (1 + w.sum())), "gradient by input 1"),
        (weighted_mean(lambda x, w, value: (value - x * x) / (1 + w.sum())), "the sign is flipped"),
        (weighted_mean(lambda x, w, value: x * x - value), "gradient by input 1"),
        (weighted_mean(lambda x, w, value: (x * x - value) / (1 + w.sum()), 0.5), "a factor 2 is missing"),
    ],
    "cube": [
        (cube(lambda n: 1), "all from 256 on"),
        (cube(lambda n: 4), "with 1,025 rows"),
        (cube(wb.blocks, unguarded_kernel), "out of bounds"),
        (cube(wb.blocks, refuse=lambda backward: backward), "autograd takes it for zero"),
    ],
    "once more": [
        (smooth(in_place), "in the second backward"),
        (smooth(kept_apart), "autograd takes it for zero"),
        (smooth(into_the_upstream), "upstream gradient"),
    ],
    "which question": [
        (("value", "kinks", "upstream", "subsets"), "The first: the value is right"),
        (("sizes", "gradient", "upstream", "subsets"), "The second: "),
        (("sizes", "sizes", "upstream", "upstream"), "2 of 4 are right; the first that is not is number 2, 'sizes'"),
        ("sizes", "the answer is 4 values"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)


def test_weighted_mean_may_be_once_differentiable():
    """A refusal of second derivatives is as good as one."""
    right = RIGHT["weighted mean"]
    right.backward = staticmethod(wb.once_differentiable(right.backward))
    assert wb.exercise("weighted mean").check(right).passed


def test_once_more_may_keep_its_derivative_where_a_second_one_is_refused():
    """Also where nothing is saved: the decorator finds the leaves that the input comes from."""
    assert wb.exercise("once more").check(smooth(wb.once_differentiable(kept_apart), lambda *_: None)).passed


# -- what the fourth exercise says of its mistakes

X, Y = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))


def larger_to_x(u, x, y):
    return u * (x >= y)


def larger_to_y(u, x, y):
    return u * (x < y)


def without_strides(u, x):
    return 2 * x * u.as_strided(x.shape, torch.empty(x.shape).stride())


class WithoutNone(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return (x - y) ** 2

    @staticmethod
    def backward(ctx, upstream):
        x, y = ctx.saved_tensors
        gradients = (2 * upstream * (x - y), 2 * upstream * (y - x))
        return tuple(g for g, needed in zip(gradients, ctx.needs_input_grad, strict=True) if needed)


PREDICTED = {
    "sizes": (cube(lambda n: 4).apply, (X,), lambda x: x**3, None),
    "kinks": (
        with_backward("larger", torch.maximum, larger_to_x, larger_to_y).apply,
        (X, Y),
        torch.maximum,
        {"input 0": ["input 1"]},
    ),
    "upstream": (with_backward("strides", torch.square, without_strides).apply, (X,), torch.square, None),
    "subsets": (WithoutNone.apply, (X, Y), lambda x, y: (x - y) ** 2, None),
}
BEGINS = {"sizes": "sizes from", "kinks": "gradient where", "upstream": "upstream gradient", "subsets": "each subset"}


@pytest.mark.parametrize("word", PREDICTED)
def test_each_prediction_is_so(word):
    function, inputs, reference, kinks = PREDICTED[word]
    (wrong,) = wb.audit(function, *inputs, reference=reference, kinks=kinks).wrong
    assert wrong.question.startswith(BEGINS[word])
