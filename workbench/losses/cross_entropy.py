"""Softmax cross entropy over class logits, with a weight for each class.

For a row of logits z with target class t and class weights w, the loss is w[t] · (log Σ exp z[c] - z[t]), and its
derivative by z[c] is w[t] · (softmax(z)[c] - [c = t]); see C. M. Bishop, Pattern Recognition and Machine Learning
(2006), section 4.3.4. In the kernels, i counts rows and c counts classes; one thread computes one row.
"""

from __future__ import annotations

import math

import torch
from numba import cuda

from workbench.launch import blocks, launch
from workbench.losses.arguments import check_floating, check_reduction, once_differentiable, reduced

BLOCK = 128


@cuda.jit(device=True)
def largest_of(z):
    """max z[c]"""
    largest = z[0]
    for c in range(1, z.size):
        if z[c] > largest:
            largest = z[c]
    return largest


@cuda.jit(device=True)
def log_total(z, largest):
    """log Σ exp(z[c] - largest), in which no exponential overflows."""
    total = z.dtype.type(0)
    for c in range(z.size):
        total += math.exp(z[c] - largest)
    return math.log(total)


@cuda.jit
def cross_entropy_kernel(logits, target, weight, loss, shift, log_sum):
    """The loss of each row, and the two parts of its softmax's denominator, exp(shift) · exp(log_sum).

    logits [n, classes], target [n] of integers, weight [classes]. The parts stay apart, since their sum would lose the
    digits that matter where the logits are large.

    Updates: loss [n], shift [n], log_sum [n]. A row whose target is no class gets NaN and reads nothing else.
    """
    i = cuda.grid(1)
    if i < loss.size:
        t = target[i]
        if t < 0 or t >= weight.size:
            loss[i] = math.nan
            shift[i] = math.nan
            log_sum[i] = math.nan
        else:
            shift[i] = largest_of(logits[i])
            log_sum[i] = log_total(logits[i], shift[i])
            loss[i] = weight[t] * (log_sum[i] - (logits[i, t] - shift[i]))


@cuda.jit
def cross_entropy_gradient_kernel(logits, target, weight, shift, log_sum, upstream, gradient):
    """The gradient by the logits, times the upstream gradient [n] of each row.

    Updates: gradient [n, classes]. A row whose target is no class gets NaN.
    """
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        t = target[i]
        valid = t >= 0 and t < weight.size
        for c in range(gradient.shape[1]):
            if valid:
                is_target = gradient.dtype.type(c == t)
                probability = math.exp(logits[i, c] - shift[i] - log_sum[i])
                gradient[i, c] = upstream[i] * weight[t] * (probability - is_target)
            else:
                gradient[i, c] = math.nan


class CrossEntropy(torch.autograd.Function):
    """The weighted cross entropy of each row, with the gradient for the logits.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into.
    """

    @staticmethod
    def forward(
        logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        loss, shift, log_sum = (logits.new_empty(logits.shape[0]) for _ in range(3))
        kernel = cross_entropy_kernel[blocks(loss.numel(), BLOCK), BLOCK]
        launch(kernel, logits, target, weight, loss, shift, log_sum)
        return loss, shift, log_sum

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple) -> None:
        _, shift, log_sum = output
        ctx.mark_non_differentiable(shift, log_sum)
        ctx.save_for_backward(*inputs, shift, log_sum)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, None, None]:
        logits, target, weight, shift, log_sum = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None, None
        gradient = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
        kernel = cross_entropy_gradient_kernel[blocks(logits.shape[0], BLOCK), BLOCK]
        launch(kernel, logits, target, weight, shift, log_sum, upstream, gradient)
        return once_differentiable("cross_entropy", gradient, logits, upstream), None, None


def cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None, reduction: str = "mean"
) -> torch.Tensor:
    """Softmax cross entropy of ``logits`` [n, classes] (float32 or float64) against ``target`` [n] (int64 classes).

    ``weight`` [classes] of the logits' dtype weighs each class; it is a constant, as in
    ``torch.nn.functional.cross_entropy``. ``reduction`` is ``"none"`` (a tensor [n]), ``"sum"`` or ``"mean"``: the
    weighted mean, Σ w[t] · loss / Σ w[t], as torch defines it. Differentiable once, in the logits.

    Raises ValueError for shapes, dtypes, devices or a reduction that do not fit, and IndexError for a target that is
    no class. On a GPU that last check would make the CPU wait for the targets; there such a row is NaN instead, in
    its loss and in its gradient.
    """
    check_reduction(reduction)
    check_floating("logits", logits)
    if logits.dim() != 2 or logits.shape[1] == 0:
        raise ValueError(
            f"logits has shape {tuple(logits.shape)}; this loss takes [n, classes] with at least one class"
        )
    n, classes = logits.shape
    if target.shape != (n,) or target.dtype != torch.int64 or target.device != logits.device:
        raise ValueError(
            f"target is {target.dtype} of shape {tuple(target.shape)} on {target.device}; for these logits it must be "
            f"torch.int64 of shape ({n},) on {logits.device}"
        )
    if weight is None:
        weight = logits.new_ones(()).expand(classes)
    if weight.shape != (classes,) or weight.dtype != logits.dtype or weight.device != logits.device:
        raise ValueError(
            f"weight is {weight.dtype} of shape {tuple(weight.shape)} on {weight.device}; it weighs classes, not "
            f"samples, so for these logits it must be {logits.dtype} of shape ({classes},) on {logits.device}"
        )
    if weight.requires_grad:
        raise ValueError("weight requires grad, and this loss gives it none; pass weight.detach()")
    if target.device.type == "cpu":
        _check_targets(target, classes)
    loss, _, _ = CrossEntropy.apply(logits, target, weight)
    if reduction == "mean":
        return loss.sum() / weight[target].sum()
    return reduced(loss, reduction)


def _check_targets(target: torch.Tensor, classes: int) -> None:
    wrong = (target < 0) | (target >= classes)
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        raise IndexError(f"target[{row}] is {int(target[row])}, and the logits have classes 0 to {classes - 1}")
