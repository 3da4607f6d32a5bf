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
        "8 of 40 elements are wrong, all from 32 on; at [32] it is 0 and should be",
    ),
    "one element": (
        lambda u, x: element_set(u * 2 * x / N, 39, 1.0),
        "1 of 40 elements is wrong; at [39] it is 1 and",
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


# -- more ways to be wrong, in other functions: value, derivatives, inputs


def softened(x):
    """σ(x) / √(1 + eˣ)."""
    return x.sigmoid() * (1 + x.exp()).rsqrt()


def sine_squared(x):
    return x.sin() ** 2


def huber(x):
    return torch.where(x.abs() < 1, 0.5 * x * x, x.abs() - 0.5).sum()


def mean_of_rows(x):
    return (x * x).mean(1)


def log_likelihood(logits, weight):
    """Weighted cross entropy of class 0, a mean over the rows."""
    return -(weight[0] * logits.log_softmax(1)[:, 0]).mean()


def distance(x, y):
    return ((x - y) ** 2).sum()


def root(x):
    return (x * x).sum().sqrt()


def ratio(x, y):
    return x / y


ROWS, COLUMNS = 5, 8


def softmax_gradient(u, logits, weight):
    gradient = logits.softmax(1)
    gradient[:, 0] -= 1
    return u * weight[0] * gradient / len(logits)


MORE = {
    "half of the product rule": (softened, [lambda u, x: u * x.sigmoid() * (1 - x.sigmoid()) * (1 + x.exp()).rsqrt()]),
    "a printed formula that is not the derivative": (
        softened,
        [lambda u, x: u * (1 - x.sigmoid() ** 2) * 0.5 * (x.exp() + 1) ** -1.5 * (1 + 3 * x.exp())],
    ),
    "the saved output taken for the input": (sine_squared, [lambda u, x: u * 2 * x.sin() * x.sin().cos()]),
    "the chain's factor forgotten": (sine_squared, [lambda u, x: u * 2 * x.sin()]),
    "sine for cosine": (sine_squared, [lambda u, x: u * 2 * x.sin() * x.sin()]),
    "the inner branch everywhere": (huber, [lambda u, x: u * x]),
    "the outer branch everywhere": (huber, [lambda u, x: u * x.sign()]),
    "the sign of the outer branch": (huber, [lambda u, x: u * torch.where(x.abs() < 1, x, 1.0)]),
    "1/columns missing": (mean_of_rows, [lambda u, x: u[:, None] * 2 * x]),
    "1/rows for 1/columns": (mean_of_rows, [lambda u, x: u[:, None] * 2 * x / ROWS]),
    "the first row's upstream gradient for all": (mean_of_rows, [lambda u, x: u[0] * 2 * x / COLUMNS]),
    "the upstream gradient's mean for all": (mean_of_rows, [lambda u, x: u.mean() * 2 * x / COLUMNS]),
    "the rows reversed": (mean_of_rows, [lambda u, x: u[:, None] * 2 * x.flip(0) / COLUMNS]),
    "the columns rolled by one": (mean_of_rows, [lambda u, x: u[:, None] * 2 * x.roll(1, 1) / COLUMNS]),
    "the last column left out": (
        mean_of_rows, [lambda u, x: element_set(u[:, None] * 2 * x / COLUMNS, (slice(None), -1), 0.0)]
    ),
    "the size of the upstream gradient": (mean_of_rows, [lambda u, x: u.abs()[:, None] * 2 * x / COLUMNS]),
    "softmax without the one": (
        log_likelihood, [lambda u, z, w: u * w[0] * z.softmax(1) / len(z), lambda u, z, w: None]
    ),
    "the weights forgotten": (
        log_likelihood, [lambda u, z, w: softmax_gradient(u, z, w) / w[0], lambda u, z, w: None]
    ),
    "1/batch missing": (log_likelihood, [lambda u, z, w: softmax_gradient(u, z, w) * len(z), lambda u, z, w: None]),
    "log_softmax over rows": (
        log_likelihood, [lambda u, z, w: u * w[0] * (z.softmax(0) - torch.eye(COLUMNS)[0]) / ROWS, lambda u, z, w: None]
    ),
    "the second input forgotten": (distance, [lambda u, x, y: 2 * u * (x - y), lambda u, x, y: None]),
    "the same sign for both inputs": (distance, [lambda u, x, y: 2 * u * (x - y)] * 2),
    "the difference the other way": (distance, [lambda u, x, y: 2 * u * (y - x), lambda u, x, y: 2 * u * (x - y)]),
    "the root forgotten": (root, [lambda u, x: u * 2 * x]),
    "the root's half forgotten": (root, [lambda u, x: u * 2 * x / (x * x).sum().sqrt()]),
    "the square for the root": (root, [lambda u, x: u * x / (x * x).sum()]),
    "the denominator not squared": (ratio, [lambda u, x, y: u / y, lambda u, x, y: -u * x / y]),
    "no sign in the denominator's": (ratio, [lambda u, x, y: u / y, lambda u, x, y: u * x / y**2]),
    "numbers cut to float16": (ratio, [lambda u, x, y: (u / y).half().double(), lambda u, x, y: -u * x / y**2]),
    "an epsilon of 1e-3 in the denominator": (
        ratio, [lambda u, x, y: u / (y + 1e-3), lambda u, x, y: -u * x / (y + 1e-3) ** 2]
    ),
}  # fmt: skip

GIVEN = {
    softened: (values(N),),
    sine_squared: (values(N),),
    huber: (values(N),),
    mean_of_rows: (values(ROWS, COLUMNS),),
    log_likelihood: (values(ROWS, COLUMNS), values(COLUMNS).abs()),
    distance: (values(N), values(N).flip(0) + 0.25),
    root: (values(N),),
    ratio: (values(N), values(N).abs() + 1),
}

WRONG += [
    Wrong(i, with_backward("more", value, *derivatives).apply, value, "", GIVEN[value])
    for i, (value, derivatives) in MORE.items()
]
