"""The CPU executor against an oracle, on random kernels.

``python tests/test_random_kernels.py 5000 0`` runs 5000 kernels from seed 0 on, and every fourth of them state by state
too, and prints what differs, with its seed and source. A third number is that of processes.
"""

from __future__ import annotations

import gc
import linecache
import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import wait

import numpy as np
import oracle
import pytest
from everyday import everyday
from random_kernels import Case, random_case
from tqdm import tqdm

import workbench as wb
from workbench.executors.cpu import compile as compiling
from workbench.executors.cpu import run
from workbench.executors.cpu.uniform import NotUniform

SECONDS = 120
"""How long one kernel may take; no kernel here has an endless loop."""

RESTART = 150
"""Kernels after which a process is replaced, since Numba keeps all that it compiled."""


def kernel_of(source: str):
    file = f"<random kernel {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict = {}
    exec(compile(source, file, "exec"), namespace)
    return namespace["k"]


def _no_plan(*_):
    raise NotUniform


def executed(case: Case, state_by_state: bool = False) -> dict:
    arguments = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in case.arguments.items()}
    kernel, plan = kernel_of(case.source), compiling.Plan
    if state_by_state:
        compiling.Plan = _no_plan
    try:
        wb.launch(kernel[case.grid, case.block, 0, case.shared_bytes], *arguments.values())
    finally:
        compiling.Plan = plan
        run._compiled.clear()
    return {n: v for n, v in arguments.items() if isinstance(v, np.ndarray)}


def expected(case: Case) -> dict:
    """What the oracle finds; Illegal if the result depends on the threads' order or on what nobody wrote."""
    given = case.source, "k", case.grid, case.block, case.arguments
    first = oracle.expected(*given, order=1, poison=7777, shared_bytes=case.shared_bytes)
    other = oracle.expected(*given, order=-1, poison=-333, shared_bytes=case.shared_bytes)
    if differences(first, other, 0, 0):
        raise oracle.Illegal(f"depends on the order: {differences(first, other, 0, 0)}")
    return first


def differences(found: dict, wanted: dict, single: float = 1e-4, double: float = 1e-9) -> list[str]:
    """The arrays that differ: integers at all, floats by more than rounding."""
    tolerance = {np.dtype(np.float32): single, np.dtype(np.float64): double}
    return [
        f"{name} at {np.argwhere(~same)[0].tolist()}: {found[name][~same][0]}, not {array[~same][0]}"
        for name, array in wanted.items()
        if not (same := np.isclose(found[name], array, tolerance.get(array.dtype, 0), 0)).all()
    ]


def check(case: Case, forms: tuple[bool, ...]) -> list[str]:
    """What is wrong in each form, or with the kernel."""
    try:
        wanted = expected(case)
    except oracle.Illegal as problem:
        return [f"illegal kernel: {problem}"]
    problems = []
    for form in forms:
        label = "state by state: " if form else "as launched: "
        try:
            problems += [label + d for d in differences(executed(case, form), wanted)]
        except Exception as error:
            problems.append(f"{label}{type(error).__name__}: {error}")
    return problems


@pytest.mark.parametrize("seed", everyday(range(20), 2))
def test_random_kernel(seed):
    case = random_case(seed)
    found = executed(case, state_by_state=seed % 4 == 3)
    assert not differences(found, expected(case)), case.source


def _work(seeds: list[int], pipe) -> None:
    gc.disable()  # a tenth of the time that Numba takes
    for seed in seeds:
        signal.alarm(SECONDS)
        pipe.send((seed, None))
        try:
            problems = check(random_case(seed), (False, True) if seed % 4 == 3 else (False,))
        except Exception as error:
            problems = [f"generator or oracle: {type(error).__name__}: {error}"]
        pipe.send((seed, problems))


def main(count: int, first: int, processes: int = 1) -> None:
    todo = [list(range(s, min(s + RESTART, first + count))) for s in range(first, first + count, RESTART)][::-1]
    spawn = multiprocessing.get_context("spawn")
    working: dict = {}
    wrong = 0
    with tqdm(total=count) as bar:
        while todo or working:
            while todo and len(working) < processes:
                ours, theirs = spawn.Pipe(False)
                seeds = todo.pop()
                process = spawn.Process(target=_work, args=(seeds, theirs))
                process.start()
                theirs.close()
                working[ours] = [process, seeds, None]
            for pipe in wait(list(working)):
                try:
                    seed, problems = pipe.recv()
                except EOFError:
                    _, seeds, seed = working.pop(pipe)
                    if seed is None or not seeds:
                        continue
                    problems = ["the process died, or took too long"]
                    todo.append([s for s in seeds if s > seed])
                else:
                    working[pipe][2] = seed if problems is None else None
                    if problems is None:
                        continue
                bar.update()
                if problems:
                    wrong += 1
                    report = "\n".join(problems)
                    bar.write(f"# seed {seed}\n{report}\n\n{random_case(seed).source}", sys.stdout)
                    sys.stdout.flush()
    print(f"{count} kernels, {wrong} with a difference")


if __name__ == "__main__":
    os.environ["WORKBENCH_CACHE"] = ""
    main(*map(int, sys.argv[1:]))
