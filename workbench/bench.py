"""bench: how long does each of several functions take on the same inputs, measured side by side?

The functions take turns, so that a machine that slows down slows all of them down. The first call, which compiles, is
reported apart. What to read is the ratio: seconds are this machine's, today.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from tqdm.auto import tqdm

from workbench.tables import Table


@dataclass(frozen=True)
class Timing:
    """What one function took, in seconds: its first call, and the least and the median of the calls after that."""

    name: str
    first: float
    least: float
    median: float


@dataclass(frozen=True, repr=False)
class Benchmark:
    """The timings of functions that were measured together, in the order in which they were given."""

    timings: tuple[Timing, ...]
    rounds: int

    def __getitem__(self, name: str) -> Timing:
        return next(timing for timing in self.timings if timing.name == name)

    def ratio(self, name: str, to: str) -> float:
        """How many times as long ``name`` takes as ``to``, by their least times."""
        return self[name].least / self[to].least

    @property
    def table(self) -> Table:
        base = self.timings[-1].name
        rows = tuple(
            (t.name, duration(t.least), duration(t.median), f"{self.ratio(t.name, base):.2f}", duration(t.first))
            for t in self.timings
        )
        columns = ("", "least", "median", f"least, to {base}", "first call")
        return Table(f"time of one call, {self.rounds} rounds in turns", columns, rows)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def bench(functions: Mapping[str, Callable[..., Any]], *inputs: Any, rounds: int = 50) -> Benchmark:
    """Call each function with ``inputs``, in turns, ``rounds`` times; the last one is the base of the ratios.

    Where a GPU is in use, each call is waited for, also if its tensors are not among ``inputs``. Returns a Benchmark;
    writes what the functions write.
    """
    on_gpu = torch.cuda.is_initialized()

    def seconds(function: Callable[..., Any]) -> float:
        start = time.perf_counter()
        function(*inputs)
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    if on_gpu:
        torch.cuda.synchronize()
    first = {name: seconds(function) for name, function in functions.items()}
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in tqdm(range(rounds), desc="timing", leave=False):
        for name, function in functions.items():
            taken[name].append(seconds(function))
    timings = (Timing(name, first[name], min(taken[name]), median(taken[name])) for name in functions)
    return Benchmark(tuple(timings), rounds)


def duration(seconds: float) -> str:
    """Seconds as a short text with a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
