"""A loss whose gradient is differenced in its kernel: from the scalar value alone, with no derivative written.

Each thread differences its own element, so a gradient of n elements costs two evaluations of the loss and not 2n.
In the kernels, i counts elements.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from numba import cuda

from workbench import numba_cuda
from workbench.elementwise import BLOCK, Elementwise, kernel_gradient
from workbench.gradients.schemes import NUMBERS, ORDERS
from workbench.launch import blocks, launch
from workbench.losses.arguments import check_floating


class Differenced:
    """An element-wise loss made of ``value``, a scalar device function; ``differenced`` makes it.

    ``value_kernel`` writes the loss, and ``gradient_kernels`` has for each argument the kernel that differences it.
    """

    def __init__(self, name: str, value_kernel: Any, gradient_kernels: tuple[Any, ...]) -> None:
        self.name, self.value_kernel, self.gradient_kernels = name, value_kernel, gradient_kernels

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The loss of each element of ``inputs``, tensors of one shape and device, as a tensor of their shape.

        The floating-point inputs have one dtype, float32 or float64, and are differentiable once; the others, such
        as integer labels, are read as they are. A tensor that is not contiguous is read through a contiguous copy.

        Raises ValueError for a wrong number of inputs, and for shapes, dtypes or devices that do not fit.
        """
        self._check(inputs)
        return DifferencedFunction.apply(self, *inputs)

    def _check(self, inputs: tuple[torch.Tensor, ...]) -> None:
        count = len(self.gradient_kernels)
        if len(inputs) != count:
            raise ValueError(f"{self.name} takes {count} tensors and was given {len(inputs)}")
        floating = [x for x in inputs if x.is_floating_point()]
        if not floating:
            raise ValueError(f"{self.name} needs at least one floating-point tensor")
        for k, x in enumerate(inputs):
            if x.is_floating_point() or x.is_complex():
                check_floating(f"input {k}", x)
            for what, wanted in (
                ("shape", inputs[0].shape),
                ("device", inputs[0].device),
                ("dtype", floating[0].dtype),
            ):
                if getattr(x, what) != wanted and not (what == "dtype" and not x.is_floating_point()):
                    raise ValueError(
                        f"input {k} of {self.name} has {what} {getattr(x, what)} and another has {wanted}; this loss "
                        "wants them equal and converts nothing by itself"
                    )


class DifferencedFunction(Elementwise):
    """The loss, and by each floating-point input the central difference of each element, times the upstream gradient.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into.
    """

    @staticmethod
    def forward(loss: Differenced, *inputs: torch.Tensor) -> torch.Tensor:
        dtype = next(x.dtype for x in inputs if x.is_floating_point())
        values = torch.empty(inputs[0].shape, dtype=dtype, device=inputs[0].device)
        kernel = loss.value_kernel[blocks(values.numel(), BLOCK), BLOCK]
        launch(kernel, *(x.reshape(-1) for x in _three(inputs, 0)), values.view(-1))
        return values

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: torch.Tensor) -> None:
        ctx.loss = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        return None, *(_gradient(ctx.loss, inputs, k, upstream) if needed[k] else None for k in range(len(inputs)))


def _gradient(loss: Differenced, inputs: tuple, k: int, upstream: torch.Tensor) -> torch.Tensor:
    epsilon = torch.finfo(upstream.dtype).eps
    steps = epsilon ** (1 / ORDERS["central"]), NUMBERS * epsilon
    return kernel_gradient(loss.name, loss.gradient_kernels[k], *_three(inputs, k), upstream, constants=steps)


def _three(inputs: tuple[torch.Tensor, ...], k: int) -> list[torch.Tensor]:
    """The inputs with input k and the first exchanged; the last stands in for those up to three."""
    three = list(inputs)
    three[0], three[k] = three[k], three[0]
    return three + [three[-1]] * (3 - len(three))


def differenced(value: Callable) -> Differenced:
    """An element-wise loss from ``value``, a ``cuda.jit(device=True)`` function of one, two or three scalars.

    Its gradient by an argument x is (value(x + h) - value(x - h)) / 2h times the upstream gradient, in the dtype of
    the tensors, with the step h of ``chosen_step`` for a central difference. Expect an error of about ε^(2/3) where
    value and argument are of size one: 2e-5 in float32 and 4e-11 in float64. At a kink, between both slopes. Where only
    the second derivative jumps, as at the joint of Huber's loss, elements within a step of it err by up to h / 4 times
    the jump: 1e-3 in float32.
    Each call makes kernels of its own, which are compiled when they first run: make a loss once and keep it.

    Raises ValueError for what is no device function, and for one of more than three arguments.
    """
    if not numba_cuda.is_kernel(value):
        raise ValueError(
            f"differenced takes a device function, and {value!r} is none; decorate it with @cuda.jit(device=True)"
        )
    function = numba_cuda.python_function(value)
    count = len(inspect.signature(function).parameters)
    if not 1 <= count <= 3:
        raise ValueError(f"{function.__name__} has {count} arguments; differenced takes a function of one to three")
    orders = _orders(value, count)
    return Differenced(function.__name__, _value_kernel(orders[0]), tuple(map(_gradient_kernel, orders)))


def _orders(value: Callable, count: int) -> list[Callable]:
    """The value as a function of three scalars, for each of its arguments with that one and the first exchanged."""

    @cuda.jit(device=True)
    def of_x(x, y, z):
        return value(x)

    @cuda.jit(device=True)
    def of_x_y(x, y, z):
        return value(x, y)

    @cuda.jit(device=True)
    def of_y_x(x, y, z):
        return value(y, x)

    @cuda.jit(device=True)
    def of_x_y_z(x, y, z):
        return value(x, y, z)

    @cuda.jit(device=True)
    def of_y_x_z(x, y, z):
        return value(y, x, z)

    @cuda.jit(device=True)
    def of_z_y_x(x, y, z):
        return value(z, y, x)

    return [[of_x], [of_x_y, of_y_x], [of_x_y_z, of_y_x_z, of_z_y_x]][count - 1]


def _value_kernel(value: Callable) -> Any:
    @cuda.jit
    def value_kernel(x, y, z, loss):
        """loss = value(x, y, z), all [n].

        Updates: loss [n].
        """
        i = cuda.grid(1)
        if i < loss.size:
            loss[i] = value(x[i], y[i], z[i])

    return value_kernel


def _gradient_kernel(value: Callable) -> Any:
    @cuda.jit
    def difference_kernel(x, y, z, upstream, relative, least, gradient):
        """The central difference of value by x, times the upstream gradient; all [n].

        The step of an element is ``relative`` · max(1, √|x|), or ``least`` · |x| if that is more.

        Updates: gradient [n].
        """
        i = cuda.grid(1)
        if i < gradient.size:
            of = gradient.dtype.type
            magnitude = abs(x[i])
            step = max(of(relative) * max(math.sqrt(magnitude), of(1)), of(least) * magnitude)
            # what is divided by is how far apart the two points came out, and not twice the step
            plus = x[i] + step
            minus = x[i] - step
            change = value(plus, y[i], z[i]) - value(minus, y[i], z[i])
            gradient[i] = upstream[i] * (change / (plus - minus))

    return difference_kernel
