"""The integral of exp(-a t²) over t from 0 to x, element by element: a calculation that autograd does not know.

The kernel integrates numerically, by Gauss-Legendre quadrature: ∫ f from 0 to x ≈ x/2 Σ w[k] f(x/2 (1 + node[k])).
See P. J. Davis and P. Rabinowitz, Methods of Numerical Integration (1984), section 2.7. Past √a x = 6.5 the integrand
is below 1e-18 and adds nothing, so the nodes are spread no further.

The derivatives are Leibniz' rule: the one by the upper limit x is the integrand there, exp(-a x²), and needs no
quadrature; the one by the parameter a is the integral of the integrand's derivative, -t² exp(-a t²), by the same
nodes. Neither differentiates the quadrature. In the kernels, i counts elements and k counts nodes.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.patterns.arguments import check_inputs

NODES = 24
"""Enough for the rounding of float64 over the widest range that is integrated."""

REACH = 6.5
"""exp(-REACH²) is under 1e-18."""


@cuda.jit(device=True)
def integrand(t, a):
    """exp(-a t²)"""
    return math.exp(-a * t * t)


@cuda.jit(device=True)
def integrand_derivative(t, a):
    """∂/∂a exp(-a t²) = -t² exp(-a t²)"""
    return -t * t * math.exp(-a * t * t)


@cuda.jit(device=True)
def upper_limit(x, a, reach):
    """x, or the t between 0 and x past which the integrand has vanished: √a |t| = reach."""
    if a * x * x <= reach * reach:
        return x
    return math.copysign(reach / math.sqrt(a), x)


@cuda.jit
def gaussian_integral_kernel(x, a, node, weight, value):
    """value = ∫ exp(-a t²) from 0 to x, with x, a and value [n], and node and weight [nodes].

    Updates: value [n].
    """
    i = cuda.grid(1)
    if i < value.size:
        half = upper_limit(x[i], a[i], value.dtype.type(REACH)) * value.dtype.type(0.5)
        total = value.dtype.type(0)
        for k in range(node.size):
            total += weight[k] * integrand(half + half * node[k], a[i])
        value[i] = half * total


@cuda.jit
def gaussian_integral_gradient_x_kernel(x, a, upstream, gradient):
    """The derivative by x times the upstream gradient; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = integrand(x[i], a[i]) * upstream[i]


@cuda.jit
def gaussian_integral_gradient_a_kernel(x, a, upstream, node, weight, gradient):
    """The derivative by a times the upstream gradient, with node and weight [nodes] and all others [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        half = upper_limit(x[i], a[i], gradient.dtype.type(REACH)) * gradient.dtype.type(0.5)
        total = gradient.dtype.type(0)
        for k in range(node.size):
            total += weight[k] * integrand_derivative(half + half * node[k], a[i])
        gradient[i] = half * total * upstream[i]


@functools.lru_cache
def quadrature(dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The nodes of Gauss-Legendre quadrature on [-1, 1] and their weights, each [NODES]."""
    node, weight = zip(*map(_refined, np.polynomial.legendre.leggauss(NODES)[0]), strict=True)
    return torch.tensor(node, dtype=dtype, device=device), torch.tensor(weight, dtype=dtype, device=device)


def _refined(node: float) -> tuple[float, float]:
    """A node and its weight, rounded once each. NumPy's own weights are off by up to 1e-13, which a sum shows."""
    z = Fraction(float(node))
    value, slope = _legendre(z)
    z = Fraction(round((z - value / slope) * 2**120), 2**120)
    _, slope = _legendre(z)
    return float(z), float(2 / ((1 - z * z) * slope * slope))


def _legendre(z: Fraction) -> tuple[Fraction, Fraction]:
    """The Legendre polynomial of degree NODES at z and its derivative, by the three-term recurrence."""
    before, value = Fraction(1), z
    for degree in range(2, NODES + 1):
        before, value = value, ((2 * degree - 1) * z * value - (degree - 1) * before) / degree
    return value, NODES * (z * value - before) / (z * z - 1)


class GaussianIntegral(Elementwise):
    """∫ exp(-a t²) from 0 to x for tensors x and a of one shape, with the gradient for both.

    A second derivative is refused.
    """

    @staticmethod
    def forward(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return run(gaussian_integral_kernel, x, a, constants=quadrature(x.dtype, x.device))[0]

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, a = ctx.saved_tensors
        gradient_x = gradient_a = None
        if ctx.needs_input_grad[0]:
            gradient_x = kernel_gradient("gaussian_integral", gaussian_integral_gradient_x_kernel, x, a, upstream)
        if ctx.needs_input_grad[1]:
            gradient_a = kernel_gradient(
                "gaussian_integral",
                gaussian_integral_gradient_a_kernel,
                x,
                a,
                upstream,
                constants=quadrature(x.dtype, x.device),
            )
        return gradient_x, gradient_a


def gaussian_integral(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The integral of exp(-a t²) over t from 0 to x, for tensors of one shape, dtype (float32 or float64) and device.

    x may be of any size and either sign. The integral is right to rounding for every a ≥ 0, and for a negative a
    while a x² ≥ -16; further out, where the integrand grows, the nodes become too few. Differentiable once, in both.

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), and for another dtype.
    """
    check_inputs(x=x, a=a)
    return GaussianIntegral.apply(x, a)
