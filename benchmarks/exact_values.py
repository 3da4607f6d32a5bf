"""The losses and patterns to 40 digits: an element's value by mpmath, and its derivatives by differences of that.

At 40 digits differences lose nothing that float64 could see, so that no derivative is worked out by hand here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import mpmath
import torch
from mpmath import mpf

DIGITS = 40

Value = Callable[..., mpf]


def squared(x: mpf, y: mpf) -> mpf:
    return (x - y) ** 2


def adaptive_robust(x: mpf, alpha: mpf, scale: mpf) -> mpf:
    b = abs(alpha - 2)
    return b / alpha * (((x / scale) ** 2 / b + 1) ** (alpha / 2) - 1)


def cross_entropy(*row: mpf) -> mpf:
    """Of the logits of a row, its target and the target's weight."""
    *logits, target, weight = row
    return weight * (mpmath.log(mpmath.fsum(map(mpmath.exp, logits))) - logits[int(target)])


def activation(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x)) / mpmath.sqrt(1 + mpmath.exp(x))


def gaussian_integral(x: mpf, a: mpf) -> mpf:
    return mpmath.sqrt(mpmath.pi / a) / 2 * mpmath.erf(mpmath.sqrt(a) * x)


def soft_round(x: mpf) -> mpf:
    middle, temperature = mpmath.floor(x) + mpf("0.5"), mpf(0.3)
    return middle + mpmath.tanh((x - middle) / temperature) / (2 * mpmath.tanh(mpf("0.5") / temperature))


def rounding_penalty(x: mpf, target: mpf) -> mpf:
    return abs(x - target) + abs(x - mpmath.nint(x)) / 2


VALUES: dict[str, tuple[Value, ...]] = {
    "squared_error": (squared,),
    "squared_distance": (squared,),
    "adaptive_robust": (adaptive_robust,),
    "cross_entropy": (cross_entropy,),
    "exponential": (mpmath.exp,),
    "two_outputs": (lambda x, y: x**2 + y**2, lambda x, y: x * y),
    "positive_part": (lambda x: max(x, mpf(0)),),
    "activation": (activation,),
    "decay": (lambda x, y: x * mpmath.exp(-y),),
    "sine_squared": (lambda x: mpmath.sin(x) ** 2,),
    "gaussian_integral": (gaussian_integral,),
    "straight_through_round": (mpmath.nint,),
    "soft_round": (soft_round,),
    "rounding_penalty": (rounding_penalty,),
}
"""An element of each output."""

CLAIMED: dict[str, tuple[Value, ...]] = {"straight_through_round": (lambda x: x,)}
"""What is differentiated in place of the value, where the gradient is not the value's."""

SUMMED = ("squared_error", "squared_distance", "adaptive_robust", "cross_entropy", "positive_part", "rounding_penalty")
"""Those that return one number; but for the positive part, it is a mean."""


def errors(name: str, inputs: Sequence[torch.Tensor], functions: Sequence[Callable]) -> list[tuple[float, float]]:
    """The worst error in ulps of float64 of the value and of the gradient of each function, at the inputs.

    ``inputs`` are of float32, so that both precisions hold them; the upstream gradient is random.
    """
    inputs = [x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in inputs]
    moving = [x for x in inputs if x.requires_grad]
    found = []
    with mpmath.workdps(DIGITS):
        truths = None
        for function in functions:
            values = function(*inputs)
            values = values if isinstance(values, tuple) else (values,)
            generator = torch.Generator().manual_seed(0)
            upstreams = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in values]
            gradients = torch.autograd.grad(values, moving, upstreams)
            truths = truths or _truths(name, inputs, upstreams)
            found.append(
                tuple(max(map(_worst, got, true)) for got, true in zip((values, gradients), truths, strict=True))
            )
    return found


def _truths(name: str, inputs: Sequence[torch.Tensor], upstreams: Sequence[torch.Tensor]) -> tuple[list, list]:
    """The values, and the gradient by each moving input, as lists of lists of mpf."""
    base = next(known for known in sorted(VALUES, key=len, reverse=True) if name.startswith(known))
    moving = [k for k, x in enumerate(inputs) if x.requires_grad]
    columns, share = list(inputs), mpf(1)
    if base == "cross_entropy":
        logits, target, weight = inputs
        columns, moving = [*logits.unbind(1), target, weight[target]], list(range(logits.shape[1]))
        share = 1 / mpmath.fsum(map(mpf, weight[target].tolist()))
    elif base in SUMMED and base != "positive_part":
        share = mpf(1) / inputs[0].numel()
    points = list(zip(*(map(mpf, column.tolist()) for column in columns), strict=True))
    upstream = [list(map(mpf, u.expand(len(points)).tolist())) for u in upstreams]
    values, gradients = _elements(base, tuple(points), tuple(moving))
    values = [[share * mpmath.fsum(v)] if base in SUMMED else v for v in values]
    summed = []
    for by in gradients:
        terms = zip(*(zip(of, u, strict=True) for of, u in zip(by, upstream, strict=True)), strict=True)
        summed.append([share * mpmath.fsum(d * u for d, u in element) for element in terms])
    if base == "cross_entropy":
        summed = [[g for row in zip(*summed, strict=True) for g in row]]
    return values, summed


@functools.cache  # the three ways to one derivative are at the same points
def _elements(base: str, points: tuple, moving: tuple[int, ...]) -> tuple[list, list]:
    """Each output at each point, and by each moving input, for each output, its derivative at each point."""
    values = [[f(*at) for at in points] for f in VALUES[base]]
    orders = [tuple(int(k == by) for k in range(len(points[0]))) for by in moving]
    claimed = CLAIMED.get(base, VALUES[base])
    return values, [[[mpmath.diff(f, at, order) for at in points] for f in claimed] for order in orders]


def _worst(got: torch.Tensor, true: list[mpf]) -> float:
    """In ulps of the element, or of the root mean square of all where that is larger, as the audit has it."""
    typical = mpmath.sqrt(mpmath.fsum(t * t for t in true) / len(true))
    apart = (
        abs(mpf(g) - t) / max(abs(t), typical) for g, t in zip(got.detach().reshape(-1).tolist(), true, strict=True)
    )
    return float(max(apart)) / torch.finfo(torch.float64).eps
