"""How many wrong gradients the audit catches, and torch.autograd.gradcheck, and how long each takes.

``python benchmarks/audit.py`` hands both the wrong functions of tests/wrong_gradients.py and tests/wrong_elsewhere.py,
and right ones: torch's own losses and activations, and everything in workbench.losses. It prints Markdown.
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
from cpu_executor import markdown, processor
from right_functions import RIGHT
from tqdm import tqdm
from wrong_elsewhere import CASES
from wrong_gradients import WRONG

import workbench as wb
from workbench import losses
from workbench.bench import duration

WRONG_FUNCTIONS = {w.id: (w.function, w.inputs, w.reference) for w in WRONG}
WRONG_FUNCTIONS |= {name: (case[0], case[2], case[1]) for name, case in CASES.items()}

RIGHT_FUNCTIONS = {name: (f, inputs, f) for name, (f, inputs) in RIGHT.items()}
RIGHT_FUNCTIONS |= {
    loss.name: (loss.function, loss.example(torch.device("cpu")), loss.reference) for loss in losses.ALL.values()
}


def audited(function: Callable, inputs: tuple, reference: Callable) -> bool:
    try:
        return wb.audit(function, *inputs, reference=reference).passed
    except Exception:
        return False


def checked(function: Callable, inputs: tuple, _: Callable, fast: bool = False) -> bool:
    some = any(x.requires_grad for x in inputs)
    doubled = [
        x.detach().double().requires_grad_(x.requires_grad or not some) if x.is_floating_point() else x for x in inputs
    ]
    try:
        return torch.autograd.gradcheck(function, doubled, fast_mode=fast, raise_exception=False)
    except Exception:
        return False


def checked_fast(function: Callable, inputs: tuple, reference: Callable) -> bool:
    return checked(function, inputs, reference, fast=True)


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
