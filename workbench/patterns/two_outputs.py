"""x² + y² and x · y, element by element: two inputs, two outputs, either of which may go unused.

With upstream gradients u of the sum of squares and v of the product, the gradient by x is 2 x u + y v, and the one by
y is the same with x and y exchanged. For an output that is unused, torch would fill its upstream gradient with zeros;
``ctx.set_materialize_grads(False)`` has it pass None instead, and a kernel that needs less is launched. In the
kernels, i counts elements.
"""

from __future__ import annotations

import torch
from numba import cuda

from workbench.elementwise import Elementwise, kernel_gradient, run
from workbench.patterns.arguments import check_inputs


@cuda.jit(device=True)
def sum_of_squares(x, y):
    """x² + y²"""
    return x * x + y * y


@cuda.jit(device=True)
def sum_of_squares_derivative(x):
    """∂/∂x (x² + y²) = 2 x"""
    # a sum and not 2 * x: Numba computes an int64 times a float32 in float64
    return x + x


@cuda.jit
def two_outputs_kernel(x, y, squares, product):
    """squares = x² + y² and product = x · y; all [n].

    Updates: squares [n], product [n].
    """
    i = cuda.grid(1)
    if i < squares.size:
        squares[i] = sum_of_squares(x[i], y[i])
        product[i] = x[i] * y[i]


@cuda.jit
def both_gradient_kernel(x, y, of_squares, of_product, gradient):
    """The gradient by x through both outputs, from the upstream gradient of each; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = sum_of_squares_derivative(x[i]) * of_squares[i] + y[i] * of_product[i]


@cuda.jit
def squares_gradient_kernel(x, of_squares, gradient):
    """The gradient by x where the product is unused; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = sum_of_squares_derivative(x[i]) * of_squares[i]


@cuda.jit
def product_gradient_kernel(y, of_product, gradient):
    """The gradient by x where the sum of squares is unused; all [n].

    Updates: gradient [n].
    """
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = y[i] * of_product[i]


class TwoOutputs(Elementwise):
    """x² + y² and x · y for tensors x and y of one shape, with the gradient for both.

    A second derivative is refused.
    """

    @staticmethod
    def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return run(two_outputs_kernel, x, y, outputs=2)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(
        ctx, of_squares: torch.Tensor | None, of_product: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        gradient_x = _gradient(x, y, of_squares, of_product) if needs_x else None
        gradient_y = _gradient(y, x, of_squares, of_product) if needs_y else None
        return gradient_x, gradient_y


def _gradient(
    of: torch.Tensor, other: torch.Tensor, of_squares: torch.Tensor | None, of_product: torch.Tensor | None
) -> torch.Tensor | None:
    if of_squares is None and of_product is None:
        return None
    if of_product is None:
        return kernel_gradient("two_outputs", squares_gradient_kernel, of, of_squares)
    if of_squares is None:
        return kernel_gradient("two_outputs", product_gradient_kernel, other, of_product)
    return kernel_gradient("two_outputs", both_gradient_kernel, of, other, of_squares, of_product)


def two_outputs(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x² + y² and x · y of two tensors of one shape, dtype (float32 or float64) and device.

    Differentiable once, in both tensors and through either output or both. Calling ``backward`` on one output and
    then on the other needs ``retain_graph=True`` for the first, as with every graph that is used twice; adding the
    outputs up, or ``torch.autograd.backward([one, other], ...)``, needs nothing.

    Raises ValueError for shapes, dtypes or devices that differ (nothing is broadcast), and for another dtype.
    """
    check_inputs(x=x, y=y)
    return TwoOutputs.apply(x, y)
