"""The tour: everything the workbench does, once, on this machine, now. Nothing in it was computed before."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import torch
from tqdm.auto import tqdm

from workbench import digits, plot
from workbench.bench import bench, duration
from workbench.executors import Executor, best_device, executor
from workbench.gradients.audit import audit
from workbench.gradients.step_sweep import step_sweep
from workbench.launch import blocks, launch
from workbench.losses import ALL, cross_entropy, references, squared_error
from workbench.losses.squared_error import squared_error_kernel
from workbench.page import Page
from workbench.plot import Picture
from workbench.tables import Table

ELEMENTS = 1_000_000
SIMULATED_ELEMENTS = 4096


@dataclass(frozen=True)
class Section:
    """A part of the tour: what it says, and the tables and pictures that show it."""

    title: str
    text: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


def tour(path: Path, show: Callable[[Section], None]) -> bool:
    """Take the tour on the best device here, hand each finished section to ``show``, and write the page to ``path``.

    Returns whether everything that the tour claims was so: audits passed, curves agree to 1e-4 at every step, and both
    accuracies are within half a point and over 95 %.
    """
    device = best_device()
    page = Page("workbench tour")
    page.text(f"Computed on {time.strftime('%Y-%m-%d at %H:%M')}, everything on this page in one run.")
    all_right = True
    parts = [_where, _launch, _audits, _mistake, _training, _step_size]
    for part in tqdm(parts, desc="tour", leave=False):
        for section, right in part(device):
            all_right &= right
            show(section)
            page.heading(section.title)
            page.text(section.text)
            for table in section.tables:
                page.table(table)
            for picture in section.pictures:
                page.picture(picture)
    page.heading("What to open next")
    page.text("The notebooks: `workbench lab` opens them in JupyterLab; begin with 00_start_here.ipynb.")
    page.text("One loss more closely: `workbench list`, then `workbench audit NAME`.")
    page.write(path)
    return all_right


Parts = Iterator[tuple[Section, bool]]


def _where(device: torch.device) -> Parts:
    here = executor(device)
    rows = (
        ("kernels run on", f"the {here.name} executor"),
        ("because", here.reason),
        ("device", _device_name(device)),
        ("torch", f"{torch.__version__}, {torch.get_num_threads()} threads"),
        ("Numba", numba.__version__),
        ("Python", platform.python_version()),
    )
    yield Section("Where this runs", _where_text(here), (Table("this machine", ("", ""), rows),)), True


def _where_text(here: Executor) -> str:
    if here.name == "gpu":
        return "The kernels run on the GPU, through numba-cuda."
    if here.name == "simulator":
        return (
            "The kernels run in Numba's simulator, a Python thread for each CUDA thread: slow, and good for debugging."
        )
    return "There is no GPU here. The same kernels, unmodified, are compiled for this processor."


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} cores"


def _launch(device: torch.device) -> Parts:
    n = ELEMENTS if executor(device).name != "simulator" else SIMULATED_ELEMENTS
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, n, generator=generator).to(device)
    loss, square = torch.empty_like(x), torch.empty_like(x)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> None:
        launch(squared_error_kernel[blocks(n), 256], x, y, loss)

    def torch_into_place(x: torch.Tensor, y: torch.Tensor) -> None:
        torch.sub(x, y, out=square).square_()

    functions = {
        "the kernel": kernel,
        "torch, new tensor": lambda x, y: (x - y) ** 2,
        "torch, in place": torch_into_place,
    }
    timings = bench(functions, x, y, rounds=100)
    kernel(x, y)
    equal = torch.equal(loss, (x - y) ** 2)
    tables = [timings.table]
    text = (
        f"The squared error of {n:,} float32 elements takes the kernel {duration(timings['the kernel'].least)}, after "
        f"{duration(timings['the kernel'].first)} to compile it, and torch "
        f"{duration(timings['torch, in place'].least)}. "
        f"The two results are {'equal, bit for bit' if equal else 'DIFFERENT'}."
    )
    if executor(device).name == "cpu":
        simulated = _simulator_seconds(SIMULATED_ELEMENTS)
        each, each_simulated = timings["the kernel"].least / n, simulated / SIMULATED_ELEMENTS
        rows = (
            ("the kernel, CPU executor", f"{n:,}", duration(timings["the kernel"].least), duration(each)),
            ("the kernel, Numba's simulator", f"{SIMULATED_ELEMENTS:,}", duration(simulated), duration(each_simulated)),
        )
        columns = ("", "elements", "time", "time an element")
        tables.append(Table("the same kernel in Numba's simulator", columns, rows))
        text += f" The kernel ran on one thread and torch on {torch.get_num_threads()}."
        text += f" Numba's simulator takes {each_simulated / each:,.0f} times as long for each element."
    yield Section("A kernel, launched", text, tuple(tables)), equal


_SIMULATED = """
import sys, time
import torch
from workbench.launch import blocks, launch
from workbench.losses.squared_error import squared_error_kernel
n = int(sys.argv[1])
x, y = torch.rand(2, n)
loss = torch.empty(n)
launch(squared_error_kernel[1, 256], x[:256], y[:256], loss[:256])
start = time.perf_counter()
launch(squared_error_kernel[blocks(n), 256], x, y, loss)
print(time.perf_counter() - start)
"""


def _simulator_seconds(n: int) -> float:
    """Seconds that the simulator takes over the squared-error kernel; another process, since it replaces numba.cuda."""
    command = [sys.executable, "-W", "ignore", "-c", _SIMULATED, str(n)]
    done = subprocess.run(
        command, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _audits(device: torch.device) -> Parts:
    audits = [
        audit(loss.function, *loss.example(device), reference=loss.reference)
        for loss in tqdm(ALL.values(), desc="audits", leave=False)
    ]
    text = (
        "Each gradient is asked for in float64 and float32, with a random upstream gradient, and compared with torch's "
        "autograd of a plain reference and with differences of the kernel's own value. "
        f"{sum(a.passed for a in audits)} of {len(audits)} losses pass."
    )
    yield Section("The gradients, proved", text, tuple(a.table for a in audits)), all(a.passed for a in audits)


class _Forgetful(torch.autograd.Function):
    """(x - y)² by its kernel, for a constant y, with a gradient by x that forgets the upstream gradient."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, y)
        loss = torch.empty_like(x, memory_format=torch.contiguous_format)
        launch(squared_error_kernel[blocks(x.numel()), 256], x.reshape(-1), y.reshape(-1), loss.view(-1))
        return loss

    @staticmethod
    def backward(ctx, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, y = ctx.saved_tensors
        return 2 * (x - y), None


def _mistake(device: torch.device) -> Parts:
    x, y = ALL["squared_error"].example(device)
    y = y.detach()

    def reference(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return references.squared_error(x, y, "none")

    def gradient(function: Callable, reduction: Callable) -> torch.Tensor:
        return torch.autograd.grad(reduction(function(x, y)), x)[0]

    unseen = torch.allclose(gradient(_Forgetful.apply, torch.sum), gradient(reference, torch.sum))
    too_large = float((gradient(_Forgetful.apply, torch.mean) / gradient(reference, torch.mean)).median())
    forgetful = audit(_Forgetful.apply, x, y, reference=reference)
    right = audit(lambda x, y: squared_error(x, y, "none"), x, y, reference=reference)
    verdicts = {check.question: check.verdict for check in right.checks}
    rows = tuple((check.question, check.verdict, verdicts[check.question]) for check in forgetful.checks)
    said = next((check.said for check in forgetful.wrong), "")
    text = (
        "The squared error again, with a gradient as it is often printed: it leaves the upstream gradient out. On the "
        f"sum of the loss its gradient is {'right' if unseen else 'WRONG'}, since the upstream gradient is 1 there, so "
        f"a first try shows nothing. On the mean it is {too_large:,.0f} times too large, and a training would step "
        "that much too far. The audit asks with a random upstream gradient, and says what to do."
    )
    table = Table(
        "the squared error, without the upstream gradient and with it",
        ("question", "without it", "with it"),
        rows,
        [f"Without it: {said}."],
    )
    caught = "the upstream gradient is ignored" in said and right.passed
    yield Section("A mistake, caught", text, (table,)), unseen and caught


def _training(device: torch.device) -> Parts:
    data = digits.load(device)
    kernel = digits.train(data, cross_entropy, "the kernel's cross entropy")
    theirs = digits.train(data, torch.nn.functional.cross_entropy, "torch's cross entropy")
    apart = max(abs(a - b) / b for a, b in zip(kernel.losses, theirs.losses, strict=True))
    rows = (
        ("the kernel's cross entropy", f"{kernel.losses[-1]:.6f}", f"{kernel.accuracy:.2%}"),
        ("torch's cross entropy", f"{theirs.losses[-1]:.6f}", f"{theirs.accuracy:.2%}"),
    )
    table = Table("two trainings from one seed", ("", "last loss", "test accuracy"), rows)
    agree = apart <= 1e-4 and abs(kernel.accuracy - theirs.accuracy) <= 0.005
    right = agree and min(kernel.accuracy, theirs.accuracy) > 0.95
    text = (
        f"A small classifier learns {len(data.train_labels):,} handwritten digits twice, from the same seed, in "
        f"{len(kernel.losses)} steps. The two loss curves differ by at most {apart:.1e} of their value at any step, "
        f"and {kernel.accuracy:.1%} and {theirs.accuracy:.1%} of {len(data.test_labels)} unseen digits are recognised."
    )
    curves = plot.loss_curves({"the kernel's": kernel.losses, "torch's": theirs.losses})
    wrong_first = (kernel.predicted == data.test_labels).int().argsort(stable=True)[:24]
    shown = plot.predictions(
        data.test_pixels.view(-1, 8, 8)[wrong_first],
        data.test_labels[wrong_first],
        kernel.predicted[wrong_first],
        "unseen digits and what the model says, its mistakes first",
    )
    yield Section("A model, trained with the kernel", text, (table,), (curves, shown)), right


def _step_size(device: torch.device) -> Parts:
    logits, target, weight = ALL["cross_entropy"].example(device)
    logits = logits.detach()
    exact = logits.double().requires_grad_()
    (gradient,) = torch.autograd.grad(references.cross_entropy(exact, target, weight.double()), exact)

    def loss(z: torch.Tensor) -> torch.Tensor:
        return cross_entropy(z, target, weight.to(z.dtype))

    steps = [10.0 ** (k / 2) for k in range(-22, 1)]
    sweep = step_sweep(loss, logits, gradient=(gradient,), steps=tqdm(steps, desc="steps", leave=False))
    text = (
        "A derivative by differences of the kernel's cross entropy, for steps from 1e-11 to 1. Too small a step "
        f"drowns in rounding, too large a step cuts the curve off. The best step gives a relative error of "
        f"{min(sweep.errors['float32']):.0e} in float32 and {min(sweep.errors['float64']):.0e} in float64."
    )
    yield Section("The step of a finite difference", text, (), (plot.step_sweep(sweep),)), True
