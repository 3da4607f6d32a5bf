"""The schemes of a finite difference: where each looks, how far, and how wrong it may be.

A step h too large cuts the function's curve off (truncation); a step too small drowns in the value's last digits
(rounding). With ε the dtype's machine epsilon, for a function of scale one, the two meet at

    forward      (f(x+h) - f(x)) / h                 truncation ~ h     step ε^(1/2)
    central      (f(x+h) - f(x-h)) / 2h              truncation ~ h²    step ε^(1/3)
    richardson   (4 central(h/2) - central(h)) / 3   truncation ~ h⁴    step ε^(1/5)
    complex      Im f(x + ih) / h                    truncation ~ h²    any tiny step: nothing is subtracted

See W. H. Press et al., Numerical Recipes, 3rd edition (2007), section 5.7, and for the last W. Squire and G. Trapp,
Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

ORDERS = {"forward": 2, "central": 3, "richardson": 5}
"""The root of ε that the step is."""

SCHEMES = (*ORDERS, "complex")

NUMBERS = 16
"""How many floating-point numbers a step spans at least, so that rounding it costs little of the difference."""

ROUNDING = 4
"""How many ε of a difference its own arithmetic loses at most, after the values: eight roundings of half an ε each, of
the subtraction, the sum of a row, the distance, the quotient, Richardson's weights, sum and quotient, and the result's
dtype. What the values themselves are wrong by is the function's and no part of it."""

SLOPES = {"forward": ((1, 1, 0),), "central": ((1, 1, -1),), "richardson": ((4 / 3, 0.5, -0.5), (-1 / 3, 1, -1))}
"""A scheme as a sum of slopes: the weight of each, and between which multiples of the step it lies."""

GROWTH = {"forward": 2, "central": 4, "richardson": 16}
"""How many times a scheme's truncation grows when the step doubles."""

Sample = Callable[[float], tuple[torch.Tensor, torch.Tensor]]
"""Of a multiple of the step: the function's weighted values there [rows, …], and the points [rows] in float64."""


def check_scheme(scheme: str) -> None:
    """Raise ValueError unless the scheme is one of SCHEMES."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme={scheme!r} is none of {', '.join(map(repr, SCHEMES))}")


def chosen_step(x: torch.Tensor, scheme: str) -> torch.Tensor:
    """The step of each element of ``x``, of its shape and dtype.

    A curve's scale is not known from values. Of exp it is one wherever x is, and of a power it is x; the step grows
    with the square root of the magnitude, halfway between the two, from magnitude one upwards.
    """
    limits = torch.finfo(x.dtype)
    if scheme == "complex":  # a power of two, so that nothing rounds; its square is far below any ε
        return torch.full_like(x, limits.tiny).sqrt()
    magnitude = x.abs()
    scaled = limits.eps ** (1 / ORDERS[scheme]) * magnitude.sqrt().clamp(min=1)
    return torch.maximum(scaled, NUMBERS * limits.eps * magnitude)


def difference(
    sample: Sample, scheme: str, epsilon: float, errors: bool, ulps: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The derivative of each row by ``scheme`` and, where ``errors``, how far off it may be; both [rows] in float64.

    The bound adds up:

    - truncation. The scheme is used once more at twice its step. That changes a forward difference by about its
      truncation, and twice that is stated; a central one by three times it, and an extrapolated one by fifteen;
    - rounding of the values: each of those that the scheme subtracts is wrong by ``ulps`` ε of its size, which the
      distance divides. The change above has this error too, and hides so much of the truncation;
    - rounding of points: distances are taken as they came out, but a central slope whose sides came out unequal is
      off by half the curvature times by how much;
    - a kink, where both sides are looked at: of a smooth function the slopes of the two sides differ in proportion to
      the step, and what does not shrink with it is added.
    """
    seen: dict[float, tuple[torch.Tensor, torch.Tensor]] = {}

    def at(multiple: float) -> tuple[torch.Tensor, torch.Tensor]:
        if multiple not in seen:
            seen[multiple] = sample(multiple)
        return seen[multiple]

    def slope(a: float, b: float) -> torch.Tensor:
        (high, right), (low, left) = at(a), at(b)
        # differences first and their sum after: what does not move cancels exactly
        return _total(high - low) / (right - left)

    def bend(a: float) -> torch.Tensor:
        return slope(a, 0) - slope(0, -a)

    def doubt(a: float, b: float) -> torch.Tensor:
        (high, right), (low, left) = at(a), at(b)
        values = ulps * _total(high.abs() + low.abs()) + ROUNDING * _total((high - low).abs())
        points = bend(a).abs() * (right + left - 2 * at(0)[1]).abs() if b else 0
        return (epsilon * values + points) / (right - left)

    def found(a: float) -> torch.Tensor:
        return sum(weight * slope(a * right, a * left) for weight, right, left in SLOPES[scheme])

    def rounding(a: float) -> torch.Tensor:
        return sum(abs(weight) * doubt(a * right, a * left) for weight, right, left in SLOPES[scheme])

    answer = found(1)
    if not errors:
        return answer, None
    change = (found(2) - answer).abs()
    kink = torch.zeros_like(answer)
    if scheme == "forward":
        change = 2 * change
    elif scheme == "central":
        kink = (2 * bend(1) - bend(2)).abs()
    else:  # these weights cancel what is proportional to the step and to its cube
        kink = (16 * bend(0.5) - 10 * bend(1) + bend(2)).abs() / 7
    hidden = (rounding(1) + rounding(2)) / (GROWTH[scheme] - 1)
    return answer, change + kink + rounding(1) + hidden


def complex_difference(
    sample: Sample, epsilon: float, errors: bool, ulps: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The derivative of each row by the imaginary part over a tiny step, and how far off rounding may put it.

    Nothing is subtracted, so no step divides the function's error; but what its own arithmetic cancels in the
    imaginary part shows in no value. The step is taken once more at three times its size, which rounds differently, and
    twice what the value loses is added: an estimate, where the bounds of the other schemes are derived.
    """

    def found(multiple: float) -> torch.Tensor:
        values, distance = sample(multiple)
        return _total(values.imag) / distance

    answer = found(1)
    if not errors:
        return answer, None
    values, _ = sample(0)
    size = answer.abs() + _total(values.real.abs())
    return answer, (found(3) - answer).abs() + 2 * (ulps + ROUNDING) * epsilon * size


def _total(values: torch.Tensor) -> torch.Tensor:
    """The sum of each row, in float64."""
    return values.reshape(values.shape[0], -1).sum(1, dtype=torch.float64)
