"""Functions in plain torch with a right value and a gradient that is wrong in one way, and what an audit says of it."""

from dataclasses import dataclass

import torch

N = 40


@dataclass
class Wrong:
    """``words`` are what the audit must say of the gradient; ``inputs`` are float64."""

    id: str
    function: object
    reference: object
    words: str
    inputs: tuple


def mean_square(x):
    return (x * x).mean()


def sum_square(x):
    return (x * x).sum()


def product(x, y):
    return (x * x * y).sum()


def with_backward(name, value, *derivatives):
    """An autograd.Function of this value, with one derivative(upstream, *inputs) for each input."""

    def forward(ctx, *inputs):
        ctx.save_for_backward(*inputs)
        return value(*inputs)

    def backward(ctx, upstream):
        gradients = tuple(derivative(upstream, *ctx.saved_tensors) for derivative in derivatives)
        return gradients if len(gradients) > 1 else gradients[0]

    return type(
        name, (torch.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    )


def element_set(gradient, index, value):
    gradient = gradient.clone()
    gradient[index] = value
    return gradient


MEAN = {  # of the mean of x², whose gradient is upstream * 2 * x / N
    "sign": (lambda u, x: -u * 2 * x / N, "the sign is flipped"),
    "factor 2": (lambda u, x: u * 4 * x / N, "a factor 2 too many: every element is twice"),
    "half": (lambda u, x: u * x / N, "a factor 2 is missing: every element is half"),
    "1/N missing": (lambda u, x: u * 2 * x, "a factor 1/40 is missing, as of a mean"),
    "1/N twice": (lambda u, x: u * 2 * x / N**2, "a factor 1/40 too many, as of a mean"),
    "0.1 % off": (lambda u, x: 1.001 * u * 2 * x / N, "every element is 1.001 times what it should be"),
    "a NaN": (lambda u, x: element_set(u * 2 * x / N, 3, float("nan")), "NaN in 1 of 40 elements"),
    "zero": (lambda u, x: 0 * u * x, "it is zero everywhere"),
    "detached": (lambda u, x: None, "it is zero everywhere"),
    "upstream ignored": (lambda u, x: 2 * x / N, "the upstream gradient is ignored"),
    "past a warp": (
        lambda u, x: element_set(u * 2 * x / N, slice(32, None), 0.0),
        "8 of 40 elements are wrong; at [32] it is 0 and should be",
    ),
    "one element": (
        lambda u, x: element_set(u * 2 * x / N, 39, 1.0),
        "1 of 40 elements are wrong; at [39] it is 1 and",
    ),
}

SUM = {  # of the sum of x², whose gradient is upstream * 2 * x
    "sign of a sum": (lambda u, x: -u * 2 * x, "the sign is flipped"),
    "1/N where none belongs": (lambda u, x: u * 2 * x / N, "a factor 1/40 too many"),
    "upstream of a sum ignored": (lambda u, x: 2 * x, "the upstream gradient is ignored"),
}


def values(*shape):
    """Away from zero, so that each element counts, and of both signs."""
    x = 0.5 + torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x * torch.where(torch.arange(x.numel()) % 3 == 0, -1.0, 1.0).reshape(shape)


WRONG = [
    *(
        Wrong(i, with_backward(i, mean_square, d).apply, mean_square, words, (values(N),))
        for i, (d, words) in MEAN.items()
    ),
    *(
        Wrong(i, with_backward(i, sum_square, d).apply, sum_square, words, (values(N),))
        for i, (d, words) in SUM.items()
    ),
    Wrong(
        "inputs swapped",
        with_backward("swapped", product, lambda u, x, y: u * x * x, lambda u, x, y: u * 2 * x * y).apply,
        product,
        "40 of 40 elements are wrong; at [0]",
        (values(N), values(N) + 3),
    ),
    Wrong(
        "two-dimensional, 1/N missing",
        with_backward("mean_2d", mean_square, lambda u, x: u * 2 * x).apply,
        mean_square,
        "a factor 1/40 is missing",
        (values(5, 8),),
    ),
    Wrong(
        "the mean over one dimension only",
        with_backward("rows", mean_square, lambda u, x: u * 2 * x / 8).apply,
        mean_square,
        "a factor 1/5 is missing, as of a mean over dimension 0",
        (values(5, 8),),
    ),
]
