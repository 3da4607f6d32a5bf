"""Kernels in C++ against the CPU executor, on random kernels.

``python tests/test_translate_fuzz.py 2000 0`` runs 2000 kernels from seed 0 on, and prints what differs, with its seed
and source. A third number is that of processes. Every third kernel is one whose threads meet, the others are
arithmetic.
"""

from __future__ import annotations

import ast
import collections
import gc
import linecache
import multiprocessing
import os
import re
import sys
import tempfile
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import ported_kernels
from numba.cpython import numbers
from random_arithmetic import random_arithmetic
from random_kernels import Case, random_case
from tqdm import tqdm

import workbench as wb
from workbench.errors import PortError
from workbench.executors.cpu import compile as compiling
from workbench.executors.cpu import run
from workbench.porting.translation import _translate, translate
from workbench.tensors import argument_type

BATCH = 20
"""Kernels that g++ compiles together."""


TWINS = 4
"""One in so many kernels is inferred for float64 too; the others for the types of their arguments alone."""


def case_of(seed: int) -> Case:
    if seed % 3 < 2:
        return random_arithmetic(seed)
    case = random_case(seed)
    # the elements that a block has more than threads, counted from the end: C++ does not, and is warned of
    source = re.sub(r"\bs\[tid - \d+\]", "s[tid]", case.source)
    tree = _Votes().visit(ast.parse(source))
    return replace(case, source=ast.unparse(ast.fix_missing_locations(tree)) + "\n")


class _Votes(ast.NodeTransformer):
    """Numba takes an integer for a vote of the block, and the CPU executor a bool too."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if ast.unparse(node.func).startswith("cuda.syncthreads_"):
            node.args = [ast.Call(ast.Name("int32", ast.Load()), node.args, [])]
        return node


def kernel_of(source: str, seed: int):
    file = f"<random kernel {seed}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict = {}
    exec(compile(source, file, "exec"), namespace)
    return namespace["k"]


def compare(seeds: list[int]) -> list[tuple[int, str, str]]:
    """For each seed what came of it: equal, refused, warned or different, and why."""
    gc.disable()  # a tenth of the time that Numba takes
    options, flags = compiling._options, numbers._int_arith_flags
    compiling._options = lambda *given: options(*given) | {"fastmath": False}
    # an int64 that overflows wraps round, as with g++ -fwrapv; Numba lets LLVM take it that none does
    numbers._int_arith_flags = lambda kind: []
    np.seterr(all="ignore")
    try:
        return list(_compared(seeds))
    finally:
        compiling._options, numbers._int_arith_flags = options, flags
        run._compiled.clear()
        gc.enable()


def _compared(seeds: list[int]):
    ready = []
    for seed in seeds:
        case = case_of(seed)
        kernel = kernel_of(case.source, seed)
        try:
            translation = _translated(kernel, tuple(map(argument_type, case.arguments.values())), seed % TWINS == 0)
        except PortError as problem:
            yield seed, "refused", str(problem)
            continue
        except Exception as problem:
            yield seed, "different", f"the translator fails: {type(problem).__name__}: {problem}"
            continue
        if any("may be negative" in warning for warning in translation.warnings):
            yield seed, "warned", "an index that may be negative could write anywhere"
            continue
        wanted = _copies(case)
        try:
            wb.launch(kernel[case.grid, case.block, 0, case.shared_bytes], *wanted)
        except Exception as problem:
            yield seed, "executor", f"{type(problem).__name__}: {problem}"
            continue
        ready.append((seed, case, translation, wanted))
    if not ready:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            library = ported_kernels.compiled(_source(ready), Path(folder))
        except AssertionError as problem:
            if len(ready) == 1:
                yield ready[0][0], "different", f"g++: {str(problem)[:1500]}"
                return
            for seed, *_ in ready:  # which one is it?
                yield from _compared([seed])
            return
        for seed, case, translation, wanted in ready:
            found = _copies(case)
            sizes = case.grid, case.block, case.shared_bytes
            try:
                ported_kernels.call(library, f"k{seed}", translation, sizes, found)
                problems = _differences(case, found, wanted)
            except RuntimeError as problem:
                problems = [str(problem)]
            if not problems:
                yield seed, "equal", ""
            else:
                yield seed, "different", "\n".join(problems)


def _translated(kernel, argument_types: tuple, twin: bool):
    return translate(kernel, argument_types) if twin else _translate((kernel, kernel), argument_types, argument_types)


def _source(ready: list) -> str:
    parts = ['#include "port.cuh"\n\nusing namespace port;\n', ported_kernels.CALLER]
    for seed, _, translation, _ in ready:
        text = "\n".join([source for _, source in translation.devices] + [translation.source])
        caller = ported_kernels.caller_of(translation, f"k{seed}")
        parts.append(f"namespace of_{seed} {{\n{text}\n{caller}\n}}")
    return "\n".join(parts)


def _copies(case: Case) -> list:
    return [value.copy() if isinstance(value, np.ndarray) else value for value in case.arguments.values()]


def _differences(case: Case, found: list, wanted: list) -> list[str]:
    problems = []
    for name, x, y in zip(case.arguments, found, wanted, strict=True):
        if isinstance(x, np.ndarray):
            same = (x == y) | ((x != x) & (y != y))
            if not same.all():
                at = np.argwhere(~same)[0].tolist()
                problems.append(f"{name} at {at}: {x[tuple(at)]!r}, not {y[tuple(at)]!r}")
    return problems


def test_random_kernels():
    outcomes = compare(list(range(6)))
    wrong = [
        f"{seed}: {why}\n{case_of(seed).source}" for seed, what, why in outcomes if what in ("different", "executor")
    ]
    assert not wrong, "\n".join(wrong)
    assert sum(what == "equal" for _, what, _ in outcomes) >= 4


def main(count: int, first: int, processes: int = 1) -> None:
    todo = [list(range(s, min(s + BATCH, first + count))) for s in range(first, first + count, BATCH)][::-1]
    outcomes: collections.Counter = collections.Counter()
    reasons: collections.Counter = collections.Counter()
    with tqdm(total=count) as bar:
        while todo:
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(processes, spawn, max_tasks_per_child=5) as pool:
                running = {}
                while todo or running:
                    while todo and len(running) < processes:
                        batch = todo.pop()
                        running[pool.submit(compare, batch)] = batch
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        batch = running.pop(future)
                        try:
                            found = future.result()
                        except BrokenProcessPool:
                            break
                        _report(found, outcomes, reasons, bar)
                    else:
                        continue
                    # one of these kernels ended its process; alone, it tells which
                    again = [seed for each in (batch, *running.values()) for seed in each]
                    alone = len(again) == 1
                    if alone:
                        _report([(again[0], "different", "the process died")], outcomes, reasons, bar)
                    todo += [] if alone else [[seed] for seed in again]
                    break
    print(f"{count} kernels: " + ", ".join(f"{number} {what}" for what, number in outcomes.most_common()))
    for reason, number in reasons.most_common(25):
        print(f"{number:5} {reason}")


def _report(found: list, outcomes: collections.Counter, reasons: collections.Counter, bar: tqdm) -> None:
    for seed, what, why in found:
        outcomes[what] += 1
        if what == "refused":
            reasons[re.sub(r"<.*?>:\d+: ", "", re.sub(r"`.*`", "*", why))] += 1
        if what in ("different", "executor"):
            bar.write(f"# seed {seed}: {what}: {why}\n{case_of(seed).source}", sys.stdout)
    bar.update(len(found))
    bar.set_postfix(outcomes)
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ["WORKBENCH_CACHE"] = ""
    main(*map(int, sys.argv[1:]))
