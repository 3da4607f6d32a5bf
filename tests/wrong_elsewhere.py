"""Functions whose gradient is right at one point, and wrong when it is asked for in another way."""

import itertools

import torch
from wrong_gradients import N, product, values, with_backward


def squares(x):
    return x * x


def as_if_contiguous(x):
    """The memory from a tensor's first element on, read as if its elements lay next to each other."""
    return x.as_strided(x.shape, torch.empty(x.shape).stride())


def function(name, forward, backward):
    return type(
        name, (torch.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    ).apply


def saving(ctx, *inputs):
    ctx.save_for_backward(*inputs)


def in_place_forward(ctx, x):
    ctx.gradient = 2 * x
    return x * x


def in_place_backward(ctx, u):
    return ctx.gradient.mul_(u)


def freed_backward(ctx, u):
    gradient = ctx.gradient * u
    del ctx.gradient
    return gradient


def frozen_forward(ctx, x, y):
    saving(ctx, x, y)
    return (x * x * y).sum()


def frozen_backward(ctx, u):
    x, y = ctx.saved_tensors
    if not ctx.needs_input_grad[1]:
        return None, None
    return u * 2 * x * y, u * x * x


def swapped_backward(ctx, u):
    """Fills the slots of the inputs that require a gradient, in order."""
    x, y = ctx.saved_tensors
    found = [g for g, needed in zip((u * 2 * x * y, u * x * x), ctx.needs_input_grad, strict=True) if needed]
    return (*found, None)[:2]


calls = itertools.count()


def drifting_forward(ctx, x):
    saving(ctx, x)
    return x * x * (1 + 1e-9 * next(calls))


def plain_forward(ctx, x):
    saving(ctx, x)
    return x * x


def plain_backward(ctx, u):
    (x,) = ctx.saved_tensors
    return 2 * x * u


def overwriting_backward(ctx, u):
    (x,) = ctx.saved_tensors
    return u.mul_(2 * x) if 0 not in u.stride() else u * 2 * x


def positive(x):
    return x.clamp_min(0)


def positive_forward(ctx, x):
    saving(ctx, x)
    return x.clamp_min(0)


def partly_written_backward(ctx, u):
    (x,) = ctx.saved_tensors
    gradient = torch.zeros_like(x) if not torch.are_deterministic_algorithms_enabled() else torch.empty_like(x)
    gradient[x > 0] = u[x > 0]
    return gradient


def mean_of_forty_forward(ctx, x):
    saving(ctx, x)
    return (x * x).sum() / N


def mean_of_forty_backward(ctx, u):
    (x,) = ctx.saved_tensors
    return u * 2 * x / N


def one_block_backward(ctx, u):
    (x,) = ctx.saved_tensors
    gradient = 2 * x * u
    gradient[256:] = 0
    return gradient


def not_empty_forward(ctx, x):
    saving(ctx, x)
    if not x.numel():
        raise ValueError("no elements")
    return x * x


X, Y, MATRIX = values(N), values(N) + 3, values(5, 8)
ROWS = "sizes from 0 to 1,025"
UPSTREAM = "upstream gradient strided, zero or scaled"
BACKWARDS = "backward a second and third time"
SECOND = "second derivative, right or refused"
SUBSETS = "each subset of inputs that require a gradient"

# function, reference, inputs, the question that catches it, what it says
CASES = {
    "upstream read as if contiguous": (
        with_backward("blind", squares, lambda u, x: 2 * x * as_if_contiguous(u)).apply,
        squares, (X,), UPSTREAM, "expanded from one number",
    ),
    "upstream read as if contiguous, if it is not expanded": (
        with_backward("sliced", squares, lambda u, x: 2 * x * (u if 0 in u.stride() else as_if_contiguous(u))).apply,
        squares, (X,), UPSTREAM, "a slice of other memory: 39 of 40 elements of the gradient by input 0 differ",
    ),
    "rows for columns of the upstream gradient": (
        with_backward("turned", squares, lambda u, x: 2 * x * (u if u.stride(0) > 1 else u.t().reshape(u.shape))).apply,
        squares, (MATRIX,), UPSTREAM, "a transpose in memory",
    ),
    "a clipped upstream gradient": (
        with_backward("clipped", squares, lambda u, x: 2 * x * u.clamp(-2.5, 2.5)).apply,
        squares, (X,), UPSTREAM, "three times as large",
    ),
    "something added where the upstream gradient is zero": (
        with_backward("offset", squares, lambda u, x: torch.where(u == 0, 1.0, 2 * x * u)).apply,
        squares, (X,), UPSTREAM, "zeros: 40 of 40",
    ),
    "inputs read as if contiguous": (
        with_backward("laid", lambda x: as_if_contiguous(x) ** 2, lambda u, x: 2 * x * u).apply,
        squares, (X,), "inputs that are not contiguous", "elements of the value differ",
    ),
    "saved gradient scaled in place": (
        function("in_place", in_place_forward, in_place_backward), squares, (X,), BACKWARDS, "in the second backward",
    ),
    "saved gradient freed": (
        function("freed", in_place_forward, freed_backward), squares, (X,), BACKWARDS, "raises AttributeError",
    ),
    "no gradient unless the other input has one": (
        function("frozen", frozen_forward, frozen_backward), product, (X, Y), SUBSETS, "where x alone requires",
    ),
    "gradients in the slots of others": (
        function("slots", frozen_forward, swapped_backward), product, (X, Y), SUBSETS, "where y alone requires",
    ),
    "an upstream gradient overwritten": (
        function("overwriting", plain_forward, overwriting_backward),
        squares, (X,), "inputs and upstream gradient left as they were", "of the upstream gradient differ",
    ),
    "elements not written": (
        function("partly", positive_forward, partly_written_backward),
        positive, (X,), "every element of a result written", "it is NaN, not 0",
    ),
    "a second derivative that is zero": (
        with_backward("flat", squares, lambda u, x: 2 * x.detach() * u).apply,
        squares, (X,), SECOND, "autograd takes it for zero",
    ),
    "a second derivative that is zero, of a difference": (
        with_backward(
            "apart", lambda x, y: (x - y) ** 2, *(lambda u, x, y, s=s: s * 2 * (x - y).detach() * u for s in (1, -1))
        ).apply,
        lambda x, y: (x - y) ** 2, (X, Y), SECOND, "autograd takes it for zero",
    ),
    "a second derivative of half its size": (
        with_backward("half", squares, lambda u, x: (x + x.detach()) * u).apply,
        squares, (X,), SECOND, "refuse it by @wb.once_differentiable, or make backward differentiable",
    ),
    "the number of elements written down": (
        function("forty", mean_of_forty_forward, mean_of_forty_backward),
        lambda x: (x * x).sum() / max(x.numel(), 1), (X,), ROWS, "with 1 row, the value: every element is 0.025 times",
    ),
    "one block": (
        function("one_block", plain_forward, one_block_backward),
        squares, (X,), ROWS, "with 257 rows, the gradient by x: 1 of 257 elements is wrong; at [256]",
    ),
    "no empty input": (
        function("not_empty", not_empty_forward, plain_backward),
        squares, (X,), ROWS, "with 0 rows: it raises ValueError: no elements",
    ),
}  # fmt: skip
