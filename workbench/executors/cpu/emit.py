"""Emit a kernel for the CPU: readable Python text, which Numba compiles and a person can read.

For a kernel ``k`` with parameters ``x, y`` the text is two functions: what one thread does, and a loop over the
threads of blocks ``first__`` to ``last__``. Numba's compiler puts the one into the other and vectorises the loop:

    def k(threadIdx__x, blockIdx__x, x, y):
        i = blockIdx__x * 256 + threadIdx__x
        if i < x.size:
            y[i] = x[i] * x[i]

    def run(first__, last__, gridDim__x, gridDim__y, gridDim__z, x, y):
        for block__ in range(first__, last__):
            ...
            for threadIdx__x in range(256):
                k(threadIdx__x, blockIdx__x, x, y)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from workbench.executors.cpu.thread import Thread
from workbench.numba_cuda import Dimensions

GRID = ("gridDim__x", "gridDim__y", "gridDim__z")


@dataclass
class Text:
    """Lines of emitted source, and for each the line of the kernel that it came from (None if from none)."""

    lines: list[str] = field(default_factory=list)
    origins: list[int | None] = field(default_factory=list)

    def add(self, indent: int, line: str, origin: int | None = None) -> None:
        self.lines.append("    " * indent + line)
        self.origins.append(origin)

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


def emit_thread(thread: Thread, given: list[str] | None = None) -> Text:
    """The function of one thread: its indices first, then the kernel's own parameters.

    ``given`` are the parameters that a kernel was launched with.
    """
    text = Text()
    defaults = dict(zip(reversed(thread.parameters), reversed(thread.defaults), strict=False))
    if given is None:
        listed = [f"{p}={ast.unparse(defaults[p])}" if p in defaults else p for p in thread.parameters]
    else:
        listed = given
    text.add(0, f"def {thread.name}({', '.join([*thread.indices, *listed])}):")
    add_statements(text, 1, thread.body or [ast.Pass()])
    return text


def emit_run(given: list[str], inner: list[str]) -> Text:
    """The loop over blocks ``first__`` to ``last__`` of the grid, counted through with x fastest.

    ``given`` are the kernel's parameters; ``inner`` the lines that run one block.
    """
    text = Text()
    text.add(0, f"def run({', '.join(['first__', 'last__', *GRID, 'dynamic__', *given])}):")
    text.add(1, "for block__ in range(first__, last__):")
    text.add(2, "blockIdx__x = block__ % gridDim__x")
    text.add(2, "blockIdx__y = block__ // gridDim__x % gridDim__y")
    text.add(2, "blockIdx__z = block__ // (gridDim__x * gridDim__y)")
    for axis in "xyz":
        # an index that is known to be non-negative needs none of Python's wrap-around, and vectorises
        text.add(2, f"assume__(blockIdx__{axis} >= 0)")
        text.add(2, f"assume__(blockIdx__{axis} < 2147483648)")
    for line in inner:
        text.add(2, line)
    return text


def over_threads(thread: Thread, block: Dimensions, given: list[str]) -> list[str]:
    """The lines that run the threads of a block whose threads need not wait for each other."""
    lines = [
        f"{'    ' * depth}for threadIdx__{axis} in range({size}):"
        for depth, (axis, size) in enumerate(zip("zyx", reversed(block), strict=True))
    ]
    return [*lines, f"            thread__({', '.join([*thread.indices, *given])})"]


def add_statements(text: Text, indent: int, statements: list[ast.stmt]) -> None:
    for statement in statements:
        origin = getattr(statement, "lineno", None)
        if isinstance(statement, (ast.If, ast.For, ast.While)):
            head = ast.unparse(type(statement)(**{**vars(statement), "body": [], "orelse": []}))
            text.add(indent, head.splitlines()[0], origin)
            add_statements(text, indent + 1, statement.body)
            if statement.orelse:
                text.add(indent, "else:", origin)
                add_statements(text, indent + 1, statement.orelse)
        else:
            for line in ast.unparse(statement).splitlines():
                text.add(indent, line, origin)
