"""Random kernels of arithmetic, without threads that meet: ``random_arithmetic(seed)``.

Integers come from the corners of their types, floats with NaN, infinities and zeros of both signs among them. Where a
result is not defined, as for a shift by 64 or an int of NaN, no kernel goes.
"""

from __future__ import annotations

import random
import re

import numpy as np
from random_kernels import Case

N = 64

CORNERS = [0, 1, -1, 2, -2, 3, 7, -7, 31, 63, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63), -(2**32)]

INTEGERS = [
    "({a} + {b})", "({a} - {b})", "{a} * {b}", "({a} // {b})", "({a} % {b})", "{a} // {c}", "{a} % -{c}", "({a} & {b})",
    "({a} | {b})", "({a} ^ {b})", "({a} << {s})", "({a} >> {s})", "({a} >> ({b} & 31))", "(1 << ({a} & 31))", "-{a}",
    "~{a}", "abs({a})", "min({a}, {b})", "max({a}, {b}, {c})", "({a} if {q} else {b})", "({a} and {b})", "({a} or {c})",
    "int({q})", "int32({a})", "int64({q})", "({a} ** {e})", "({q} + {p})", "({a} & 255) * {c}", "(t - {c})", "-t % {c}",
    "t // {c} * {c}", "(t & {b})", "(t << {s})", "int({d} * 3.0) % 9", "round({g} % 9.0)", "(i - {c}) // {c}",
    "({a}) ** ({b} & 3)", "(not {a})", "uint32({a})", "(uint32({a}) >> {s})",
]  # fmt: skip

TESTS = [
    "{a} < {b}", "{a} >= {b}", "{a} == {c}", "{a} != {b}", "{a} < {b} <= {c}", "({p} and {q})", "({p} or {q})",
    "(not {p})", "{f} < {g}", "{f} <= {d}", "{d} == {d}", "{f} != 0", "{f} > {a}", "bool({a})", "-1 < {f} <= 1.5",
    "math.isnan({g})", "t < {a}", "{a} & 1 == {b} & 1", "{d} > 0.1", "{f} > 0.1", "True",
]  # fmt: skip

SINGLES = [
    "({f} + {h})", "({f} - {h})", "{f} * {h}", "{f} / {h}", "-{f}", "abs({f})", "min({f}, {h})", "max({f}, {h})",
    "({f} if {q} else {h})", "({f} % {h})", "({f} // {h})", "{f} ** 2", "({f}) ** 3", "{f} ** {e}", "{f} ** -2",
    "math.sqrt({f})", "math.floor({f})", "math.copysign({f}, x[t])", "math.fabs({f})", "float32({a})", "float32({d})",
    "math.fmod({f}, {h})", "x.dtype.type({c})", "x.dtype.type(0.3) * {f}", "({f} + float32(0.1))", "x[{a} % 64]",
    "float32({q})", "math.ceil({f}) * {h}",
]  # fmt: skip

DOUBLES = [
    "({d} + {g})", "({d} - {f})", "{d} * {a}", "{d} / {g}", "{a} / {b}", "-{d}", "{f} * 0.1", "{f} * {a}", "2 * {f}",
    "({a} + {f}) / {c}", "max({d}, {f})", "min({f}, {a})", "({d} if {q} else 0.0)", "({f} if {q} else {g})",
    "({d} % {g})", "({d} // 3.0)", "{d} ** 2", "{d} ** {e}", "math.sqrt({a})", "math.floor({d})", "float({a})",
    "float64({f})", "math.exp({d} % 3.0)", "math.sin({d} % 9.0)", "math.pow({d} % 3.0, 2.5)", "({a} ** 2) / 2",
    "y[{a} % 64]", "{f} % 2", "{f} // {c}", "math.atan2({d}, {g})", "1.5e3", "(1 / {c})", "{d} ** 0.5",
]  # fmt: skip


def random_arithmetic(seed: int) -> Case:
    writer = _Writer(random.Random(seed))
    source = writer.module()
    values = np.random.default_rng(seed)
    floats = np.concatenate([values.normal(0, 4, N - 8), [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, 2.5, -1e30]])
    arguments = {
        "x": values.permutation(floats).astype(np.float32),
        "y": values.permutation(floats),
        "p": _integers(values, np.int64),
        "q": _integers(values, np.int32),
        "m": int(values.integers(-9, 9)),
        "out_i": np.zeros((3, N), np.int64),
        "out_f": np.zeros((2, N), np.float32),
        "out_d": np.zeros((2, N)),
    }
    return Case(source, (2, 1, 1), (32, 1, 1), 0, arguments)


def _integers(values, dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    corners = values.choice([c for c in CORNERS if low <= c <= high], N // 2)
    return values.permutation(np.concatenate([corners, values.integers(-50, 50, N // 2)])).astype(dtype)


class _Writer:
    def __init__(self, r: random.Random) -> None:
        self.r = r
        self.lines: list[str] = []
        self.loops = 0

    def module(self) -> str:
        r = self.r
        self.devices = r.random() < 0.4
        self.lines = [
            "import math",
            "",
            "from numba import cuda, float32, float64, int32, int64, uint32",
            "",
            "STEP = 3",
        ]
        self.lines += ["HALF = 0.5", "", ""]
        if self.devices:
            self._device()
        self.lines += ["@cuda.jit", "def k(x, y, p, q, m, out_i, out_f, out_d):"]
        self.put(1, "i = cuda.grid(1)")
        self.put(1, "t = cuda.threadIdx.x")
        self.put(1, "a0, a1 = p[i], q[i]")
        self.put(1, f"a2 = {r.choice(['m', '5', 'int64(q[i])', 't'])}")
        self.put(1, "f0, f1 = x[i], x[(i + 7) % 64]")
        self.put(1, "d0, d1 = y[i], y[i ^ 63]")
        for _ in range(r.randint(1, 5)):
            self.statement(1)
        for k in range(3):
            self.put(1, f"out_i[{k}, i] = a{k}")
        for k in range(2):
            self.put(1, f"out_f[{k}, i] = f{k}")
            self.put(1, f"out_d[{k}, i] = d{k}")
        return "\n".join(self.lines) + "\n"

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def _device(self) -> None:
        r = self.r
        self.lines += ["@cuda.jit(device=True)", "def helper(a0, a1, f0, d0, x):"]
        names = {"a2": "STEP", "f1": "x[5]", "d1": "HALF", "t": "(a1 & 31)", "i": "7", "m": "a0", "p": "x", "y": "x"}
        body = [f"return {self.single(1)}"]
        if r.random() < 0.6:
            body = [f"if {self.test(1)}:", f"    return {self.single(1)}", *body]
        for line in body:
            for name, stand_in in names.items():
                line = _renamed(line, name, stand_in)
            self.put(1, line)
        self.lines += ["", ""]

    def statement(self, depth: int) -> None:
        r = self.r
        kind = r.choice(["assign"] * 6 + ["augment"] * 2 + ["if", "for", "while", "swap", "write", "call"])
        if kind == "if" and depth < 4:
            self.put(depth, f"if {self.test(2)}:")
            self.body(depth)
            if r.random() < 0.3:
                self.put(depth, f"elif {self.test(1)}:")
                self.body(depth)
            if r.random() < 0.5:
                self.put(depth, "else:")
                self.body(depth)
        elif kind == "for" and depth < 4:
            self.loop(depth)
        elif kind == "while" and depth < 4:
            self.loops += 1
            c = f"c{self.loops}"
            self.put(depth, f"{c} = {self.integer(1)} % {r.randint(2, 6)}")
            self.put(depth, f"while {c} < {r.randint(3, 6)}:")
            self.put(depth + 1, f"{c} += {r.choice(['1', '2', 'STEP'])}")
            self.body(depth)
        elif kind == "swap":
            self.put(depth, r.choice(["a0, a2 = a2, a0 + 1", "f0, f1 = f1, f0", "d0, d1 = d1 + d0, d0"]))
        elif kind == "write":
            self.put(depth, f"out_d[0, i] {r.choice(['=', '+=', '*=', '-=', '/='])} {self.double(1)}")
        elif kind == "call" and self.devices:
            self.put(depth, f"f1 = helper({self.integer(1)}, a1, {self.single(1)}, {self.double(0)}, x)")
        elif kind == "augment":
            self.put(depth, self.augmented())
        else:
            self.put(depth, self.assignment())

    def assignment(self) -> str:
        k = self.r.randint(0, 1)
        forms = [
            f"a{k * 2} = int64({self.integer(3)})",
            f"f{k} = float32({self.single(2)})",
            f"d{k} = float64({self.double(3)})",
            f"a0 = {self.integer(2)} + 0",
            f"f{k} = {self.single(2)}",
            f"d{k} = {self.double(2)} + 0.0",
        ]
        return self.r.choice(forms)

    def augmented(self) -> str:
        r = self.r
        return r.choice(
            [
                f"a0 {r.choice(['+=', '-=', '*=', '//=', '%=', '&=', '|=', '^='])} {self.integer(1)}",
                f"a0 {r.choice(['<<=', '>>='])} {r.randint(0, 40)}",
                f"f0 {r.choice(['+=', '-=', '*=', '/='])} {self.single(1)}",
                f"d0 {r.choice(['+=', '-=', '*=', '/=', '//=', '%=', '**='])} {r.choice([self.double(1), '2'])}",
                f"out_i[1, i] {r.choice(['+=', '-=', '*=', '//=', '%='])} {self.integer(1)}",
            ]
        )

    def body(self, depth: int) -> None:
        for _ in range(self.r.randint(1, 3)):
            self.statement(depth + 1)
        if self.loops and self.r.random() < 0.2 and self.in_loop:
            self.put(depth + 1, self.r.choice(["break", "continue"]))

    in_loop = False

    def loop(self, depth: int) -> None:
        r = self.r
        self.loops += 1
        j = r.choice([f"j{self.loops}", f"j{self.loops}", "j"])
        head = r.choice(
            [
                f"range({r.randint(0, 5)})",
                f"range({self.integer(1)} % 5)",
                f"range({r.randint(-3, 3)}, {self.integer(1)} % 4)",
                f"range({r.randint(0, 3)}, {r.randint(2, 9)}, {r.choice(['1', '2', 'STEP', 't % 3 + 1'])})",
                f"range({r.randint(2, 6)}, {r.randint(-3, 2)}, -{r.randint(1, 2)})",
                "(1, 2, 4)",
                "(0.5, 2.0)",
            ]
        )
        if head == "(0.5, 2.0)":
            j = f"j{self.loops}"
        self.put(depth, f"for {j} in {head}:")
        saved, self.in_loop = self.in_loop, True
        if head == "(0.5, 2.0)":
            self.put(depth + 1, f"d1 = d1 * {j}")
        else:
            self.put(depth + 1, r.choice([f"a2 += {j}", f"a2 = a2 * 3 + {j}", f"f1 = f1 * x[{j} % 9]"]))
        self.body(depth)
        self.in_loop = saved

    # -- expressions

    def integer(self, depth: int) -> str:
        if depth == 0:
            leaves = ["a0", "a1", "a2", "t", "i", "m", "2", "-3", "7", "STEP", "0x7f", "2147483647", "p[t]"]
            return self.r.choice(leaves)
        return self.filled(self.r.choice(INTEGERS), depth - 1)

    def test(self, depth: int) -> str:
        return self.filled(self.r.choice(TESTS), max(depth - 1, 0))

    def single(self, depth: int) -> str:
        return self.r.choice(["f0", "f1", "x[t]"]) if depth == 0 else self.filled(self.r.choice(SINGLES), depth - 1)

    def double(self, depth: int) -> str:
        leaves = ["d0", "d1", "0.1", "HALF", "y[t]", "2.0"]
        return self.r.choice(leaves) if depth == 0 else self.filled(self.r.choice(DOUBLES), depth - 1)

    def filled(self, form: str, depth: int) -> str:
        shallow = max(depth, 0)
        makers = {
            "a": self.integer, "b": self.integer, "d": self.double, "g": self.double, "f": self.single,
            "h": self.single, "p": self.test, "q": self.test,
        }  # fmt: skip
        parts = {name: make(shallow) for name, make in makers.items() if "{" + name + "}" in form}
        parts |= {"c": str(self.r.randint(1, 9)), "s": str(self.r.randint(0, 31)), "e": str(self.r.randint(0, 5))}
        if self.r.random() < 0.1:
            parts["e"] = "(a2 & 7)"
        wrapped = {name: _wrapped(part) for name, part in parts.items()}
        return form.format(**wrapped)


def _wrapped(part: str) -> str:
    return part if part.replace("_", "").isalnum() or (part.endswith("]") and part[1] == "[") else f"({part})"


def _renamed(line: str, name: str, stand_in: str) -> str:
    return re.sub(rf"\b{name}\b", stand_in, line)
