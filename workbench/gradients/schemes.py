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

ROUNDING = 8
"""How many ε of its size a value is taken to be wrong by."""

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


def difference(sample: Sample, scheme: str, epsilon: float, errors: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The derivative of each row by ``scheme`` and, where ``errors``, how far off it may be; both [rows] in float64.

    The scheme is used once more at twice its step: by how much the answer changes bounds the truncation. A forward
    difference changes by about its truncation, and twice that is stated; a central one changes by three times it, and
    an extrapolated one by fifteen. To this come rounding and, where both sides are looked at, a kink: of a smooth
    function the slopes of the two sides differ in proportion to the step, and what does not shrink with it is added.
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

    def central(a: float) -> torch.Tensor:
        return slope(a, -a)

    def bend(a: float) -> torch.Tensor:
        return slope(a, 0) - slope(0, -a)

    def found(a: float) -> torch.Tensor:
        if scheme == "forward":
            return slope(a, 0)
        if scheme == "central":
            return central(a)
        return (4 * central(a / 2) - central(a)) / 3

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
    values, here = at(0)
    span = (at(1)[1] - here).abs()
    rounding = ROUNDING * epsilon * (_total(values.abs()) + answer.abs() * here.abs()) / span
    return answer, change + kink + rounding


def complex_difference(sample: Sample, epsilon: float, errors: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The derivative of each row by the imaginary part over a tiny step, and how far off rounding may put it.

    The step is taken once more at three times its size, which rounds differently. Nothing divides this rounding by a
    small step, so what the function loses inside itself weighs more here: twice as much is allowed for it.
    """

    def found(multiple: float) -> torch.Tensor:
        values, distance = sample(multiple)
        return _total(values.imag) / distance

    answer = found(1)
    if not errors:
        return answer, None
    values, _ = sample(0)
    size = answer.abs() + _total(values.real.abs())
    return answer, (found(3) - answer).abs() + 2 * ROUNDING * epsilon * size


def _total(values: torch.Tensor) -> torch.Tensor:
    """The sum of each row, in float64."""
    return values.reshape(values.shape[0], -1).sum(1, dtype=torch.float64)
