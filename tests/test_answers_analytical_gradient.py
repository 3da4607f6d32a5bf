"""The exercises of the notebook on the analytical gradient: log-cosh, two inputs, and what to save."""

import math

import torch
from answers import tried
from numba import cuda

import workbench as wb


def launched(kernel, *arguments):
    wb.launch(kernel[wb.blocks(arguments[-1].numel()), 256], *arguments)
    return arguments[-1]


@cuda.jit
def log_cosh(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = math.tanh(x[i] - y[i]) * upstream[i]


@cuda.jit
def log_cosh_as_given(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        difference = x[i] - y[i]
        gradient[i] = math.sinh(difference) / math.cosh(difference)


@cuda.jit
def log_cosh_of_large_numbers(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        difference = x[i] - y[i]
        gradient[i] = math.sinh(difference) / math.cosh(difference) * upstream[i]


@cuda.jit
def log_cosh_without_upstream(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = math.tanh(x[i] - y[i])


@cuda.jit
def log_cosh_by_y(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = math.tanh(y[i] - x[i]) * upstream[i]


@cuda.jit
def log_cosh_of_x(x, y, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = math.tanh(x[i]) * upstream[i]


@cuda.jit
def weighted_kernel(x, y, weight, loss):
    i = cuda.grid(1)
    if i < loss.size:
        loss[i] = weight[i] * (x[i] - y[i]) ** 2


@cuda.jit
def half_gradient_kernel(x, y, weight, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = weight[i] * (x[i] - y[i]) * upstream[i]


@cuda.jit
def weighted_gradient_kernel(x, y, weight, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 2 * weight[i] * (x[i] - y[i]) * upstream[i]


@cuda.jit
def unweighted_gradient_kernel(x, y, weight, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 2 * (x[i] - y[i]) * upstream[i]


def weighted(kernel, returned):
    class Weighted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, weight):
            ctx.save_for_backward(x, y, weight)
            return launched(weighted_kernel, x, y, weight, torch.empty_like(x))

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            return returned(launched(kernel, *ctx.saved_tensors, upstream, torch.empty_like(upstream)))

    return Weighted


@cuda.jit
def sigmoid_kernel(x, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = 1 / (1 + math.exp(-x[i]))


@cuda.jit
def gradient_of_input_kernel(x, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        value = 1 / (1 + math.exp(-x[i]))
        gradient[i] = value * (1 - value) * upstream[i]


@cuda.jit
def gradient_of_output_kernel(value, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = value[i] * (1 - value[i]) * upstream[i]


def sigmoid(kernel, saved):
    class Sigmoid(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            value = launched(sigmoid_kernel, x, torch.empty_like(x))
            ctx.save_for_backward(*saved(x, value))
            return value

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            return launched(kernel, ctx.saved_tensors[0], upstream, torch.empty_like(upstream))

    return Sigmoid


class Attribute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.value = launched(sigmoid_kernel, x, torch.empty_like(x))
        return ctx.value.clone()

    @staticmethod
    @wb.once_differentiable
    def backward(ctx, upstream):
        return launched(gradient_of_output_kernel, ctx.value, upstream, torch.empty_like(upstream))


RIGHT = {
    "log-cosh": log_cosh,
    "weighted squared error": weighted(weighted_gradient_kernel, lambda g: (g, -g, None)),
    "saved output": sigmoid(gradient_of_output_kernel, lambda x, value: (value,)),
}
WRONG = {
    "log-cosh": [
        (log_cosh_as_given, "And multiply by the upstream gradient."),
        (log_cosh_of_large_numbers, "a name of its own, math.tanh."),
        (log_cosh_without_upstream, "without what comes after it"),
        (log_cosh_by_y, "the sign is flipped"),
        (log_cosh_of_x, "Take the difference"),
    ],
    "weighted squared error": [
        (weighted(half_gradient_kernel, lambda g: (g, g, None)), "a factor 2 is missing"),
        (weighted(weighted_gradient_kernel, lambda g: (g, g, None)), "the sign is flipped"),
        (weighted(weighted_gradient_kernel, lambda g: (g, None, None)), "gradient by y"),
        (weighted(weighted_gradient_kernel, lambda g: (g, -g)), "returned an incorrect number of gradients"),
        (weighted(unweighted_gradient_kernel, lambda g: (g, -g, None)), "elements are wrong"),
    ],
    "saved output": [
        (sigmoid(gradient_of_input_kernel, lambda x, value: (x,)), "the input is saved"),
        (sigmoid(gradient_of_output_kernel, lambda x, value: (value, x)), "the input is saved"),
        (sigmoid(gradient_of_output_kernel, lambda x, value: (value.clone(),)), "a tensor beside the output"),
        (sigmoid(gradient_of_output_kernel, lambda x, value: (x,)), "elements are wrong"),
        (Attribute, "ctx.save_for_backward was given nothing"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
