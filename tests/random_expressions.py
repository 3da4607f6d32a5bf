"""Random expressions of random kernels, and the text that they go into.

Every expression is generated with who agrees on its value: BLOCK, WARP or THREAD, and every place in the kernel with
who comes by together.
"""

from __future__ import annotations

import random
from contextlib import contextmanager

import numpy as np

THREAD, WARP, BLOCK = range(3)
OWN, READ, SEGMENT, ADD = "own", "read", "segment", "add"

SHAPES = [(1,), (7,), (8,), (31,), (32,), (33,), (64,), (96,), (8, 4), (3, 5), (16, 4), (4, 2, 3), (8, 4, 3), (5, 7, 2)]
LARGE = [(256,), (1024,), (32, 8), (16, 8, 2)]


SIZE = 37
"""The size of the arrays that a kernel reads."""

INTEGERS = [
    "({a} + {b})", "({a} - {b})", "({a} * {c})", "({a} // {c})", "({a} % {c})", "({a} // -{c})", "({a} & {b})",
    "({a} | {b})", "({a} ^ {b})", "({a} >> {c})", "min({a}, {b})", "max({a}, {b}, {c})", "abs({a})", "(-{a})", "(~{a})",
    "({a} if {q} else {b})", "({a} % 11 * ({b} % 7))", "int({q})", "({a} << 2)",
]  # fmt: skip
TESTS = [
    "{a} < {b}", "{a} >= {b}", "{a} != {b}", "{a} % {c} == 1", "{a} % 2 == 0", "0 <= {a} < {b}", "{a} > {b} >= {c}",
    "({p} and {q})", "({p} or {q})", "not {p}", "{a} & 1",
]  # fmt: skip
FLOATS = [
    "(({f} + {h}) * {half})", "min({f}, {h})", "max({f}, {h})", "({f} * {half} + {eighth})", "math.sqrt({f} * {h})",
    "({f} if {q} else {h})", "({f} / ({h} + {eighth} + {half}))",
]  # fmt: skip


class Expressions:
    def __init__(self, r: random.Random) -> None:
        self.r = r
        self.lines: list[str] = []
        self.depth, self.level, self.budget, self.nesting = 0, BLOCK, 0, 0
        large = r.random() < 0.04
        shape = r.choice(LARGE if large else SHAPES)
        self.block = (*shape, 1, 1)[:3]
        self.threads = int(np.prod(shape))
        self.grid = r.choice([(1, 1, 1), (2, 1, 1), (3, 1, 1), (5, 1, 1), (2, 2, 1)]) if not large else (2, 1, 1)
        self.is_line = self.block[1] == self.block[2] == 1
        self.elements = self.threads + r.choice([0, 0, 5, self.threads])
        self.shared_bytes = 0
        self.names: dict[str, int] = {}  # the integers that can be read, and who agrees on them
        self.phase: dict[str, str] = {}
        self.loops: list[tuple[int, dict, list[str]]] = []
        self.busy: set[str] = set()  # variables of the loops around
        self.devices: list[tuple[str, int, bool]] = []
        self.kernel = False
        self.wild = r.random() < 0.3  # any thread may return anywhere: nobody knows which lanes are there
        self.limit = self.threads  # threads below it are surely there
        self.may_return = False
        self.phases = r.random() < 0.8
        self.uses = {what for what in ("float", "loc", "pair", "row", "sf", "sa", "go") if r.random() < 0.35}

    # -- text

    def put(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def chance(self, probability: float) -> bool:
        return self.r.random() < probability

    def settle(self, phase: dict[str, str]) -> None:
        if self.phase != phase:
            self.put("cuda.syncthreads()" if self.level == BLOCK else "cuda.syncwarp()")
            self.phase = dict(phase)

    @contextmanager
    def inside(self, head: str, level: int):
        saved = self.level, dict(self.phase), dict(self.names), self.limit
        self.put(head)
        self.level, self.depth, self.nesting = level, self.depth + 1, self.nesting + 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.put("pass")
        if self.lines[-1].split()[0] in ("break", "continue", "return"):
            self.phase = dict(saved[1])
        self.settle(saved[1])
        self.depth, self.nesting = self.depth - 1, self.nesting - 1
        self.level, self.phase, self.names = saved[0], saved[1], saved[2]

    # -- expressions: ``who`` agrees on the value

    def integer(self, who: int, depth: int = 2) -> str:
        if depth == 0 or self.chance(0.3):
            return self.leaf(who)
        form = self.r.choice(INTEGERS)
        return self.filled(form, who, depth - 1)

    def filled(self, form: str, who: int, depth: int) -> str:
        parts = {
            "a": lambda: self.integer(who, depth), "b": lambda: self.integer(who, depth),
            "c": lambda: str(self.r.randint(1, 7)),
            "p": lambda: self.test(who, depth), "q": lambda: self.test(who, depth),
        }  # fmt: skip
        return form.format(**{k: part() if "{" + k + "}" in form else "" for k, part in parts.items()})

    def test(self, who: int, depth: int = 1) -> str:
        if self.kernel and self.chance(0.1):  # the same for all threads, though it does not look so
            return self.r.choice([f"tid < {self.limit}" if who == BLOCK else "tid < 4096", "xi[tid % 37] > -1000"])
        simple = [t for t in TESTS if "{p}" not in t and "{q}" not in t]
        return "(" + self.filled(self.r.choice(TESTS if depth else simple), who, max(depth - 1, 0)) + ")"

    def small(self, who: int, depth: int = 2) -> str:
        return f"{self.integer(who, depth)} % {self.r.choice([1009, 97, 13])}"

    def leaf(self, who: int) -> str:
        r = self.r
        found = [str(r.randint(0, 9)), *[v for v, agreed in self.names.items() if agreed >= who] * 2]
        if self.chance(0.25):
            index = self.leaf(who) if self.chance(0.5) else str(r.randint(0, 9))
            found = [f"xi[{index} % {SIZE}]"]
            if self.kernel:
                found += [f"xm[{index} % 5, {r.randint(0, 6)}]", "cuda.gridDim.x"]
                found += [f"row[{index} % 7]"] if "row" in self.uses else []
                if r.random() < 0.2:
                    found += [f"({index} + tid // 4096)"]
            if self.kernel and who == THREAD:
                found += ["cuda.threadIdx.x"]
                found += [f"loc[{index} % 4]"] if "loc" in self.uses else []
                found += ["pair[0]", "pair[1]"] if "pair" in self.uses else []
        if "s" in self.phase and self.chance(0.3):
            phase = self.phase["s"]
            if phase == READ:
                found = [f"s[{r.choice([self.leaf(who), str(r.randint(0, 9))])} % {self.elements}]"]
            elif who == THREAD and (phase == OWN or self.chance(0.2)):
                found = ["s[tid]"]
            elif phase == SEGMENT and who == THREAD:
                found = [f"s[min(tid // 32 * 32 + (lane ^ {r.randint(1, 31)}), {self.threads - 1})]"]
            elif phase == SEGMENT and who == WARP:
                found = ["s[tid // 32 * 32]"]
        if self.phase.get("sa") == READ and self.chance(0.2):
            found = [f"sa[{self.leaf(who)} % 8]"]
        return r.choice(found)

    def real(self, kind: str, who: int = THREAD, depth: int = 2) -> str:
        """A positive float; ``kind`` is f for float32, d for float64, which is not made of computed float32."""
        constant = (lambda text: f"float32({text})") if kind == "f" else (lambda text: text)
        if depth == 0 or self.chance(0.2):
            found = [constant(self.r.choice(["0.5", "1.25", "3.0"])), f"x{kind}[{self.leaf(who)} % {SIZE}]"]
            if who == THREAD:
                found += [f"{kind}0", f"{kind}1"]
                if kind == "d":
                    found += [f"({self.integer(THREAD, 1)} % 50 + 0.25)", "float64(xf[3])"]
                elif self.phase.get("sf") == OWN:
                    found += ["sf[tid]"]
                elif self.phase.get("sf") == READ:
                    found += [f"sf[{self.leaf(THREAD)} % {self.threads}]"] * 2
            return self.r.choice(found)
        form = self.r.choice(FLOATS)
        test = self.test(who) if "{q}" in form else ""
        f, h = self.real(kind, who, depth - 1), self.real(kind, who, depth - 1)
        return form.format(f=f, h=h, q=test, half=constant("0.5"), eighth=constant("0.125"))

    def tid_line(self) -> str:
        if self.is_line:
            return "tid = cuda.threadIdx.x"
        return "tid = cuda.threadIdx.x + cuda.blockDim.x * (cuda.threadIdx.y + cuda.blockDim.y * cuda.threadIdx.z)"
