"""Functions of several outputs, in plain torch, whose gradient is wrong in one way, and what an audit says of it."""

import torch
from wrong_gradients import N, values


def sums_and_products(x, y):
    return x * x + y * y, x * y


def three(x, y):
    """Of three shapes, and not all of floating point."""
    return (x * y).sum(), x > y, x * x, (x + y)[:2].exp()


def of_two(backward, materialise=False):
    """x² + y² and x · y with ``backward(upstream of squares, upstream of product, x, y)``."""

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(materialise)
            ctx.save_for_backward(x, y)
            return sums_and_products(x, y)

        @staticmethod
        def backward(ctx, u, v):
            return backward(u, v, *ctx.saved_tensors)

    return Two.apply


def right(u, v, x, y):
    """Each output alone, or both."""
    of_squares = (0, 0) if u is None else (2 * x * u, 2 * y * u)
    of_product = (0, 0) if v is None else (y * v, x * v)
    return tuple(one + other for one, other in zip(of_squares, of_product, strict=True))


def none_taken_for_a_tensor(u, v, x, y):
    return 2 * x * u + y * v, 2 * y * u + x * v


def one_tenth_of_a_percent_off_alone(u, v, x, y):
    by_x, by_y = right(u, v, x, y)
    return by_x, by_y if v is not None else 1.001 * by_y


def nothing_unless_both(u, v, x, y):
    return (None, None) if u is None or v is None else right(u, v, x, y)


def stale_where_zero(u, v, x, y):
    by_x, by_y = right(u, v, x, y)
    return by_x if u.any() else 1.001 * by_x, by_y


def zero_over_zero(u, v, x, y):
    size = u.norm()
    by_x, by_y = right(u / size, v / size, x, y)
    return by_x * size, by_y * size


def first_output_alone(u, v, x, y):
    return 2 * x * u, 2 * y * u


def exchanged(u, v, x, y):
    return right(v, u, x, y)


def a_tenth_of_a_percent_off(u, v, x, y):
    by_x, by_y = right(u, 1.001 * v, x, y)
    return by_x, by_y


def product_detached(x, y):
    return x * x + y * y, (x * y).detach()


X, Y = values(N), values(N).flip(0) + 3
UNUSED = "each output unused in turn"
TORCH = "gradient by x, float64, against torch"

# function, the question that catches it, what it says
ALONE = {
    "None taken for a tensor": (
        of_two(none_taken_for_a_tensor),
        UNUSED,
        "where output 0 is unused: it raises TypeError",
    ),
    "0.1 % off where the product is unused": (
        of_two(one_tenth_of_a_percent_off_alone),
        UNUSED,
        "where output 1 is unused",
    ),
    "nothing unless both are used": (
        of_two(nothing_unless_both),
        UNUSED,
        "where output 0 is unused",
    ),
    "0/0 where the squares are unused": (of_two(zero_over_zero, True), UNUSED, "NaN"),
    "0.1 % off where an upstream gradient is zero": (of_two(stale_where_zero, True), UNUSED, "the gradient by x"),
}
"""Right where both outputs are used."""

TOGETHER = {
    "one output's gradient alone": (of_two(first_output_alone, True), TORCH, "40 of 40 elements are wrong"),
    "upstream gradients exchanged": (of_two(exchanged), TORCH, "40 of 40 elements are wrong"),
    "0.1 % off through one output": (of_two(a_tenth_of_a_percent_off, True), TORCH, "40 of 40 elements are wrong"),
}
"""Wrong where both are used."""
