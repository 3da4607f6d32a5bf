"""Random kernels that CUDA defines the result of: ``random_case(seed)``."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from random_expressions import ADD, BLOCK, OWN, SIZE, THREAD, WARP
from random_meetings import Meetings

PARAMETERS = "xi, xf, xd, xm, n, m, oi, of, od, go, ga"


@dataclass
class Case:
    """A kernel ``k`` and how to launch it."""

    source: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int
    arguments: dict


def random_case(seed: int) -> Case:
    writer = _Writer(random.Random(seed))
    source = writer.module()
    values = np.random.default_rng(seed)
    total = writer.threads * int(np.prod(writer.grid))
    arguments = {
        "xi": values.integers(-50, 50, SIZE).astype(writer.r.choice([np.int32, np.int64])),
        "xf": values.uniform(0.2, 9, SIZE).astype(np.float32),
        "xd": values.uniform(0.2, 9, SIZE),
        "xm": values.integers(-9, 90, (5, 7)),
        "n": int(values.integers(0, 40)),
        "m": int(values.integers(1, 5)),
        "oi": np.zeros((total, 9), np.int64),
        "of": np.ones((total, 2), np.float32),
        "od": np.ones((total, 2)),
        "go": np.zeros(total * 2 + 5, np.int64),
        "ga": np.zeros((3, 8), np.int64),
    }
    return Case(source, writer.grid, writer.block, writer.shared_bytes, arguments)


class _Writer(Meetings):
    # -- the whole

    def module(self) -> str:
        self.lines = ["import math", "", "from numba import cuda, float32, float64, int32, int64", "", ""]
        for k in range(self.r.choice([0, 0, 1, 2, 3])):
            self._device(f"helper{k}")
        self.put("@cuda.jit")
        self.put(f"def k({PARAMETERS}):")
        self.depth, self.kernel, self.level, self.busy = 1, True, BLOCK, set()
        self.device_level, self.may_return = BLOCK, self.chance(0.4)
        self._begin()
        self.budget = self.r.randint(3, 18) if self.threads < 200 else 8
        while self.budget:
            self.statements(1)
        for line in ("oi[g, 0] = t0", "oi[g, 1] = t1", "oi[g, 2] = t2", "oi[g, 7] = u0 + u1 * 1000", "oi[g, 8] = w0"):
            self.put(line)
        for k in range(2 if "float" in self.uses else 0):
            self.put(f"of[g, {k}] = f{k}")
            self.put(f"od[g, {k}] = d{k}")
        return "\n".join(self.lines) + "\n"

    def _begin(self) -> None:
        n, r = self.threads, self.r
        self.put(self.tid_line())
        self.put(r.choice(["lane = cuda.laneid", "lane = tid % 32"]))
        number = "cuda.blockIdx.x" if self.grid[1] == 1 else "(cuda.blockIdx.x + cuda.gridDim.x * cuda.blockIdx.y)"
        plain = self.is_line and self.grid[1] == 1
        self.put("g = cuda.grid(1)" if plain and self.chance(0.5) else f"g = {number} * {n} + tid")
        self.put(f"total = cuda.gridDim.x * cuda.gridDim.y * {n}")
        self.names = {"tid": THREAD, "lane": THREAD, "g": THREAD, "n": BLOCK, "m": BLOCK, "t0": THREAD, "t1": THREAD}
        self.names |= {"t2": THREAD, "w0": WARP, "u0": BLOCK, "u1": BLOCK}
        self.put("t0, t1, t2 = tid * 7 % 11, lane + 1, 5")
        self.put("w0 = tid // 32")
        self.put(r.choice(["u0 = n % 7", "u0 = cuda.blockIdx.x + 2", "u0 = 3"]))
        self.put("u1 = m")
        uses = self.uses
        if "pair" in uses:
            self.put("pair = (t0, t1)")
        if "row" in uses:
            self.put(r.choice(["row = xm[2]", "row = xm[m]", "row = xm[n % 5]"]))
        if "float" in uses:
            self.put("f0, f1, d0, d1 = xf[tid % 37], float32(1.5), xd[tid % 37], 2.5")
        if "loc" in uses:
            self.put("loc = cuda.local.array(4, int64)")
            self.put("for e in range(4):")
            self.put("    loc[e] = t0 + e")
        if self.chance(0.5):
            self.put("i = j = k = 0")
            self.names |= {"i": THREAD, "j": THREAD, "k": THREAD}
        self._begin_shared()
        self.put("cuda.syncthreads()")

    def _begin_shared(self) -> None:
        n, kind = self.threads, self.r.choice(["int32", "int64"])
        if self.chance(0.25):
            self.shared_bytes = self.elements * int(kind[3:]) // 8
        self.put(f"s = cuda.shared.array({0 if self.shared_bytes else self.elements}, {kind})")
        self.put(f"for e in range(tid, {self.elements}, {n}):")
        self.put("    s[e] = e * 3")
        self.phase = {"s": OWN}
        if {"sf", "float"} <= self.uses:
            self.put(f"sf = cuda.shared.array({n}, float32)")
            self.put("sf[tid] = f0")
            self.phase["sf"] = OWN
        if "sa" in self.uses:
            self.put("sa = cuda.shared.array(8, int64)")
            self.put(f"for e in range(tid, 8, {n}):")
            self.put("    sa[e] = e")
            self.phase["sa"] = ADD
