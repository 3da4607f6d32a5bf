"""The exercises of the notebook on cross entropy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.values import Mistake
from workbench.launch import blocks
from workbench.stepping import trace

CLASSES = 5
EPSILON = 0.1
THREADS = 64
"""Of the block that has a row to itself."""


def _generator(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def _logits(n: int) -> torch.Tensor:
    """Rows [n, CLASSES] about 0, about 1,000 and about -1,000, in turns."""
    centre = torch.tensor([0.0, 1000.0, -1000.0]).repeat(n // 3 + 1)[:n, None]
    return centre + 3 * torch.randn(n, CLASSES, generator=_generator(n))


def _targets(n: int) -> torch.Tensor:
    return torch.randint(CLASSES, (n,), generator=_generator(n + 1))


def _log_sum_case(n: int) -> Case:
    return Case((_logits(n),), (unwritten(n),), blocks(n, 128), 128)


def _gradient_case(n: int) -> Case:
    upstream = torch.rand(n, generator=_generator(n + 2)) + 0.5
    return Case((_logits(n), _targets(n), upstream), (unwritten(n, CLASSES),), blocks(n, 128), 128)


def _onehot(target: torch.Tensor) -> torch.Tensor:
    return functional.one_hot(target, CLASSES)


def _softmax_gradient(logits: torch.Tensor, target: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    return upstream[:, None] * (logits.softmax(1) - _onehot(target))


def _row_max_case(n: int) -> Case:
    """Three rows of n classes, all below 0."""
    return Case((-1 - torch.rand(3, n, generator=_generator(n)),), (unwritten(3),), 3, THREADS)


def _too_much_by_one_thread(kernel: Any, case: Case) -> str | None:
    recorded = trace(kernel[case.grid, case.block], *case.inputs, *case.outputs)
    (logits,) = case.inputs
    reads = [0] * THREADS
    for access in recorded.accesses:
        if access.space == "global" and access.kind == "read":
            reads[access.thread] += 1
    share = math.ceil(logits.shape[1] / THREADS)
    busiest = max(range(THREADS), key=reads.__getitem__)
    if reads[busiest] > share + 1:  # one read more, to begin with an element of the row
        return (
            f"the result is right, but the row is not shared out: with {logits.shape[1]:,} classes and {THREADS} "
            f"threads each has to read {share}, and thread {busiest} reads {reads[busiest]:,}. Begin at the thread's "
            f"own number and go on in steps of {THREADS}."
        )
    return None


def _smoothing_inputs(n: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    logits = 3 * torch.randn(n, CLASSES, generator=_generator(n))
    return logits.requires_grad_(), _targets(n), EPSILON


def _smoothed(logits: torch.Tensor, target: torch.Tensor, epsilon: float) -> torch.Tensor:
    return functional.cross_entropy(logits, target, reduction="none", label_smoothing=epsilon)


def _spread_over_the_others(logits: torch.Tensor, target: torch.Tensor, epsilon: float) -> torch.Tensor:
    others = (1 - _onehot(target)) * epsilon / (CLASSES - 1)
    return -((1 - epsilon) * _onehot(target) + others).mul(logits.log_softmax(1)).sum(1)


EXERCISES = (
    KernelExercise(
        name="log-sum-exp",
        task="Write a kernel, `kernel(logits, result)`, that puts log Σ exp(z) of each row of logits [n, classes] into "
        "result [n], for logits of any size and sign. It is launched with a thread a row.",
        case=_log_sum_case,
        reference=lambda logits: logits.logsumexp(1),
        sizes=(1, 31, 33, 257, 0),
        mistakes=(
            Mistake(
                lambda logits: logits.sub(logits.amax(1, keepdim=True)).logsumexp(1),
                "The largest logit was taken out of the exponents and not added again at the end.",
            ),
            Mistake(
                lambda logits: logits.float().exp().sum(1).log(),
                "An exponential overflows or vanishes: some rows lie about 1,000 and some about -1,000. Take the "
                "largest logit of the row out of the exponents, and add it at the end.",
            ),
            Mistake(
                lambda logits: (
                    logits.amax(1).clamp(min=0)
                    + logits.sub(logits.amax(1, keepdim=True).clamp(min=0)).exp().sum(1).log()
                ),
                "In rows where every logit is below 0, the largest is not found: begin with the row's first logit, "
                "not with 0.",
            ),
        ),
    ),
    KernelExercise(
        name="softmax gradient",
        task="Write a kernel, `kernel(logits, target, upstream, gradient)`, that puts the gradient of each row's cross "
        "entropy by its logits, times the row's upstream gradient, into gradient [n, classes]. It is launched with a "
        "thread a row.",
        case=_gradient_case,
        reference=_softmax_gradient,
        sizes=(1, 31, 33, 257, 0),
        mistakes=(
            Mistake(
                lambda logits, target, upstream: logits.softmax(1),
                "This is the softmax. The loss is log Σ exp(z) - z[target]: its second term has a gradient too, and "
                "the upstream gradient multiplies the whole.",
            ),
            Mistake(
                lambda logits, target, upstream: logits.softmax(1) - _onehot(target),
                "The upstream gradient is missing: multiply by upstream[i].",
            ),
            Mistake(
                lambda logits, target, upstream: upstream[:, None] * logits.softmax(1),
                "At the target something is missing: -z[target] has the derivative -1 there.",
            ),
            Mistake(
                lambda logits, target, upstream: -_softmax_gradient(logits, target, upstream),
                "The sign is turned: this is the way down, and the gradient points up.",
            ),
            Mistake(
                lambda logits, target, upstream: upstream[:, None] * (1 - _onehot(target)) * logits.softmax(1),
                "At the target the gradient is p - 1, not 0.",
            ),
        ),
    ),
    KernelExercise(
        name="row max",
        task="Write a kernel, `kernel(logits, result)`, that puts the largest of each row of logits [n, classes] into "
        f"result [n]. It is launched with a block of {THREADS} threads a row, which share the row.",
        case=_row_max_case,
        reference=lambda logits: logits.amax(1),
        sizes=(1, 31, 63, 64, 65, 1000),
        allowed=0,
        mistakes=(
            Mistake(
                lambda logits: logits[:, :THREADS].amax(1),
                f"Only the first {THREADS} classes are looked at: let each thread go on, in steps of {THREADS}.",
            ),
            Mistake(
                lambda logits: logits[:, [c for c in range(logits.shape[1]) if c % THREADS < 32]].amax(1),
                "Only the first warp has a say: a shuffle stays within its warp, so hand the other warp's largest over "
                "through shared memory.",
            ),
            Mistake(
                lambda logits: logits[:, ::THREADS].amax(1),
                "This is the largest that thread 0 has seen by itself: the threads have to tell each other.",
            ),
            Mistake(
                lambda logits: logits.amax(1).clamp(min=0),
                "Every logit is below 0 here, so a search that begins with 0 ends with it: begin with -math.inf.",
            ),
        ),
        also=(_too_much_by_one_thread,),
    ),
    FunctionExercise(
        name="label smoothing",
        task="Smooth the kernels of `Smoothed.apply(logits, target, epsilon)`, so that it is the cross entropy of each "
        "row against a target that keeps 1 - ε and spreads ε over all classes; derive its gradient by the logits.",
        inputs=_smoothing_inputs,
        reference=_smoothed,
        sizes=(1, 31, 33, 257, 0),
        mistakes=(
            Mistake(
                lambda logits, target, epsilon: functional.cross_entropy(logits, target, reduction="none"),
                "This is the loss without smoothing.",
            ),
            Mistake(
                _spread_over_the_others,
                "ε is spread over the other classes only. The formula spreads it over all of them, the target too.",
            ),
            Mistake(
                lambda logits, target, epsilon: (
                    logits.logsumexp(1) - (1 - epsilon) * logits.gather(1, target[:, None])[:, 0]
                ),
                "The part of the target is smaller, and what was taken from it went nowhere: subtract ε / C of every "
                "logit.",
            ),
        ),
    ),
)
