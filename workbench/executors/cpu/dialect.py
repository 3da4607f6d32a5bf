"""CUDA's dialect of Python, as the executor sees it: which operations make threads of a block work together.

The statements here extend Python's own syntax tree. Reading a kernel and bringing it into normal form leaves nothing
else that synchronises.
"""

from __future__ import annotations

import ast

WARP = 32
"""Threads in a warp."""

INDEX_NAMES = tuple(f"{what}__{axis}" for what in ("threadIdx", "blockIdx", "gridDim") for axis in "xyz")
"""The variables that tell one thread from another; a block's shape is a constant."""

BARRIERS = {"syncthreads": "block", "syncwarp": "warp"}
"""Operations that only wait, and for whom."""

EXCHANGES = {
    "shfl_sync": "warp",
    "shfl_up_sync": "warp",
    "shfl_down_sync": "warp",
    "shfl_xor_sync": "warp",
    "any_sync": "warp",
    "all_sync": "warp",
    "eq_sync": "warp",
    "ballot_sync": "warp",
    "match_any_sync": "warp",
    "match_all_sync": "warp",
    "activemask": "warp",
    "syncthreads_count": "block",
    "syncthreads_and": "block",
    "syncthreads_or": "block",
}
"""Operations in which each thread hands out a value and gets one back, and among whom."""

SHUFFLES = ("shfl_sync", "shfl_up_sync", "shfl_down_sync", "shfl_xor_sync")

FENCES = ("threadfence", "threadfence_block", "threadfence_system", "nanosleep")
"""Operations that order memory or pass time: nothing is to be done, since a processor's own thread keeps its order."""


class Barrier(ast.stmt):
    """Wait until the threads of the block are here, or those of the warp that ``mask`` names (all without one)."""

    _fields = ("mask",)

    def __init__(self, scope: str = "", line: int = 0, mask: ast.expr | None = None, file: str = "") -> None:
        super().__init__()
        self.scope, self.lineno, self.mask, self.file = scope, line, mask, file


class Exchange(ast.stmt):
    """``target = operation(value, lane)``: hand out ``value``, wait, and get what the others' values make.

    ``lane`` is the second argument of a shuffle, None for the other operations; ``mask`` names the lanes that take
    part, None where all of the warp or of the block do.
    """

    _fields = ("value", "lane", "mask")

    def __init__(
        self,
        operation: str = "",
        target: str = "",
        value: ast.expr | None = None,
        lane: ast.expr | None = None,
        mask: ast.expr | None = None,
        line: int = 0,
        file: str = "",
    ) -> None:
        super().__init__()
        self.operation, self.target, self.lineno, self.file = operation, target, line, file
        self.value, self.lane, self.mask = value, lane, mask

    @property
    def scope(self) -> str:
        return EXCHANGES[self.operation]


class Scope(ast.stmt):
    """Statements that a Leave with the same label goes to the end of: the body of an inlined device function."""

    _fields = ("body",)

    def __init__(self, label: str = "", body: list[ast.stmt] | None = None, line: int = 0) -> None:
        super().__init__()
        self.label, self.body, self.lineno = label, body or [], line


class Leave(ast.stmt):
    """Go to the end of the Scope with this label."""

    _fields = ()

    def __init__(self, label: str = "", line: int = 0) -> None:
        super().__init__()
        self.label, self.lineno = label, line


def result_of(label: str) -> str:
    """The variable in which the device function that is written out under a label leaves its result."""
    return f"result__{label}"


def file_of(node: ast.AST) -> str:
    """The file of the device function that a statement or expression was written out from; empty for the kernel's."""
    return getattr(node, "file", "")


def synchronises(node: ast.AST) -> bool:
    """Whether threads wait for each other anywhere in a statement in normal form."""
    return any(isinstance(n, (Barrier, Exchange)) for n in ast.walk(node))


def name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def assign(target: str, value: ast.expr, line: int) -> ast.Assign:
    return ast.Assign([ast.Name(target, ast.Store())], value, lineno=line)


def loads(node: ast.AST) -> set[str]:
    """The names that a statement or expression reads."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    found |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return found


def stores(node: ast.AST) -> set[str]:
    """The names that a statement binds."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found | {n.target for n in ast.walk(node) if isinstance(n, Exchange)}
