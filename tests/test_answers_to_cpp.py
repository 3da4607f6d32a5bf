"""The exercises of the notebook on C++: a kernel that translates, Python's division, a function that can be ported."""

import torch
from answers import tried
from numba import cuda, float32

import workbench as wb


@cuda.jit
def guarded(x, step, total):
    i = cuda.grid(1)
    if i < total.size:
        of_thread = x.dtype.type(0)
        if step > 0:
            for k in range(i, x.size, step):
                of_thread += x[k]
        total[i] = of_thread


@cuda.jit
def counted(x, step, total):
    i = cuda.grid(1)
    if i < total.size:
        of_thread = x.dtype.type(0)
        k = i
        while k < x.size:
            of_thread += x[k]
            k += step
        total[i] = of_thread


@cuda.jit
def as_given(x, step, total):
    i = cuda.grid(1)
    if i < total.size:
        of_thread = 0
        for k in range(i, x.size, step):
            of_thread += x[k]
        total[i] = of_thread


@cuda.jit
def of_two_types(x, step, total):
    i = cuda.grid(1)
    if i < total.size and step > 0:
        of_thread = 0
        for k in range(i, x.size, step):
            of_thread += x[k]
        total[i] = of_thread


@cuda.jit
def of_one_precision(x, step, total):
    i = cuda.grid(1)
    if i < total.size and step > 0:
        of_thread = float32(0)
        for k in range(i, x.size, step):
            of_thread += x[k]
        total[i] = of_thread


@cuda.jit
def without_step(x, step, total):
    i = cuda.grid(1)
    if i < total.size:
        of_thread = x.dtype.type(0)
        for k in range(i, x.size):
            of_thread += x[k]
        total[i] = of_thread


@cuda.jit
def past_the_end(x, step, total):
    i = cuda.grid(1)
    if i < total.size:
        of_thread = x.dtype.type(0)
        for k in range(x.size):
            of_thread += x[i + k * step]
        total[i] = of_thread


@cuda.jit
def cubed_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] * x[i] * x[i]


def cubed(x):
    out = torch.empty_like(x)
    wb.launch(cubed_kernel[wb.blocks(x.numel()), 256], x, out)
    return out


class Cubed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return cubed(x)

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return 3 * x * x * upstream


def made_within(x):
    @cuda.jit
    def cubed_kernel(x, out):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = x[i] * x[i] * x[i]

    out = torch.empty_like(x)
    wb.launch(cubed_kernel[wb.blocks(x.numel()), 256], x, out)
    return out


def maker():
    def cubed_here(x):
        return cubed(x)

    return cubed_here


def by_torch(x):
    return x * x * x


def on_the_best_device(x):
    return cubed(x.to(wb.best_device())).to(x.device)


def squared(x):
    return cubed(x) / x


RIGHT = {"translate": guarded, "minus seven": (-4, -3, 2, -1), "portable": cubed}
WRONG = {
    "translate": [
        (as_given, "whether `step` is positive is not known; `if step > 0:` around the loop would say so"),
        (of_two_types, "of_thread is int64 and then float64, and a C++ variable has one type"),
        (of_one_precision, "it is translated for float32 alone: begin with x.dtype.type(0)"),
        (without_step, "every element from i on is added; it should be each `step`-th"),
        (past_the_end, "out of bounds"),
    ],
    "minus seven": [
        (None, "there is no answer yet"),
        ((-4, -4, 2, 2), "C++ cuts a quotient off towards zero"),
        ((-3, -3, -1, -1), "Python rounds a quotient down"),
        ((-3, -4, -1, 2), "Python is the one that rounds down"),
        ((-4, -3, -1, 2), "the remainders are the other way round"),
        ((-3.5, -3.5, 2, -1), "give integers"),
    ],
    "portable": [
        (made_within, "make the kernel once, at the top of the module"),
        (maker(), "is made where no import reaches it"),
        (lambda x: cubed(x), "is made where no import reaches it"),
        (by_torch, "no kernel was launched"),
        (on_the_best_device, "needs wb.best_device, and a port has launch, blocks and once_differentiable alone"),
        (squared, "times what it should be"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
test_another_right_answer, _ = tried({"translate": counted, "portable": Cubed}, {})
