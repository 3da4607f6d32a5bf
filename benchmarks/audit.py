"""How many wrong gradients the audit catches, and torch.autograd.gradcheck, and how long each takes.

``python benchmarks/audit.py`` hands both the wrong functions of tests/wrong_*.py, and right ones: torch's own losses
and activations, and everything in workbench.losses and workbench.patterns but the stand-in, whose gradient is not the
derivative on purpose. Kinks are declared to the audit; gradcheck takes no such thing. It prints Markdown.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import torch
import wrong_at_kinks
import wrong_elsewhere
import wrong_gradients
import wrong_outputs
import wrong_reductions
from cpu_executor import markdown, processor
from right_functions import RIGHT
from tqdm import tqdm

import workbench as wb
from workbench import losses, patterns
from workbench.bench import duration

WRONG_FUNCTIONS = {w.id: (w.function, w.inputs, w.reference) for w in wrong_gradients.WRONG}
WRONG_FUNCTIONS |= {name: (case[0], case[2], case[1]) for name, case in wrong_elsewhere.CASES.items()}
WRONG_FUNCTIONS |= {
    name: (case[0], (wrong_outputs.X, wrong_outputs.Y), wrong_outputs.sums_and_products)
    for name, case in (wrong_outputs.ALONE | wrong_outputs.TOGETHER).items()
}
WRONG_FUNCTIONS |= {
    name: (case[0], (wrong_reductions.X, wrong_reductions.Y), torch.nn.functional.mse_loss)
    for name, case in wrong_reductions.WRONG.items()
}
WRONG_FUNCTIONS |= {
    f"{name}, with the mean": (case[0], (wrong_reductions.X, wrong_reductions.Y), wrong_reductions.defaulting(default))
    for (name, case), default in zip(wrong_reductions.OF_A_MEAN.items(), ("none", "sum"), strict=True)
}
WRONG_FUNCTIONS |= {name: (case[0], case[2], case[1], case[3]) for name, case in wrong_at_kinks.CASES.items()}

ROWS = 64
"""Of the examples, so that gradcheck ends: it takes a whole Jacobian."""


def few(example: Callable) -> list[torch.Tensor]:
    return [x[:ROWS].detach().requires_grad_(x.requires_grad) for x in example(torch.device("cpu"))]


RIGHT_FUNCTIONS = {f"torch's {name}": (f, inputs, f) for name, (f, inputs) in RIGHT.items()}
RIGHT_FUNCTIONS |= {
    one.name: (one.function, few(one.example), one.reference)
    for one in (*losses.ALL.values(), *(p for p in patterns.ALL.values() if not p.stand_in))
}


def audited(function: Callable, inputs: tuple, reference: Callable, kinks: dict | None = None) -> bool:
    try:
        return wb.audit(function, *inputs, reference=reference, kinks=kinks).passed
    except Exception:
        return False


def checked(function: Callable, inputs: tuple, *_: object, fast: bool = False) -> bool:
    some = any(x.requires_grad for x in inputs)
    doubled = [
        x.detach().double().requires_grad_(x.requires_grad or not some) if x.is_floating_point() else x for x in inputs
    ]
    try:
        return torch.autograd.gradcheck(function, doubled, fast_mode=fast, raise_exception=False)
    except Exception:
        return False


def checked_fast(function: Callable, inputs: tuple, *_: object) -> bool:
    return checked(function, inputs, fast=True)


CHECKERS = {"audit": audited, "gradcheck": checked, "gradcheck, fast_mode": checked_fast}


def seconds(checker: Callable, n: int) -> float:
    """The least time of three to check a squared error of n elements, after one call that compiles."""
    loss = losses.ALL["squared_error"]
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))
    checker(loss.function, tuple(x[:8] for x in inputs), loss.reference)
    found = []
    for _ in range(3):
        start = time.perf_counter()
        checker(loss.function, inputs, loss.reference)
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    warnings.simplefilter("ignore")  # gradcheck's, about inputs that it would rather have otherwise
    print(f"# The audit beside gradcheck, {date.today()}\n\n{processor()}; torch {torch.__version__}.\n")
    rows, passed = [], {}
    for title, checker in CHECKERS.items():
        passed[title] = [name for name, given in tqdm(WRONG_FUNCTIONS.items(), desc=title) if checker(*given)]
        alarms = [name for name, given in tqdm(RIGHT_FUNCTIONS.items(), desc=title) if not checker(*given)]
        caught = f"{len(WRONG_FUNCTIONS) - len(passed[title])} of {len(WRONG_FUNCTIONS)}"
        said = f"{len(alarms)} of {len(RIGHT_FUNCTIONS)}" + (f" ({', '.join(alarms)})" if alarms else "")
        small = duration(seconds(checker, 4096))
        large = duration(seconds(checker, 1 << 20)) if checker is not checked else "not tried: n² elements"
        rows.append([title, caught, said, small, large])
    columns = ["", "wrong functions caught", "false alarms", "squared error of 4,096", "of 1,048,576"]
    print(markdown(columns, rows))
    for title, names in passed.items():
        if names:
            print(f"\n{title} passes: {', '.join(names)}.")


if __name__ == "__main__":
    main()
