"""The Python text of a value in a typed function, put together again from the steps that compute it."""

from __future__ import annotations

import ast
import contextlib
import math
from typing import Any

from workbench.numba_cuda_compile import Step, TypedFunction

LONGEST = 40
"""Characters of an expression that is quoted; a longer one is cut."""


class Expressions:
    """Quotes the values of one typed function."""

    def __init__(self, typed: TypedFunction) -> None:
        self.by_target: dict[str, Step] = {}
        for step in typed.steps:
            if step.target is not None:
                self.by_target.setdefault(step.target, step)

    def of(self, variable: str) -> str:
        """The text of a variable's value, such as ``x[i + j]``, at most LONGEST characters of it."""
        return shortened(self._text(variable, 0))

    def of_step(self, step: Step) -> str:
        """The text of what a step computes."""
        return shortened(self._step(step, 0))

    def _text(self, variable: str, depth: int) -> str:
        step = self.by_target.get(variable)
        if not variable.startswith("$") or step is None:
            return variable.split(".")[0]
        return "…" if depth > 12 else self._step(step, depth)

    def _step(self, step: Step, depth: int) -> str:
        def text(variable: str) -> str:
            return self._text(variable, depth + 1)

        if step.kind == "constant":
            return quoted(step.what)
        if step.kind == "outside":
            return step.what[0]
        if step.kind == "argument":
            return step.what
        if step.kind == "attribute":
            return f"{text(step.operands[0])}.{step.what}"
        if step.kind == "item":
            index = text(step.operands[1]) if len(step.operands) > 1 else quoted(step.what)
            return f"{text(step.operands[0])}[{index.removeprefix('(').removesuffix(')')}]"
        if step.kind == "call":
            return f"{text(step.what)}({', '.join(map(text, step.operands))})"
        if step.kind == "operator" and len(step.operands) == 1:
            return f"{step.what}({text(step.operands[0])})"
        if step.kind == "operator":
            left, right = map(text, step.operands)
            return f"({left}) {step.what.removesuffix('=') if is_inplace(step) else step.what} ({right})"
        if step.kind == "copy" and step.operands:
            return text(step.operands[0])
        if step.what == "build_tuple":
            return f"({', '.join(map(text, step.operands))})"
        return "…"


def quoted(value: Any) -> str:
    """A constant as it is written, with the names of the special floats."""
    if isinstance(value, float) and not math.isfinite(value):
        return "math.nan" if math.isnan(value) else "math.inf" if value > 0 else "-math.inf"
    return repr(value)


def is_inplace(step: Step) -> bool:
    """Whether the operator is one such as ``+=``."""
    return step.what.endswith("=") and step.what not in ("==", "!=", "<=", ">=")


def shortened(text: str) -> str:
    """The expression with no parentheses but those that it needs, cut where it is long."""
    with contextlib.suppress(SyntaxError):
        text = ast.unparse(ast.parse(text, mode="eval"))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
