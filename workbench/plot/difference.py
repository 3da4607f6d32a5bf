"""One finite difference as it is computed: the curve that a dtype holds, the secant through it, and the error."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.schemes import SLOPES
from workbench.plot.picture import BLUE, GREEN, GREY, ORANGE, STYLE, Picture

SCHEMES = ("forward", "central")
"""Those that are one secant."""

POINTS = 801
"""Places at which the curve is looked at, across the window."""


def secant(
    function: Callable[[torch.Tensor], torch.Tensor],
    x: float,
    step: float,
    scheme: str = "central",
    dtype: torch.dtype = torch.float32,
) -> Picture:
    """The difference of ``function`` at the number ``x`` over ``step``: its secant beside the tangent, and its error.

    ``function`` takes a tensor, element by element, and autograd can differentiate it: the truth is its derivative in
    float64. On the left the window is as wide as the step asks for, so that a small step shows the values of ``dtype``
    as the staircase that they are. On the right is the error of every step, this one marked.

    Raises ValueError for a scheme that is no single secant, for a derivative of zero, which no error is relative to,
    and for a step that is not positive or too small to move ``x`` at all.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme={scheme!r} is no single secant; {' and '.join(map(repr, SCHEMES))} are")
    point = torch.tensor(x, dtype=dtype)
    exact = torch.tensor(float(point), dtype=torch.float64, requires_grad=True)
    true = float(torch.autograd.grad(function(exact), exact)[0])
    if true == 0:
        raise ValueError(f"the derivative at {x} is zero, and an error is relative to it; draw another point")

    def slope(step: float) -> float:
        return float(finite_difference(function, point, scheme=scheme, step=step, errors=False).gradients[0])

    def error(slope: float) -> float:
        return abs(slope - true) / abs(true)

    found = slope(step)
    steps = [10.0 ** (k / 4) for k in range(-40, 1)]
    errors = {step: error(slope(step)) for step in sorted({*steps, step}) if float(point + step) != float(point)}
    name = str(dtype).removeprefix("torch.")
    said = f"{scheme}, {name}, step {step:.1e}: slope {found:.5f} for {true:.5f}, wrong by {error(found):.0e}"
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_curve(left, function, point, step, scheme, found, true)
        # an error of exactly zero has no place on a logarithmic axis
        right.plot(list(errors), [e or float("nan") for e in errors.values()], color=BLUE, marker="o", markersize=3)
        right.plot(step, errors[step] or float("nan"), color=ORANGE, marker="o", markersize=11, markerfacecolor="none")
        right.axvline(step, color=ORANGE, linewidth=0.8)
        right.set(xscale="log", yscale="log", xlabel="step (in units of x)", ylabel="relative error of the slope")
        figure.suptitle(said, fontsize=10)
    return Picture(figure, said)


def _draw_curve(
    axes: Axes, function: Callable, point: torch.Tensor, step: float, scheme: str, found: float, true: float
) -> None:
    """Values less that at the point, against the distance from it."""
    distance = torch.linspace(-3 * step, 3 * step, POINTS, dtype=torch.float64)
    curve = function(point.double() + distance) - function(point.double())
    held = (function(point + distance.to(point.dtype)) - function(point)).double()
    ((_, high, low),) = SLOPES[scheme]
    ends = torch.stack([point + low * step, point + high * step])
    rises = (function(ends) - function(point)).double()
    across = (ends - point).double()
    axes.plot(distance, held, color=BLUE, label=f"values in {str(point.dtype).removeprefix('torch.')}")
    axes.plot(distance, curve, color=GREY, linestyle=":", label="the curve")
    axes.plot(distance, true * distance, color=GREEN, linestyle="--", label="tangent")
    axes.plot(distance, rises[0] + found * (distance - across[0]), color=ORANGE, label="secant")
    axes.plot(across, rises, color=ORANGE, linestyle="none", marker="o", markersize=6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(style="sci", scilimits=(-2, 2))
    axes.set(xlabel="distance from x", ylabel="f minus f(x)")
    axes.legend(fontsize=8)
