"""Rounding, whose derivative is 0 wherever it has one, and three stand-ins that learn something nevertheless.

A loss behind a rounding gives no gradient to what comes before it: the rounded value does not move when x moves a
little. Each stand-in says something else instead.

- :func:`straight_through_round` rounds, and claims the gradient of x itself. The value is exact and the gradient is
  not its derivative; an audit's differences say so. See Y. Bengio, N. Léonard and A. Courville, Estimating or
  Propagating Gradients Through Stochastic Neurons (2013), arXiv:1308.3432.
- :func:`soft_round` is another function, smooth and near rounding, and its gradient is its derivative. The colder,
  the nearer to rounding, and the more the gradient gathers in narrow peaks at the half-integers. See E. Agustsson and
  L. Theis, Universally Quantized Neural Compression (2020), arXiv:2006.09952.
- :func:`rounding_penalty` leaves x as it is and adds its distance to the nearest integer to the loss. The gradient is
  the derivative, and pulls x to that integer, whether or not the rounded value would make a better loss.

In the kernels, i counts elements.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.losses.arguments import check_reduction, reduced
from workbench.patterns.arguments import check_inputs


@cuda.jit(device=True)
def rounded(x, half):
    """The nearest integer, and of two the even one, as torch.round."""
    below = math.floor(x)
    rest = x - below
    odd = math.floor(below * half) != below * half
    if rest > half or (rest == half and odd):
        return below + (half + half)
    return below


@cuda.jit(device=True)
def soft_rounded(x, temperature, half):
    """⌊x⌋ + ½ + tanh(r / T) / (2 tanh(1 / 2T)) with r = x - ⌊x⌋ - ½, which is x at every multiple of ½."""
    middle = math.floor(x) + half
    return middle + half * math.tanh((x - middle) / temperature) / math.tanh(half / temperature)


@cuda.jit(device=True)
def soft_rounded_derivative(x, temperature, half):
    """1 / (2 T tanh(1 / 2T) cosh²(r / T))"""
    cosh = math.cosh((x - math.floor(x) - half) / temperature)
    return half / (temperature * math.tanh(half / temperature) * cosh * cosh)


@cuda.jit(device=True)
def sign(x):
    """-1, 0 or 1: the derivative of |x|, and 0 at its kink, as torch has it; NaN for NaN"""
    return x if x == 0 else x / abs(x)


@cuda.jit
def round_kernel(x, value):
    """value = x rounded to the nearest integer; both [n].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = rounded(x[i], value.dtype.type(0.5))


@cuda.jit
def soft_round_kernel(x, temperature, value):
    """value = x rounded softly, with x and value [n] and a scalar temperature.

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        value[i] = soft_rounded(x[i], value.dtype.type(temperature), value.dtype.type(0.5))


@cuda.jit
def soft_round_gradient_kernel(x, upstream, temperature, gradient):
    """The derivative times the upstream gradient, with x, upstream and gradient [n] and a scalar temperature.

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        derivative = soft_rounded_derivative(x[i], gradient.dtype.type(temperature), gradient.dtype.type(0.5))
        gradient[i] = derivative * upstream[i]


@cuda.jit
def rounding_penalty_kernel(x, target, weight, loss):
    """loss = |x - target| + weight · |x - round(x)|, with x, target and loss [n] and a scalar weight.

    Updates: loss [n].
    """
    i = cuda.grid(1)
    if i < loss.size:
        distance = abs(x[i] - rounded(x[i], loss.dtype.type(0.5)))
        loss[i] = abs(x[i] - target[i]) + loss.dtype.type(weight) * distance


@cuda.jit
def rounding_penalty_gradient_x_kernel(x, target, upstream, weight, gradient):
    """(sign(x - target) + weight · sign(x - round(x))) times the upstream gradient; all [n] but the scalar weight.

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        pull = sign(x[i] - rounded(x[i], gradient.dtype.type(0.5)))
        gradient[i] = (sign(x[i] - target[i]) + gradient.dtype.type(weight) * pull) * upstream[i]


@cuda.jit
def rounding_penalty_gradient_target_kernel(x, target, upstream, gradient):
    """sign(target - x) times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = sign(target[i] - x[i]) * upstream[i]


class StraightThroughRound(Elementwise):
    """x rounded, with the upstream gradient passed straight on. Its second derivative is that of x: 0."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return run(round_kernel, x)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> torch.Tensor:
        return upstream


class SoftRound(Elementwise):
    """x rounded softly at a temperature, which gets no gradient. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor, temperature: float) -> torch.Tensor:
        return run(soft_round_kernel, x, constants=(temperature,))[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        x, ctx.temperature = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        constants = (ctx.temperature,)
        return kernel_gradient("soft_round", soft_round_gradient_kernel, x, upstream, constants=constants), None


class RoundingPenalty(Elementwise):
    """|x - target| + weight · |x - round(x)|, with the gradient for x and target. A second derivative is refused."""

    @staticmethod
    def forward(x: torch.Tensor, target: torch.Tensor, weight: float) -> torch.Tensor:
        return run(rounding_penalty_kernel, x, target, constants=(weight,))[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        x, target, ctx.weight = inputs
        ctx.save_for_backward(x, target)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        inputs = (*ctx.saved_tensors, upstream)
        name, gradient_x, gradient_target = "rounding_penalty", None, None
        if ctx.needs_input_grad[0]:
            gradient_x = kernel_gradient(name, rounding_penalty_gradient_x_kernel, *inputs, constants=(ctx.weight,))
        if ctx.needs_input_grad[1]:
            gradient_target = kernel_gradient(name, rounding_penalty_gradient_target_kernel, *inputs)
        return gradient_x, gradient_target, None


def straight_through_round(x: torch.Tensor) -> torch.Tensor:
    """Each element of a tensor of float32 or float64 rounded, as ``torch.round``; the gradient is that of x.

    That gradient is a claim and not the derivative, which is 0: it says how the loss would change if the rounded
    value moved with x. Raises ValueError for another dtype.
    """
    check_inputs(x=x)
    return StraightThroughRound.apply(x)


def soft_round(x: torch.Tensor, temperature: float = 0.3) -> torch.Tensor:
    """Each element of a tensor of float32 or float64 rounded softly; the gradient is the derivative of that.

    A cold temperature, near 0, is near ``torch.round``; a hot one is near x itself. Differentiable once, in x.

    Raises ValueError for another dtype and for a temperature that is not a positive and finite number.
    """
    check_inputs(x=x)
    _check_number("temperature", temperature)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be positive and finite; for its limit at 0, torch.round(x)")
    return SoftRound.apply(x, float(temperature))


def rounding_penalty(
    x: torch.Tensor, target: torch.Tensor, weight: float = 0.5, reduction: str = "mean"
) -> torch.Tensor:
    """|x - target| + weight · |x - round(x)| of two tensors of one shape, dtype (float32 or float64) and device.

    ``reduction`` is ``"none"`` (a tensor of that shape), ``"sum"`` or ``"mean"`` (a scalar). Differentiable once, in
    both tensors; at a kink, where x is the target, an integer or halfway between two, that term's slope is taken as
    torch takes it for this formula.

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), for another dtype, for an
    unknown reduction, and for a weight that is no number.
    """
    check_reduction(reduction)
    check_inputs(x=x, target=target)
    _check_number("weight", weight)
    return reduced(RoundingPenalty.apply(x, target, float(weight)), reduction)


def _check_number(name: str, value: float) -> None:
    if isinstance(value, torch.Tensor):
        raise ValueError(f"{name} is a tensor, and would get no gradient here; pass a number: {name}.item()")
