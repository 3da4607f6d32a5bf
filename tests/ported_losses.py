"""Losses to port, written in the ways that people write them, and some that no port can be made of."""

import functools
import math
from typing import NamedTuple

import torch
from numba import cuda, float32, float64

import workbench as wb
from workbench import once_differentiable
from workbench.losses import references
from workbench.losses import squared_error as squared_errors
from workbench.losses.arguments import reduced

# How many threads a block has.
BLOCK = 64
"""A constant with a comment above it and a text below."""

UNUSED = 1


class Pair(NamedTuple):
    value: object
    gradient: object


def made_for(element):
    two = element(2)

    def kernel_of(rule):
        @cuda.jit
        def elementwise_kernel(x, out):
            i = cuda.grid(1)
            if i < out.size:
                out[i] = rule(x[i])

        return elementwise_kernel

    @cuda.jit(device=True)
    def half_square(x):
        return x * x / two

    @cuda.jit(device=True)
    def slope(x):
        return x

    @cuda.jit(device=True)
    def never(x):
        return x + two

    return Pair(kernel_of(half_square), kernel_of(slope)), kernel_of(never)


TABLE = {torch.float32: made_for(float32), torch.float64: made_for(float64)}


class HalfSquare(torch.autograd.Function):
    """x² / 2, with two kernels that the same lines made, and a third that is not launched."""

    @staticmethod
    def forward(x, power=1):
        kernels, spare = TABLE[x.dtype]
        if power != 1:
            return launched(spare, x)
        return launched(kernels.value, x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return launched(TABLE[x.dtype][0].gradient, x) * upstream, None


def launched(kernel, x):
    from workbench.launch import blocks

    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    wb.launch(kernel[blocks(x.numel(), BLOCK), BLOCK], x.reshape(-1), out.view(-1))  # flat
    return out


def half_square(x, reduction="mean", power=1):
    """Mean of x² / 2."""
    assert math.isfinite(power)
    return reduced(HalfSquare.apply(x, power), reduction)


summed = functools.partial(half_square, reduction="sum")


def reference(x, reduction="mean"):
    return references.squared_error(x, torch.zeros_like(x), reduction) / 2


def through_modules(x):
    return squared_errors(x, x.detach() + 1)


@cuda.jit
def copy_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i]


class Marked(torch.autograd.Function):
    """x, whose backward says by workbench's decorator that it has no derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return launched(copy_kernel, x)

    @staticmethod
    @wb.once_differentiable
    def backward(ctx, upstream):
        return launched(copy_kernel, upstream)


class MarkedByName(Marked):
    backward = staticmethod(once_differentiable(Marked.backward))


def keeps(x):
    """Differentiable by torch, and a launch on the side."""
    out = torch.empty_like(x)
    wb.launch(copy_kernel[1, 256], x.detach(), out)
    return (x * out).sum()


def with_own_kernel(x):
    @cuda.jit
    def inner_kernel(x, out):
        out[0] = x[0]

    wb.launch(inner_kernel[1, 1], x.detach(), torch.empty_like(x))
    return x.sum()


def with_types(x):
    keeps(x)
    return x.sum() * float(float32(2))


def without_launch(x):
    return x.sum()


def twice(x):
    keeps(x)
    wb.launch(copy_kernel[1, 256], torch.ones(3, dtype=torch.int64), torch.ones(3, dtype=torch.int64))
    return x.sum()


def no_tensor(x):
    return keeps(x).item()


def in_an_audit(x):
    keeps(x)
    return wb.best_device() and x.sum()


def for_one_precision(x):
    if x.dtype == torch.float32:
        keeps(x)
    return x.sum()


def slot_of():
    return lambda x: x.sum()


nameless = slot_of()


@cuda.jit
def filling_kernel(x, out):
    out[:] = x[0]


def filled(x):
    out = torch.empty_like(x)
    wb.launch(filling_kernel[1, 256], x.detach(), out)
    return (x * out).sum()
