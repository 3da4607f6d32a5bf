"""Barron's general and adaptive robust loss, of which squared, Charbonnier, Cauchy, Geman-McClure and Welsch are cases.

For a residual x, a shape α and a scale c, with u = (x / c)² and b = |α - 2|,

    ρ(x, α, c) = (b / α) · ((u / b + 1)^(α / 2) - 1);

see J. T. Barron, A General and Adaptive Robust Loss Function (CVPR 2019), equation 8, and appendix B on computing it.
Its limits are u / 2 at α = 2, log(u / 2 + 1) at α = 0, and 1 - exp(-u / 2) at α = -∞.

The appendix keeps away from those by adding a small number to b and to α. Here nothing is added. With L = log(1 + u/b)
and t = α L / 2 the loss is (b / 2) · L · E(t), where E(t) = (exp(t) - 1) / t has the value 1 at t = 0: so α = 0 is no
special case, and neither is anything beside it. α = 2 and |α| = ∞ remain, and are written out.

There is a gradient by each input, and beside it the gradient by x of one who would not derive it: a central difference
inside the kernel. i counts elements; every array is [n].
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from numba import cuda, float32, float64, types

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.losses.arguments import check_floating, reduced

ENORMOUS = 1e18
"""A shape this far from 0 is taken for infinite; what it differs by is far below the last digit of float64."""

NEAR = 1 / 8
"""Up to this u / b the derivative by α is a series, and beyond it does not cancel by more than two digits."""

TERMS = 20
"""Of each series here, which is then exact to the last digit of float64."""


class Kernels(NamedTuple):
    """The kernels for one dtype; their constants have it too, since Numba would compute float32 with 2.0 in float64."""

    loss: Any
    by_x: Any
    by_alpha: Any
    by_scale: Any
    by_difference: Any


def kernels_of(element: types.Float, epsilon: float) -> Kernels:
    """The kernels that compute in ``element``, whose machine epsilon is ``epsilon``."""
    zero, one, two, half = element(0), element(1), element(2), element(0.5)
    near, enormous, infinite = element(NEAR), element(ENORMOUS), element(math.inf)
    relative_step = element(epsilon ** (1 / 3))

    @cuda.jit(device=True)
    def growth(t):
        """E(t) = (exp(t) - 1) / t"""
        return math.expm1(t) / t if t != zero else one

    @cuda.jit(device=True)
    def growth_derivative(t):
        """E'(t) = (exp(t) (t - 1) + 1) / t², by its series Σ tᵏ / (k! (k + 2)) where that cancels."""
        if abs(t) >= one:
            return (math.exp(t) * (t - one) + one) / (t * t)
        power = one
        total = half
        for k in range(1, TERMS):
            power *= t / element(k)
            total += power / element(k + 2)
        return total

    @cuda.jit(device=True)
    def logarithm(z, b):
        """L = log(1 + z² / b); where z² / b overflows, the 1 is nothing beside it."""
        ratio = z * z / b
        return math.log1p(ratio) if ratio < infinite else two * math.log(abs(z)) - math.log(b)

    @cuda.jit(device=True)
    def robust(x, alpha, scale):
        """ρ(x, α, c)"""
        z = x / scale
        if alpha == two:
            return half * z * z
        if abs(alpha) >= enormous:
            sign = math.copysign(one, alpha)
            return sign * math.expm1(sign * half * z * z)
        b = abs(alpha - two)
        length = logarithm(z, b)
        return half * b * length * growth(half * alpha * length)

    @cuda.jit(device=True)
    def derivative_by_x(x, alpha, scale):
        """∂ρ/∂x = x / c² · (u / b + 1)^(α / 2 - 1)

        For x / c and for 1 / c the power has a root each: the large ones would overflow where the product does not.
        """
        z = x / scale
        if alpha == two:
            return z / scale
        if abs(alpha) >= enormous:
            return z * math.exp(math.copysign(half, alpha) * z * z) / scale
        root = math.exp(half * half * (alpha - two) * logarithm(z, abs(alpha - two)))
        return (z * root) * (root / scale)

    @cuda.jit(device=True)
    def derivative_by_alpha(x, alpha, scale):
        """∂ρ/∂α = ½ (∂(b L)/∂α · E(t) + b L · E'(t) · ∂t/∂α)

        With σ = sign(α - 2) and v = u / (u + b): ∂(b L)/∂α = σ (L - v), and ∂t/∂α = ½ (L - σ α v / b). Close to α = 2
        large terms cancel in that; there equation 8 is differentiated as it stands, and 2 - α v = b (α / (u + b) - σ).
        For small u all of it cancels, down to u³ / (24 b²); that is left to a series.
        """
        z = x / scale
        u = z * z
        if abs(alpha) >= enormous or u == zero:
            return zero
        if alpha == two:
            return infinite
        b = abs(alpha - two)
        if u <= one and u <= near * b:
            return series_by_alpha(u, alpha)
        sign = math.copysign(one, alpha - two)
        length = logarithm(z, b)
        share = one / (one + b / u)
        t = half * alpha * length
        if alpha > one and u > b:
            power = b * math.exp(t)
            flat = half * power * (alpha / (u + b) - sign) - one
            return (sign * flat - (power - b) / alpha + half * power * length) / alpha
        bend = half * length * growth_derivative(t) * (b * length - sign * alpha * share)
        return half * (sign * (length - share) * growth(t) + bend)

    @cuda.jit(device=True)
    def series_by_alpha(u, alpha):
        """∂ρ/∂α for small u, where ρ = Σ termₖ with term₁ = u / 2 and termₖ₊₁ = termₖ · (α / 2 - k) / (k + 1) · u / b.

        Each term is differentiated as a product. The first two do not depend on α.
        """
        b = abs(alpha - two)
        sign = math.copysign(one, alpha - two)
        term, slope, total = half * u, zero, zero
        for i in range(1, TERMS):
            k = element(i)
            ratio = (half * alpha - k) / (k + one) * (u / b)
            slope = slope * ratio + term * sign * (k - one) / (k + one) * (u / b) / b
            term *= ratio
            total += slope
        return total

    @cuda.jit(device=True)
    def derivative_by_scale(x, alpha, scale):
        """∂ρ/∂c = -x / c · ∂ρ/∂x"""
        return -(x / scale) * derivative_by_x(x, alpha, scale)

    @cuda.jit(device=True)
    def difference(x, alpha, scale):
        """∂ρ/∂x as a central difference.

        The step is ε^(1/3) times what the loss bends over: the scale, or x where that is larger. The difference is
        divided by the distance of the two points that the dtype can hold, and not by twice the step.
        """
        step = relative_step * max(abs(x), abs(scale))
        above, below = x + step, x - step
        return (robust(above, alpha, scale) - robust(below, alpha, scale)) / (above - below)

    @cuda.jit
    def loss_kernel(x, alpha, scale, loss):
        """ρ of each element.

        Updates: loss [n].
        """
        i = cuda.grid(1)
        if i < loss.size:
            loss[i] = robust(x[i], alpha[i], scale[i])

    def gradient_kernel_of(derivative: Any) -> Any:
        @cuda.jit
        def gradient_kernel(x, alpha, scale, upstream, gradient):
            """The derivative at each element, times the upstream gradient.

            Updates: gradient [n].
            """
            i = cuda.grid(1)
            if i < gradient.size:
                gradient[i] = upstream[i] * derivative(x[i], alpha[i], scale[i])

        return gradient_kernel

    derivatives = (derivative_by_x, derivative_by_alpha, derivative_by_scale, difference)
    return Kernels(loss_kernel, *map(gradient_kernel_of, derivatives))


KERNELS = {
    torch.float32: kernels_of(float32, torch.finfo(torch.float32).eps),
    torch.float64: kernels_of(float64, torch.finfo(torch.float64).eps),
}


class AdaptiveRobust(Elementwise):
    """ρ(x, α, c) for three tensors of one shape, with the gradient for each.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into.
    """

    @staticmethod
    def forward(x: torch.Tensor, alpha: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return run(KERNELS[x.dtype].loss, x, alpha, scale)[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kernels = KERNELS[upstream.dtype]
        of_each = (kernels.by_x, kernels.by_alpha, kernels.by_scale)
        return tuple(
            kernel_gradient("adaptive_robust", kernel, *ctx.saved_tensors, upstream) if needed else None
            for kernel, needed in zip(of_each, ctx.needs_input_grad, strict=True)
        )


class AdaptiveRobustByDifferences(AdaptiveRobust):
    """The same value, and a gradient for x alone that nobody derived: a central difference of the value.

    It costs two losses an element, and half of the digits or more: its error is near ε^(2/3) of the loss's scale.
    """

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None, None
        kernel = KERNELS[upstream.dtype].by_difference
        return kernel_gradient("adaptive_robust", kernel, *ctx.saved_tensors, upstream), None, None


def adaptive_robust(
    x: torch.Tensor,
    alpha: torch.Tensor | float = 1.0,
    scale: torch.Tensor | float = 1.0,
    reduction: str = "mean",
    by_differences: bool = False,
) -> torch.Tensor:
    """Barron's robust loss ρ(x, alpha, scale) of residuals ``x``, of any shape (float32 or float64).

    ``alpha`` is the shape: 2 for squared error, 1 for Charbonnier, 0 for Cauchy, -2 for Geman-McClure, -math.inf for
    Welsch, and anything between or beyond. ``scale`` is the residual beyond which x counts as an outlier, and positive.
    Each is a number, or a tensor of x's dtype and device whose shape expands to that of x: one for all, one for each
    channel, one for each element. ``reduction`` is ``"none"`` (a tensor of x's shape), ``"sum"`` or ``"mean"``.

    Differentiable once, in x, alpha and scale. At alpha = 2 the derivative by alpha is infinite wherever x is not 0:
    to learn alpha, keep it below 2. ``by_differences=True`` takes the derivative by x from differences of the kernel's
    own value; alpha and scale must then be constants.

    Raises ValueError for a dtype, device or shape that does not fit, for a number as scale that is not positive, and
    for an unknown reduction. A tensor as scale is not checked, since on a GPU the CPU would have to wait for it: where
    it is negative its sign does not matter, and where x / scale overflows, as for a scale of 0, the loss is not to be
    relied on: it is NaN for most shapes.
    """
    check_floating("x", x)
    alpha, scale = _expanded("alpha", alpha, x), _expanded("scale", scale, x)
    if by_differences and (alpha.requires_grad or scale.requires_grad):
        raise ValueError("by_differences=True gives a gradient for x alone; pass alpha.detach() and scale.detach()")
    function = AdaptiveRobustByDifferences if by_differences else AdaptiveRobust
    return reduced(function.apply(x, alpha, scale), reduction)


def _expanded(name: str, value: torch.Tensor | float, x: torch.Tensor) -> torch.Tensor:
    """The value in x's shape, so that autograd sums its gradient. Raises ValueError if it does not fit."""
    if not isinstance(value, torch.Tensor):
        if name == "scale" and not value > 0:
            raise ValueError(f"scale={value} is not positive; it divides the residuals")
        return x.new_full((), value).expand(x.shape)
    if value.dtype != x.dtype or value.device != x.device:
        raise ValueError(
            f"{name} is {value.dtype} on {value.device}, and x is {x.dtype} on {x.device}; this loss wants them equal "
            "and converts nothing by itself"
        )
    try:
        return value.expand(x.shape)
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, which does not expand to {tuple(x.shape)}, the shape of x"
        ) from None
