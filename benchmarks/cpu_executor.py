"""The CPU executor beside what else runs such a calculation without a GPU, measured in one run.

``python benchmarks/cpu_executor.py`` times fourteen kernels (kernels.py), unmodified, on one worker and on two,
against torch eager on one and two threads, torch.compile on one, loops written by hand with numba.njit on one
(by_hand.py; as written, and with sums in any order), and Numba's simulator at a size that it can do. Each kernel's
functions take turns, and the least time of each counts. It prints Markdown; the names of kernels as arguments choose
some of them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import by_hand
import numba
import numpy as np
import torch
from cases import CASES, Case
from tqdm import tqdm

import workbench as wb
from workbench.bench import Benchmark, duration

ROUNDS = 20
RTOL = 1e-4
"""What the results may differ by, relative to one plus their size: sums of 10⁷ float32 in several orders."""


def on_threads(count: int, function: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        torch.set_num_threads(count)
        return function()

    return run


def measure(case: Case) -> tuple[int, float, Benchmark]:
    """The elements of a case, the seconds of the executor's first call, which compiles, and the timings after that.

    Raises ValueError where two ways do not give the same.
    """
    arguments = case.arguments(1)
    before = arguments[case.result].copy()
    kernel = case.kernel[case.shape(arguments)]
    # all on the same memory, so that each finds it in the cache as the one before it left it
    tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments]
    hand = getattr(by_hand, case.name)
    reordered = by_hand.in_any_order(hand.py_func)
    functions = {
        "executor, 1": on_threads(1, lambda: wb.launch(kernel, *arguments)),
        "executor, 2": on_threads(2, lambda: wb.launch(kernel, *arguments)),
        "by hand": lambda: hand(*arguments),
        "in any order": lambda: reordered(*arguments),
        "eager, 2": on_threads(2, lambda: case.torch(*tensors)),
    }
    if case.compiles:
        compiled = torch.compile(case.torch)
        functions["compiled"] = on_threads(1, lambda: compiled(*tensors))
    functions["eager, 1"] = on_threads(1, lambda: case.torch(*tensors))
    expected = case.torch(*tensors).numpy().copy()
    took = []
    for run in (functions["executor, 1"], functions["in any order"]):  # one after the other, 10⁷ float32 sum up badly
        arguments[case.result][:] = before
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
        error = np.max(abs(arguments[case.result] - expected) / (1 + abs(expected)))
        if not error < RTOL:
            raise ValueError(f"{case.name}: the results differ by {error}")
    return arguments[case.elements].size, took[0], wb.bench(functions, rounds=ROUNDS)


def simulated() -> dict[str, list]:
    """What simulated.py measures."""
    script = Path(__file__).with_name("simulated.py")
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def markdown(columns: list[str], rows: list[list[str]], texts: int = 1) -> str:
    """A table whose first ``texts`` columns are texts and whose others are numbers."""
    lines = [columns, ["---"] * texts + ["---:"] * (len(columns) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main(names: list[str]) -> None:
    os.environ["WORKBENCH_CACHE"] = ""  # so that the first call compiles
    chosen = [case for case in CASES if case.name in names or not names]
    measured = {case.name: measure(case) for case in tqdm(chosen, desc="kernels")}
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numba {numba.__version__}"
    print(f"# The CPU executor, {date.today()}\n\n{processor()}; {versions}.\n")
    print(f"Least time of a call, of {ROUNDS} in turns; the number after the comma is that of threads.\n")
    rows, ratios = [], []
    for name, (elements, first, bench) in measured.items():
        times = {t.name: t for t in bench.timings}
        columns = ["executor, 1", "executor, 2", "eager, 1", "eager, 2", "compiled", "by hand", "in any order"]
        shown = [duration(times[c].least) if c in times else "not tried" for c in columns]
        rows.append([name, f"{elements:,}", *shown, duration(first)])
        others = ("eager, 1", "compiled", "by hand", "in any order")
        over = [bench.ratio("executor, 1", c) if c in times else None for c in others]
        shown = [f"{ratio:.2f}" if ratio is not None else "" for ratio in over]
        ratios.append([name, *shown, f"{bench.ratio('executor, 1', 'executor, 2'):.2f}"])
    print(markdown(["kernel", "elements", *columns, "executor's first call, which compiles"], rows))
    print(
        "\nTime of the executor on one worker, over that of the others on one thread; and what a second worker gives.\n"
    )
    against = ["over eager", "over torch.compile", "over by hand", "over by hand in any order"]
    print(markdown(["kernel", *against, "times faster on two"], ratios))
    print(
        "\nNumba's simulator, at a size that it can do, and how many times its time for an element is the executor's.\n"
    )
    rows = []
    for name, (elements, seconds) in simulated().items():
        if name not in measured:
            continue
        size, _, bench = measured[name]
        if isinstance(seconds, str):
            rows.append([name, f"{elements:,}", f"cannot: {seconds}", ""])
            continue
        times = seconds / elements / (bench["executor, 1"].least / size)
        rows.append([name, f"{elements:,}", duration(seconds), f"{times:,.0f}"])
    print(markdown(["kernel", "elements", "simulator", "times as long an element"], rows))
    print(f"\nA launch of one block of 32 threads on three tensors: {duration(overhead(launch_tiny))}; ", end="")
    print(f"`torch.add` of as many with `out`: {duration(overhead(add_tiny))}.")


def overhead(run: Callable[[], object], calls: int = 2000) -> float:
    """The least time of a call of ``run``, over rounds of ``calls`` calls, in seconds."""
    found = []
    for _ in range(6):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        found.append((time.perf_counter() - start) / calls)
    return min(found)


TINY = [torch.ones(32) for _ in range(3)]


def launch_tiny() -> None:
    import kernels

    wb.launch(kernels.huber[1, 32], *TINY)


def add_tiny() -> None:
    torch.add(TINY[0], TINY[1], out=TINY[2])


if __name__ == "__main__":
    main(sys.argv[1:])
