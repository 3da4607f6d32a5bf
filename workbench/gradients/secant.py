"""One finite difference as it is computed: the curve that a dtype holds, the secant through it, and its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.schemes import SLOPES

SCHEMES = ("forward", "central")
"""Those that are one secant."""

POINTS = 801
"""Places at which the curve is looked at."""


@dataclass(frozen=True)
class Secant:
    """The difference of a function f at ``x`` over ``step``, and the curve from three steps before to three after.

    ``slope`` is the secant's and ``derivative`` the tangent's. ``curve`` and ``held`` [n] are f less f(x) at
    ``distance`` [n] from x, in float64 and as ``dtype`` holds it. The secant goes through two points, whose distances
    from x are ``across`` [2] and whose heights over f(x) are ``rises`` [2], as ``dtype`` holds them. ``errors`` has the
    relative error of the slope by step, of many steps and this one. Tensors are in float64.
    """

    scheme: str
    dtype: str
    x: float
    step: float
    slope: float
    derivative: float
    distance: torch.Tensor
    curve: torch.Tensor
    held: torch.Tensor
    across: torch.Tensor
    rises: torch.Tensor
    errors: dict[float, float]

    @property
    def error(self) -> float:
        """The relative error of the slope."""
        return self.errors[self.step]

    def __str__(self) -> str:
        slopes = f"slope {self.slope:.5f} for {self.derivative:.5f}"
        return f"{self.scheme}, {self.dtype}, step {self.step:.1e}: {slopes}, wrong by {self.error:.0e}"


def secant(
    function: Callable[[torch.Tensor], torch.Tensor],
    x: float,
    step: float,
    scheme: str = "central",
    dtype: torch.dtype = torch.float32,
) -> Secant:
    """The difference of ``function`` at the number ``x`` over ``step``, beside the derivative, for ``plot.secant``.

    ``function`` takes a tensor, element by element, and autograd can differentiate it: the truth is its derivative in
    float64, at ``x`` as ``dtype`` holds it.

    Raises ValueError for a scheme that is no single secant, for a derivative of zero, which no error is relative to,
    and for a step that is not positive or too small to move ``x`` at all.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme={scheme!r} is no single secant; {' and '.join(map(repr, SCHEMES))} are")
    point = torch.tensor(x, dtype=dtype)
    exact = torch.tensor(float(point), dtype=torch.float64, requires_grad=True)
    derivative = float(torch.autograd.grad(function(exact), exact)[0])
    if derivative == 0:
        raise ValueError(f"the derivative at {x} is zero, and an error is relative to it; choose another point")

    def slope(step: float) -> float:
        return float(finite_difference(function, point, scheme=scheme, step=step, errors=False).gradients[0])

    def rise(points: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return (function(points) - function(point.to(points.dtype))).double()

    found = slope(step)
    every = sorted({*(10.0 ** (k / 4) for k in range(-40, 1)), step})
    slopes = {one: slope(one) for one in every if float(point + one) != float(point)}
    distance = torch.linspace(-3 * step, 3 * step, POINTS, dtype=torch.float64)
    ((_, high, low),) = SLOPES[scheme]
    ends = torch.stack([point + low * step, point + high * step])
    return Secant(
        scheme=scheme,
        dtype=str(dtype).removeprefix("torch."),
        x=float(point),
        step=step,
        slope=found,
        derivative=derivative,
        distance=distance,
        curve=rise(point.double() + distance),
        held=rise(point + distance.to(dtype)),
        across=(ends - point).double(),
        rises=rise(ends),
        errors={one: abs(slope - derivative) / abs(derivative) for one, slope in slopes.items()},
    )
