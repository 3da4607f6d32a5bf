"""What a kernel cannot contain, in words: Python's syntax, objects from outside, and what Numba says of the rest."""

from __future__ import annotations

import ast
import re
from typing import Any

from workbench import numba_cuda

COVERED = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For, ast.While, ast.Return, ast.Break, ast.Continue,
    ast.Pass, ast.Expr, ast.Assert, ast.Raise,
)  # fmt: skip
"""The statements of Numba's CUDA dialect."""

LIST = "a kernel has no lists; use a tuple, or cuda.local.array"
DICT = "a kernel has no dicts and sets; pass arrays, or use a tuple"
GENERATOR = "a kernel has no generators; write a loop"
FUNCTION = "a kernel defines no functions; define it outside, with @cuda.jit(device=True)"
NAMES = "a kernel binds no names outside it; write into an array that is an argument"
STRING = "a kernel makes no strings; print takes several values: print('n', n)"

GRID = "the CPU executor has no barrier of the whole grid; split the kernel into two launches, or run it on a GPU"

NOT_COVERED = {
    ast.List: LIST,
    ast.ListComp: LIST,
    ast.Dict: DICT,
    ast.DictComp: DICT,
    ast.Set: DICT,
    ast.SetComp: DICT,
    ast.GeneratorExp: GENERATOR,
    ast.Yield: GENERATOR,
    ast.YieldFrom: GENERATOR,
    ast.Lambda: FUNCTION,
    ast.FunctionDef: FUNCTION,
    ast.AsyncFunctionDef: FUNCTION,
    ast.ClassDef: "a kernel defines no classes",
    ast.Import: "import it outside the kernel",
    ast.ImportFrom: "import it outside the kernel",
    ast.Global: NAMES,
    ast.Nonlocal: NAMES,
    ast.Delete: "nothing in a kernel can be deleted; leave the line out",
    ast.Try: "a kernel catches no exceptions; test for the case with if",
    ast.With: "a kernel enters no contexts",
    ast.Match: "write it with if and elif",
    ast.NamedExpr: "assign on a line of its own",
    ast.Starred: "name each item",
    ast.JoinedStr: STRING,
}
"""Syntax, and what to do instead."""


def of_syntax(node: ast.AST) -> str | None:
    """Why a kernel cannot contain a node of the syntax tree, or None if it can."""
    if isinstance(node, ast.keyword) and node.arg is None:
        return "name each argument"
    if isinstance(node, ast.Raise) and node.cause is not None:
        return "raise it without from"
    reason = NOT_COVERED.get(type(node))
    if reason is None and isinstance(node, ast.stmt) and not isinstance(node, COVERED):
        return "it is not something that a kernel can do"
    return reason


def of_value(value: Any) -> str | None:
    """Why a kernel cannot use an object from outside it, or None if it can."""
    kind, home = type(value).__name__, getattr(value, "__module__", None) or ""
    if isinstance(value, (list, dict, set)):
        return f"is a {kind}; a kernel can take a tuple or a NumPy array from outside it, or arrays as arguments"
    if type(value).__module__.split(".")[0] == "torch" and not callable(value):
        return f"is a {kind}; pass it to the kernel as an argument"
    if numba_cuda.is_foreign(value):
        return "comes from cuda.declare_device, code that only a GPU has; run this kernel on a GPU"
    if "RandomState" in str(getattr(value, "__self__", "")) or home == "random":
        return "draws random numbers for the whole program; a thread draws its own with numba.cuda.random"
    if numba_cuda.is_typed(value):
        return None
    if value is breakpoint:
        return "stops a program that is not compiled; run one block with wb.debug(kernel[grid, block], ...)"
    if isinstance(value, type):
        return "is a type that a kernel does not have"
    if callable(value):
        return (
            "is a function of the host; a kernel can call device functions (@cuda.jit(device=True)), the operations "
            "of cuda, math, and some of NumPy"
        )
    return f"is of the type {kind}, which a kernel does not have; pass numbers and arrays as arguments"


IN_WORDS = {
    r".*(NRT required|_ol_array_allocate|_empty_string).*": (
        "this makes or copies an array or a string, and a thread has no memory for that; write a loop over the elements"
    ),
    r"Only accept returning of array.*": (
        "this returns an array that it makes, and a thread has no memory for that; return numbers, or write into an "
        "array that is an argument"
    ),
    r"No implementation of .*? setitem\(readonly .*": (
        "an array from outside a kernel is a constant there; pass it as an argument to write into it"
    ),
    r"No implementation of .*? bool\(array.*": "an array is neither true nor false; test its elements",
    r"No implementation of function .*? found for signature: (.*)": r"a kernel has no \1",
    r"Cannot bind .* to signature '(.*)' due to \"TypeError: (.*?)\.?\"\.?": r"it takes \1: \2",
    r"Untyped global name '(.*?)': .*": r"'\1' is nothing that a kernel can use",
    r"(.*) Raised from <.*": r"\1",
}
"""What Numba says, as a regular expression, and the same in words."""


def in_words(sentence: str) -> str:
    """What Numba says of a kernel, without the names and types that only Numba knows."""
    for said, plain in IN_WORDS.items():
        if re.fullmatch(said, sentence):
            sentence = re.sub(said, plain, sentence)
            break
    sentence = re.sub(r"Literal\[int\]\((-?\d+)\)", r"\1", sentence)
    sentence = re.sub(r"Literal\[str\]\((.*?)\)", r"'\1'", sentence)
    return re.sub(r"__out\d+\b", "", sentence)
