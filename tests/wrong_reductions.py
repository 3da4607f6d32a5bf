"""Losses that are right with reduction="mean", their default, and wrong with another; what an audit says of each."""

import torch
import torch.nn.functional as F
from wrong_gradients import values, with_backward

REDUCE = {"none": lambda loss: loss, "sum": torch.sum, "mean": torch.mean}


def loss_of(value, gradient_by_x, gradient_by_y=None):
    """A loss of x and y with ``value(x, y, reduction)`` and ``gradient(upstream, x, y, reduction)``."""

    def loss(x, y, reduction="mean"):
        def by(gradient):
            return lambda u, x, y: gradient(u, x, y, reduction)

        other = gradient_by_y or (lambda u, x, y, reduction: -gradient_by_x(u, x, y, reduction))
        of_this = with_backward("reduced", lambda x, y: value(x, y, reduction), by(gradient_by_x), by(other))
        return of_this.apply(x, y)

    return loss


def squared(x, y, reduction):
    return REDUCE[reduction]((x - y) ** 2)


def right(u, x, y, reduction):
    return u * 2 * (x - y) / (x.numel() if reduction == "mean" else 1)


X, Y = values(8, 5), values(8, 5).flip(0) + 0.25

# function, what the question says of it
WRONG = {
    "a mean's gradient for the sum": (
        loss_of(squared, lambda u, x, y, _: u * 2 * (x - y) / x.numel()),
        "with reduction='none', the gradient by x: a factor 1/40 too many",
    ),
    "a mean's gradient for the sum alone": (
        loss_of(squared, lambda u, x, y, r: u * 2 * (x - y) / (x.numel() if r != "none" else 1)),
        "with reduction='sum', the gradient by x: a factor 1/40 too many",
    ),
    "a sum divided by the batch": (
        loss_of(lambda x, y, r: squared(x, y, r) / (len(x) if r == "sum" else 1),
                lambda u, x, y, r: right(u, x, y, r) / (len(x) if r == "sum" else 1)),
        "with reduction='sum', the value: ",
    ),
    "the upstream gradient ignored unless it is one number": (
        loss_of(squared, lambda u, x, y, r: right(u if r == "mean" else torch.ones_like(u), x, y, r)),
        "with reduction='none', the gradient by x: 40 of 40 elements are wrong",
    ),
    "0.1 % off in the sum": (
        loss_of(squared, lambda u, x, y, r: right(u, x, y, r) * (1.001 if r == "sum" else 1)),
        "with reduction='sum', the gradient by x: every element is 1.001 times",
    ),
    "0.1 % off in the second input's": (
        loss_of(squared, right, lambda u, x, y, r: -right(u, x, y, r) * (1.001 if r == "none" else 1)),
        "with reduction='none', the gradient by y: every element is 1.001 times",
    ),
    "no reduction, whatever it is asked": (
        lambda x, y, reduction="mean": ((x - y) ** 2).mean(),
        "with reduction='none': the value has shape () and should have (8, 5)",
    ),
    "a backward that knows two of three": (
        loss_of(squared, lambda u, x, y, r: right(u, x, y, r) * {"sum": 1, "mean": 1}[r]),
        "with reduction='none': it raises KeyError: 'none'",
    ),
}  # fmt: skip


def mean_missing(x, y, reduction="none"):
    """Right as it is by default."""
    return loss_of(squared, lambda u, x, y, _: u * 2 * (x - y))(x, y, reduction=reduction)


def batch_missing(x, y, reduction="sum"):
    """A mean over the second dimension alone, of what should be one over both."""
    gradient = lambda u, x, y, r: u * 2 * (x - y) / (x.shape[1] if r == "mean" else 1)  # noqa: E731
    return loss_of(squared, gradient)(x, y, reduction=reduction)


OF_A_MEAN = {
    "1/N missing": (mean_missing, "with reduction='mean', the gradient by x: a factor 1/40 is missing"),
    "1/B missing": (batch_missing, "the gradient by x: a factor 1/8 is missing, as of a mean over dimension 0"),
}
"""Right with their default, and wrong with reduction="mean"."""


def defaulting(reduction):
    """torch's squared error with another default."""

    def loss(x, y, reduction=reduction):
        return F.mse_loss(x, y, reduction=reduction)

    return loss
