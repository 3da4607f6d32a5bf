"""How right finite differences are at the steps they choose, and what a gradient by them costs.

``python benchmarks/finite_differences.py`` differences every pattern and every loss by each scheme, in float64 and in
float32, beside the old rule of thumb: a forward difference with a step of 1e-6 in float32. It prints Markdown, and
draws the error of a difference against its step into results/step_sweep.png.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import torch
from cpu_executor import markdown, processor
from tqdm import tqdm

from workbench import losses, patterns, plot
from workbench.bench import duration
from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.in_kernel import differenced
from workbench.gradients.schemes import SCHEMES
from workbench.gradients.step_sweep import step_sweep
from workbench.losses.squared_error import squared_difference

TOGETHER = 64
"""Elements of an input whose elements all enter one number: each then takes evaluations of its own."""

Function = Callable[..., torch.Tensor]


def one_tensor(name: str, function: Callable) -> Function:
    """The function without a reduction, or as a sum where it is one, and the sum of its outputs where it has two."""
    if "reduction" in inspect.signature(function).parameters:
        function = functools.partial(function, reduction="sum" if name == "squared_distance" else "none")

    def value(*inputs: torch.Tensor) -> torch.Tensor:
        found = function(*inputs)
        return sum(found) if isinstance(found, tuple) else found

    return value


def converted(inputs: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    return [
        x.detach().to(dtype).requires_grad_(x.requires_grad) if x.is_floating_point() else x.clone() for x in inputs
    ]


def relative(found: Sequence[torch.Tensor], truth: Sequence[torch.Tensor]) -> float:
    one, other = (torch.cat([g.detach().double().flatten() for g in gradients]) for gradients in (found, truth))
    return float((one - other).norm() / other.norm())


def rule_of_thumb(function: Function, inputs: Sequence[torch.Tensor], apart: int, step: float = 1e-6) -> list:
    """(f(x + step) - f(x)) / step for each input that requires grad."""
    moving = [x.requires_grad for x in inputs]
    inputs = [x.detach() for x in inputs]
    here = function(*inputs)
    found = []
    for i, x in enumerate(inputs):
        if not moving[i]:
            continue
        rows = x.shape[0] if apart else 1
        gradient = torch.empty(rows, x.numel() // rows)
        for column in range(gradient.shape[1]):
            moved = x.clone()
            moved.view(rows, -1)[:, column] += step
            change = function(*inputs[:i], moved, *inputs[i + 1 :]) - here
            gradient[:, column] = change.reshape(rows, -1).sum(1) / step
        found.append(gradient.view(x.shape))
    return found


def row(name: str, function: Function, reference: Function, inputs: Sequence[torch.Tensor]) -> list[str]:
    """The relative error of each scheme in float64 and in float32, and of the rule of thumb."""
    apart = int(reference(*converted(inputs, torch.float64)).dim() > 0)
    if not apart:
        inputs = [x.detach()[:TOGETHER].requires_grad_(x.requires_grad) for x in inputs]
    cells = [name]
    for dtype in (torch.float64, torch.float32):
        given = converted(inputs, dtype)
        # the truth at the very numbers that the dtype has
        exact = converted(given, torch.float64)
        truth = torch.autograd.grad(reference(*exact).sum(), [x for x in exact if x.requires_grad])
        for scheme in SCHEMES:
            subject = reference if scheme == "complex" else function
            try:
                found = finite_difference(subject, *given, scheme=scheme, independent=apart, errors=False)
                cells.append(f"{relative(found.gradients, truth):.0e}")
            except ValueError:  # what is not analytic
                cells.append("—")
    return [*cells, f"{relative(rule_of_thumb(function, given, apart), truth):.0e}"]


def least(function: Callable[[], object], times: int = 3) -> float:
    """The least time of some calls, after one that compiles."""
    function()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        took.append(time.perf_counter() - start)
    return min(took)


def costs(n: int) -> list[list[str]]:
    """A gradient of a squared error of n elements by x, central, in float32, in three ways."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, n, generator=generator)
    x.requires_grad_()
    squared = functools.partial(losses.ALL["squared_error"].function, reduction="none")
    total = functools.partial(losses.ALL["squared_error"].function, reduction="sum")
    in_kernel = differenced(squared_difference)
    ways = {
        "one element after the other, a sum": lambda: finite_difference(total, x, y, independent=0, errors=False),
        "all elements at once, found to be apart": lambda: finite_difference(squared, x, y, errors=False),
        "all elements at once, told so": lambda: finite_difference(squared, x, y, independent=1, errors=False),
    }
    rows = [[name, f"{way().evaluations:,}", duration(least(way))] for name, way in ways.items()]
    took = least(lambda: torch.autograd.grad(in_kernel(x, y).sum(), x), 20)
    return [*rows, ["in the kernel, with its value", "2 in each thread, and the value", duration(took)]]


def draw(path: Path) -> str:
    """The V of the cross entropy, and in words where it is lowest."""
    loss = losses.ALL["cross_entropy"]
    logits, target, weight = loss.example(torch.device("cpu"))
    exact = logits.detach().double().requires_grad_()
    (gradient,) = torch.autograd.grad(loss.reference(exact, target, weight.double()), exact)
    sweep = step_sweep(
        lambda z: loss.function(z, target, weight.to(z.dtype)),
        logits,
        gradient=(gradient,),
        steps=[10.0 ** (k / 4) for k in range(-44, 1)],
    )
    plot.step_sweep(sweep).save(path)
    said = []
    for dtype, errors in sweep.errors.items():
        step, error = sweep.chosen[dtype]
        best = min(range(len(errors)), key=errors.__getitem__)
        said.append(
            f"In {dtype} the chosen step is {step:.1e} and errs by {error:.0e}; the best of those tried, "
            f"{sweep.steps[best]:.1e}, by {errors[best]:.0e}."
        )
    return " ".join(said)


def main() -> None:
    cpu = torch.device("cpu")
    print(f"# Finite differences at their chosen steps, {date.today()}\n\n{processor()}; torch {torch.__version__}.\n")
    print(
        "The error of the whole gradient relative to its size, against autograd of the reference in float64; the "
        "upstream gradient is 1. The values come from the function itself, a kernel where it has one; for the complex "
        "scheme from its reference in plain torch, and — where that is not analytic, or torch has a part of it for "
        f"real numbers only. Where all elements enter one number, the first {TOGETHER} are taken. The last column is "
        "the old rule of thumb: forward, a step of 1e-6, float32.\n"
    )
    rows = []
    every = [*patterns.ALL.values(), *losses.ALL.values()]
    for one in tqdm(every, desc="functions"):
        if getattr(one, "stand_in", False):
            continue
        rows.append(
            row(one.name, one_tensor(one.name, one.function), one_tensor(one.name, one.reference), one.example(cpu))
        )
    schemes = [f"{scheme}, {bits}" for bits in ("float64", "float32") for scheme in SCHEMES]
    print(markdown(["", *schemes, "1e-6, float32"], rows))
    left_out = [one.name for one in every if getattr(one, "stand_in", False)]
    print(f"\nLeft out: {', '.join(left_out)}, whose gradient is on purpose not the derivative of the value.")
    print("\n## What a gradient of 4,096 elements costs\n\nA squared error, central, float32.\n")
    print(markdown(["", "evaluations", "time"], costs(4096)))
    words = draw(Path(__file__).parent / "results" / "step_sweep.png")
    print(f"\n## The error against the step\n\nA cross entropy of 512 rows, along its gradient's signs. {words}\n")
    print("![the error of a central difference against its step, float32 and float64](step_sweep.png)")


if __name__ == "__main__":
    main()
