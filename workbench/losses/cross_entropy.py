"""Softmax cross entropy over class logits, with weights of classes and samples, label smoothing and ignored rows.

For a row of logits z with target class t, write ℓ[c] = log Σ exp z - z[c]. With class weights w, smoothing ε over C
classes and sample weight s, the loss of the row is

    s · (keep[t] · ℓ[t] + Σ spread[c] · ℓ[c]),    keep = (1 - ε) w,    spread = ε w / C,

and its derivative by z[c] is s · ((keep[t] + Σ spread) · softmax(z)[c] - [c = t] · keep[t] - spread[c]). See C. M.
Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4, and for the smoothing C. Szegedy et al.,
Rethinking the Inception Architecture for Computer Vision (2016), section 7. In the kernels, i counts rows and c counts
classes; one thread computes one row.
"""

from __future__ import annotations

import functools
import math

import torch
from numba import cuda

from workbench.launch import blocks, launch
from workbench.losses.arguments import check_floating, check_reduction, reduced
from workbench.transforms import KernelGradient, by_rows

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
def cross_entropy_kernel(logits, target, sample_weight, keep, spread, ignore_index, loss, shift, log_sum):
    """The loss of each row, and the two parts of its softmax's denominator, exp(shift) · exp(log_sum).

    logits [n, classes], target [n] of integers, sample_weight [n], keep [classes], spread [classes] or [0] for none.
    The parts stay apart, since their sum would lose the digits that matter where the logits are large.

    Updates: loss [n], shift [n], log_sum [n]. A row whose target is ignore_index gets 0, and one whose target is no
    class NaN; neither reads its logits.
    """
    i = cuda.grid(1)
    if i < loss.size:
        t = target[i]
        if t == ignore_index:
            loss[i] = 0
            shift[i] = 0
            log_sum[i] = 0
        elif t < 0 or t >= keep.size:
            loss[i] = math.nan
            shift[i] = math.nan
            log_sum[i] = math.nan
        else:
            shift[i] = largest_of(logits[i])
            log_sum[i] = log_total(logits[i], shift[i])
            total = keep[t] * (log_sum[i] - (logits[i, t] - shift[i]))
            for c in range(spread.size):
                total += spread[c] * (log_sum[i] - (logits[i, c] - shift[i]))
            loss[i] = sample_weight[i] * total


@cuda.jit
def cross_entropy_gradient_kernel(
    logits, target, sample_weight, shift, log_sum, upstream, keep, spread, spread_total, ignore_index, gradient
):
    """The gradient by the logits, times the upstream gradient [n] of each row; spread_total [1] is Σ spread.

    Updates: gradient [n, classes]. A row whose target is ignore_index gets 0, and one whose target is no class NaN.
    """
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        t = target[i]
        if t == ignore_index:
            for c in range(gradient.shape[1]):
                gradient[i, c] = 0
        elif t < 0 or t >= keep.size:
            for c in range(gradient.shape[1]):
                gradient[i, c] = math.nan
        else:
            scale = upstream[i] * sample_weight[i]
            for c in range(gradient.shape[1]):
                is_target = gradient.dtype.type(c == t)
                probability = math.exp(logits[i, c] - shift[i] - log_sum[i])
                gradient[i, c] = scale * keep[t] * (probability - is_target)
            for c in range(spread.size):
                probability = math.exp(logits[i, c] - shift[i] - log_sum[i])
                gradient[i, c] += scale * (spread_total[0] * probability - spread[c])


class CrossEntropy(torch.autograd.Function):
    """The cross entropy of each row, with the gradient for the logits; the inputs are the kernel's.

    A second derivative is refused: the gradient comes from a kernel, which autograd cannot see into.
    """

    @staticmethod
    def forward(
        logits: torch.Tensor,
        target: torch.Tensor,
        sample_weight: torch.Tensor,
        keep: torch.Tensor,
        spread: torch.Tensor,
        ignore_index: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if target.device.type == "cpu":
            _check_targets(target, keep.numel(), ignore_index)
        loss, shift, log_sum = (logits.new_empty(logits.shape[0]) for _ in range(3))
        kernel = cross_entropy_kernel[blocks(loss.numel(), BLOCK), BLOCK]
        launch(kernel, logits, target, sample_weight, keep, spread, ignore_index, loss, shift, log_sum)
        return loss, shift, log_sum

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: tuple) -> None:
        *tensors, ctx.ignore_index = inputs
        _, shift, log_sum = output
        ctx.mark_non_differentiable(shift, log_sum)
        ctx.save_for_backward(*tensors, shift, log_sum)

    @staticmethod
    def backward(ctx, upstream: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if not ctx.needs_input_grad[0]:
            return (None,) * 6
        logits, target, sample_weight, keep, spread, shift, log_sum = ctx.saved_tensors
        rows = logits, target, sample_weight, shift, log_sum, upstream
        compute = functools.partial(_gradient, ctx.ignore_index)
        rule = functools.partial(by_rows, len(rows))
        return KernelGradient.apply("cross_entropy", compute, rule, *rows, keep, spread), *(None,) * 5

    @staticmethod
    def vmap(info, in_dims: tuple, *arguments: torch.Tensor | int) -> tuple:
        return by_rows(3, CrossEntropy.apply, info, in_dims, *arguments)


def _gradient(ignore_index: int, logits: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """The gradient by the logits; ``others`` are what the kernel takes next, up to spread."""
    # summed by torch, in pairs: one addition after the other would lose digits where there are many classes
    spread_total = others[-1].sum().view(1)
    gradient = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    kernel = cross_entropy_gradient_kernel[blocks(logits.shape[0], BLOCK), BLOCK]
    launch(kernel, logits, *others, spread_total, ignore_index, gradient)
    return gradient


def cross_entropy(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: str = "mean",
    *,
    sample_weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Softmax cross entropy of ``logits`` [n, classes] (float32 or float64) against ``target`` [n] (int64 classes).

    As ``torch.nn.functional.cross_entropy``, and ``sample_weight`` besides. ``weight`` [classes] weighs each class and
    ``sample_weight`` [n] multiplies each row's loss; both have the logits' dtype and are constants. A row whose target
    is ``ignore_index`` has loss and gradient 0. ``label_smoothing``, from 0 to 1, is the share of each target that is
    spread over all classes. Differentiable once, in the logits.

    ``reduction`` is ``"none"`` (a tensor [n]), ``"sum"`` or ``"mean"``: Σ loss / Σ weight[target] over the rows that
    are not ignored, as torch defines it, and NaN if there is none. The sample weights are no part of that divisor: to
    double one doubles what its row adds to the mean, and no other row's share changes.

    Raises ValueError for shapes, dtypes, devices, a smoothing or a reduction that do not fit, and IndexError for a
    target that is no class. On a GPU that last check would make the CPU wait for the targets; there such a row is NaN
    instead, in its loss and in its gradient.
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
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing={label_smoothing} is not between 0 and 1")
    weight = _checked("weight", weight, classes, logits, "it weighs classes, not samples (sample_weight does)")
    sample_weight = _checked("sample_weight", sample_weight, n, logits, "it weighs samples, not classes (weight does)")
    keep = weight if label_smoothing == 0 else (1 - label_smoothing) * weight
    spread = weight[:0] if label_smoothing == 0 else label_smoothing / classes * weight
    loss, _, _ = CrossEntropy.apply(logits, target, sample_weight, keep, spread, ignore_index)
    if reduction == "mean":
        # clamped, since to gather by a target that is no class would stop a GPU; its row's loss is NaN already
        counted = weight[target.clamp(0, classes - 1)].masked_fill(target == ignore_index, 0)
        return loss.sum() / counted.sum()
    return reduced(loss, reduction)


def _checked(name: str, weight: torch.Tensor | None, size: int, logits: torch.Tensor, what: str) -> torch.Tensor:
    """The weights, or ones for None. Raises ValueError unless there are ``size`` of them that fit the logits."""
    if weight is None:
        # not logits.new_ones, which under vmap would have a batch
        return torch.ones((), dtype=logits.dtype, device=logits.device).expand(size)
    if weight.shape != (size,) or weight.dtype != logits.dtype or weight.device != logits.device:
        raise ValueError(
            f"{name} is {weight.dtype} of shape {tuple(weight.shape)} on {weight.device}; {what}, so for these logits "
            f"it must be {logits.dtype} of shape ({size},) on {logits.device}"
        )
    if weight.requires_grad:
        raise ValueError(f"{name} requires grad, and this loss gives it none; pass {name}.detach()")
    return weight


def _check_targets(target: torch.Tensor, classes: int, ignore_index: int) -> None:
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        raise IndexError(
            f"target[{row}] is {int(target[row])}, and the logits have classes 0 to {classes - 1} "
            f"(ignore_index is {ignore_index})"
        )
