"""The exercises of the notebook on calculations outside the graph: constants, an integral, a soft step."""

import math

import torch
from answers import tried
from numba import cuda

import workbench as wb


def run(kernel, *inputs):
    output = torch.empty_like(inputs[0])
    wb.launch(kernel[wb.blocks(output.numel()), 256], *inputs, output)
    return output


@cuda.jit
def scaled_kernel(x, s, y, w, loss):
    i = cuda.grid(1)
    if i < loss.size:
        difference = s[i] * x[i] - y[i]
        loss[i] = w[i] * difference * difference


@cuda.jit
def scaled_gradient_kernel(factor, s, x, y, w, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 2 * w[i] * (s[i] * x[i] - y[i]) * factor[i] * upstream[i]


def scaled(backward):
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, s, y, w):
            ctx.save_for_backward(x, s, y, w)
            return run(scaled_kernel, x, s, y, w)

    Scaled.backward = staticmethod(wb.once_differentiable(backward))
    return Scaled


def gradients(ctx, upstream):
    x, s, y, w = ctx.saved_tensors
    by_x = by_s = None
    if ctx.needs_input_grad[0]:
        by_x = run(scaled_gradient_kernel, s, s, x, y, w, upstream)
    if ctx.needs_input_grad[1]:
        by_s = run(scaled_gradient_kernel, x, s, x, y, w, upstream)
    return by_x, by_s, None, None


def none_for_the_scale(ctx, upstream):
    x, s, y, w = ctx.saved_tensors
    return run(scaled_gradient_kernel, s, s, x, y, w, upstream), None, None, None


def always_both(ctx, upstream):
    x, s, y, w = ctx.saved_tensors
    by_x = run(scaled_gradient_kernel, s, s, x, y, w, upstream)
    return by_x, run(scaled_gradient_kernel, x, s, x, y, w, upstream), None, None


def exchanged(ctx, upstream):
    by_x, by_s, *_ = gradients(ctx, upstream)
    return by_s, by_x, None, None


def two_gradients(ctx, upstream):
    return gradients(ctx, upstream)[:2]


def fresnel(by_limit, by_parameter):
    """The kernel with these two device functions: of x, a, and of t, a."""

    @cuda.jit
    def fresnel_gradient(x, a, upstream, node, weight, gradient_x, gradient_a):
        i = cuda.grid(1)
        if i < gradient_x.size:
            half = x[i] / 2
            total = x.dtype.type(0)
            for k in range(node.size):
                total += weight[k] * by_parameter(half + half * node[k], a[i])
            gradient_x[i] = by_limit(x[i], a[i]) * upstream[i]
            gradient_a[i] = half * total * upstream[i]

    return fresnel_gradient


@cuda.jit(device=True)
def cosine(t, a):
    return math.cos(a * t * t)


@cuda.jit(device=True)
def derivative(t, a):
    return -t * t * math.sin(a * t * t)


@cuda.jit(device=True)
def turned(t, a):
    return t * t * math.sin(a * t * t)


@cuda.jit(device=True)
def without_the_inner(t, a):
    return -math.sin(a * t * t)


@cuda.jit(device=True)
def slope(x, a):
    """The derivative of the integrand by t, which is not what Leibniz' rule asks for."""
    return -2 * a * x * math.sin(a * x * x)


@cuda.jit
def as_given(x, a, upstream, node, weight, gradient_x, gradient_a):
    i = cuda.grid(1)
    if i < gradient_x.size:
        half = x[i] / 2
        total = x.dtype.type(0)
        for k in range(node.size):
            total += weight[k] * cosine(half + half * node[k], a[i])
        gradient_x[i] = half * total * upstream[i]
        gradient_a[i] = 0


@cuda.jit
def not_stretched(x, a, upstream, node, weight, gradient_x, gradient_a):
    i = cuda.grid(1)
    if i < gradient_x.size:
        half = x[i] / 2
        total = x.dtype.type(0)
        for k in range(node.size):
            total += weight[k] * derivative(half + half * node[k], a[i])
        gradient_x[i] = cosine(x[i], a[i]) * upstream[i]
        gradient_a[i] = total * upstream[i]


@cuda.jit
def without_upstream(x, a, upstream, node, weight, gradient_x, gradient_a):
    i = cuda.grid(1)
    if i < gradient_x.size:
        half = x[i] / 2
        total = x.dtype.type(0)
        for k in range(node.size):
            total += weight[k] * derivative(half + half * node[k], a[i])
        gradient_x[i] = cosine(x[i], a[i])
        gradient_a[i] = half * total


@cuda.jit
def step_kernel(x, temperature, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = 1 / (1 + math.exp(-x[i] / temperature))


@cuda.jit
def step_gradient_kernel(x, upstream, temperature, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        small = math.exp(-abs(x[i]) / temperature)
        gradient[i] = upstream[i] * small / ((1 + small) * (1 + small)) / temperature


@cuda.jit
def hard_step_kernel(x, temperature, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = 1 if x[i] > 0 else 0


@cuda.jit
def multiplied_kernel(x, temperature, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = 1 / (1 + math.exp(-x[i] * temperature))


@cuda.jit
def no_temperature_in_the_gradient(x, upstream, temperature, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        small = math.exp(-abs(x[i]) / temperature)
        gradient[i] = upstream[i] * small / ((1 + small) * (1 + small))


@cuda.jit
def overflowing(x, upstream, temperature, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        large = math.exp(-x[i] / temperature)
        gradient[i] = upstream[i] * large / ((1 + large) * (1 + large)) / temperature


def step(kernel, gradient_kernel):
    class SoftStep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, temperature):
            ctx.save_for_backward(x)
            ctx.temperature = temperature
            return run(kernel, x, temperature)

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            return run(gradient_kernel, *ctx.saved_tensors, upstream, ctx.temperature), None

    return SoftStep


RIGHT = {
    "which inputs": scaled(gradients),
    "fresnel gradient": fresnel(cosine, derivative),
    "soft step": step(step_kernel, step_gradient_kernel),
}
WRONG = {
    "which inputs": [
        (scaled(none_for_the_scale), "gradient by s, float64 and float32, against torch: it is zero everywhere"),
        (scaled(always_both), "ask ctx.needs_input_grad"),
        (scaled(exchanged), "gradient by x, float64"),
        (scaled(two_gradients), "returned an incorrect number of gradients"),
    ],
    "fresnel gradient": [
        (as_given, "no sum is needed"),
        (fresnel(slope, derivative), "gradient_x is the slope of the integrand"),
        (fresnel(cosine, turned), "The sign of gradient_a is turned"),
        (fresnel(cosine, without_the_inner), "a t² has the derivative t² by a"),
        (not_stretched, "multiply the sum by x / 2"),
        (without_upstream, "multiply both by upstream[i]"),
    ],
    "soft step": [
        (step(hard_step_kernel, step_gradient_kernel), "This is the hard step"),
        (step(multiplied_kernel, step_gradient_kernel), "the colder, the steeper"),
        (step(step_kernel, no_temperature_in_the_gradient), "0.1 times what it should be"),
        (step(step_kernel, overflowing), "NaN in 8 of 257 elements"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
