"""Functions with a right value, and a gradient that is right wherever there is one; at a kink, torch chose another."""

import torch
import torch.nn.functional as F
from wrong_gradients import N, values, with_backward


def distance(x, y):
    return (x - y).abs().sum()


def largest(x):
    return x.amax()


def norm_of_rows(x):
    return x.norm(dim=1)


def larger(x, y):
    return torch.maximum(x, y)


def capped(x):
    return x.clamp(-1.0, 1.0)


def first_of_the_largest(u, x):
    return u * F.one_hot(x.argmax(), x.numel()).to(u)


def of_norm(u, x):
    """x / |x|, and 1 where that is 0/0."""
    norm = x.norm(dim=1)[:, None]
    return u[:, None] * torch.where(norm == 0, 1.0, x / norm)


X, Y, MATRIX = values(N), values(N).flip(0) + 0.1, values(8, 5)

# function, reference, inputs, kinks, the question that catches it, what it says
CASES = {
    "1 for |x| at 0": (
        with_backward("one", torch.abs, lambda u, x: u * torch.where(x < 0, -1.0, 1.0)).apply,
        torch.abs, (X,), {"input 0": [0.0]},
        "gradient at the kink input 0 = 0, as torch chooses", "20 of 40 elements are wrong, one in 2 from 0 on; at [0]",
    ),
    "0.1 % of it for relu at 0": (
        with_backward("slope", torch.relu, lambda u, x: u * torch.where(x == 0, 0.001, (x > 0).to(u))).apply,
        torch.relu, (X,), {"input 0": [0.0]},
        "gradient at the kink input 0 = 0, as torch chooses", "20 of 40 elements are wrong, one in 2 from 0 on; at [0]",
    ),
    "1/2 for relu at 0": (
        with_backward("half", torch.relu, lambda u, x: u * (0.5 * (x >= 0) + 0.5 * (x > 0))).apply,
        torch.relu, (X,), {"input 0": [0.0]},
        "gradient at the kink input 0 = 0, as torch chooses", "at every second element, the gradient by input 0",
    ),
    "the second kink alone": (
        with_backward("open", capped, lambda u, x: u * ((x >= -1) & (x < 1))).apply,
        capped, (X,), {"input 0": [-1.0, 1.0]},
        "gradient at the kink input 0 = 1, as torch chooses", "at every second element, the gradient by input 0",
    ),
    "1 for |x - y| where they are equal": (
        with_backward("equal", distance, lambda u, x, y: torch.where(x < y, -u, u),
                      lambda u, x, y: torch.where(x < y, u, -u)).apply,
        distance, (X, Y), {"input 0": ["input 1"]},
        "gradient where input 0 = input 1, as torch chooses", "20 of 40 elements are wrong, one in 2 from 0 on; at [0]",
    ),
    "all of a maximum for the first of two": (
        with_backward("first", larger, lambda u, x, y: u * (x >= y), lambda u, x, y: u * (x < y)).apply,
        larger, (X, Y), {"input 1": ["input 0"]},
        "gradient where input 1 = input 0, as torch chooses", "at every second element, the gradient by input 0",
    ),
    "0.1 % off where two are equal": (
        with_backward("tie", larger, lambda u, x, y: u * ((x > y) + 0.5005 * (x == y)),
                      lambda u, x, y: u * ((x < y) + 0.5 * (x == y))).apply,
        larger, (X, Y), {"input 1": ["input 0"]},
        "gradient where input 1 = input 0, as torch chooses", "the gradient by input 0",
    ),
    "the first of the largest": (
        with_backward("argmax", largest, first_of_the_largest).apply,
        largest, (X,), {"input 0": ["input 0"]},
        "gradient where elements of input 0 are equal, as torch chooses", "where the largest are equal",
    ),
    "a row of zeros": (
        with_backward("rows", norm_of_rows, of_norm).apply,
        norm_of_rows, (MATRIX,), {"input 0": [0.0]},
        "gradient at the kink input 0 = 0, as torch chooses", "at every element, the gradient by input 0",
    ),
}  # fmt: skip

# function, inputs, kinks
RIGHT = {
    "relu": (torch.relu, (X,), {"input 0": [0.0]}),
    "relu6": (F.relu6, (X,), {"input": [0.0, 6.0]}),
    "hardtanh": (F.hardtanh, (X,), {"input": [-1, 1]}),
    "softshrink": (F.softshrink, (X,), {"input 0": [-0.5, 0.5]}),
    "l1_loss": (F.l1_loss, (X, Y), {"input": ["target"], "target": [0.0]}),
    "huber_loss": (F.huber_loss, (X, Y), {"input": [-1.0, 1.0, "target"]}),
    "amax of rows": (lambda x: x.amax(1), (MATRIX,), {"x": ["x"]}),
    "max of rows": (lambda x: x.max(1), (MATRIX,), {"x": ["x"]}),
    "median": (lambda x: x.median(), (X,), {"x": ["x"]}),
    "square root": (torch.sqrt, (X.abs(),), {"input 0": [0.0]}),
    "one number": (lambda x: x.abs(), (torch.tensor(2.0),), {"x": [0.0, "x"]}),
    "one number of many": (lambda x, y: (x - y).abs().sum(), (X, torch.tensor(2.0)), {"x": ["y"]}),
    "no element": (lambda x: x.relu().sum(), (torch.zeros(0),), {"x": [0.0, "x"]}),
}
