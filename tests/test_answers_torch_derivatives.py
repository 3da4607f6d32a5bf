"""The exercises of the notebook on torch's derivatives: a backward by torch, one by vjp, and a stable form."""

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
def log_cosh_kernel(x, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = abs(x[i]) + math.log1p(math.exp(-2 * abs(x[i]))) - math.log(2.0)


@cuda.jit
def log_cosh_gradient_kernel(x, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = math.tanh(x[i]) * upstream[i]


def log_cosh(backward, saved=lambda x: x):
    class LogCosh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(saved(x))
            return run(log_cosh_kernel, x)

    LogCosh.backward = staticmethod(backward)
    return LogCosh


def by_torch(ctx, upstream):
    (x,) = ctx.saved_tensors
    return upstream * torch.tanh(x)


@wb.once_differentiable
def by_kernel(ctx, upstream):
    return run(log_cosh_gradient_kernel, *ctx.saved_tensors, upstream)


def from_the_intermediate(ctx, upstream):
    (slope,) = ctx.saved_tensors
    return upstream * slope


def detached(ctx, upstream):
    (x,) = ctx.saved_tensors
    return upstream * torch.tanh(x.detach())


def without_upstream(ctx, upstream):
    (x,) = ctx.saved_tensors
    return torch.tanh(x)


@cuda.jit
def log_add_kernel(x, y, value):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = max(x[i], y[i]) + math.log1p(math.exp(-abs(x[i] - y[i])))


def log_add(backward):
    class LogAdd(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return run(log_add_kernel, x, y)

    LogAdd.backward = staticmethod(backward)
    return LogAdd


def by_vjp(ctx, upstream):
    _, pull_back = torch.func.vjp(torch.logaddexp, *ctx.saved_tensors)
    return pull_back(upstream)


def pulls_ones(ctx, upstream):
    _, pull_back = torch.func.vjp(torch.logaddexp, *ctx.saved_tensors)
    return pull_back(torch.ones_like(upstream))


def first_only(ctx, upstream):
    x, y = ctx.saved_tensors
    _, pull_back = torch.func.vjp(lambda x: torch.logaddexp(x, y), x)
    return pull_back(upstream)[0], None


def exchanged(ctx, upstream):
    x, y = ctx.saved_tensors
    _, pull_back = torch.func.vjp(torch.logaddexp, y, x)
    return pull_back(upstream)


@wb.once_differentiable
def vjp_once(ctx, upstream):
    _, pull_back = torch.func.vjp(torch.logaddexp, *ctx.saved_tensors)
    return pull_back(upstream)


@cuda.jit
def softplus(x, value, derivative):
    i = cuda.grid(1)
    if i < value.size:
        q = math.exp(-abs(x[i]))
        value[i] = max(x[i], 0) + math.log1p(q)
        derivative[i] = (1 if x[i] >= 0 else q) / (1 + q)


@cuda.jit
def as_written(x, value, derivative):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = math.log(1 + math.exp(x[i]))
        derivative[i] = math.exp(x[i]) / (1 + math.exp(x[i]))


@cuda.jit
def value_only(x, value, derivative):
    i = cuda.grid(1)
    if i < value.size:
        value[i] = max(x[i], 0) + math.log1p(math.exp(-abs(x[i])))
        derivative[i] = math.exp(x[i]) / (1 + math.exp(x[i]))


@cuda.jit
def without_the_large_part(x, value, derivative):
    i = cuda.grid(1)
    if i < value.size:
        q = math.exp(-abs(x[i]))
        value[i] = math.log1p(q)
        derivative[i] = (1 if x[i] >= 0 else q) / (1 + q)


@cuda.jit
def one_side(x, value, derivative):
    i = cuda.grid(1)
    if i < value.size:
        q = math.exp(-abs(x[i]))
        value[i] = max(x[i], 0) + math.log1p(q)
        derivative[i] = 1 / (1 + q)


RIGHT = {"twice": log_cosh(by_torch), "log add": log_add(by_vjp), "softplus": softplus}
WRONG = {
    "twice": [
        (log_cosh(by_kernel), "cannot be differentiated again"),
        (log_cosh(from_the_intermediate, torch.tanh), "make backward differentiable"),
        (log_cosh(detached), "make backward differentiable"),
        (log_cosh(without_upstream), "the upstream gradient is ignored"),
    ],
    "log add": [
        (log_add(pulls_ones), "the upstream gradient is ignored"),
        (log_add(first_only), "gradient by y, float64 and float32, against torch: it is zero"),
        (log_add(exchanged), "elements are wrong"),
        (log_add(vjp_once), "cannot be differentiated again"),
    ],
    "softplus": [
        (as_written, "eˣ overflows where x is above 88.7"),
        (value_only, "divide both sides by eˣ"),
        (without_the_large_part, "log(1 + eˣ) = x + log(1 + e^-x)"),
        (one_side, "above one half everywhere"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
