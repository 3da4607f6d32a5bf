"""Grid-stride loops of neighbouring blocks, run as those of one block with as many threads.

Each block of a grid-stride loop touches 256 elements, say, and then 256 far ahead: the right thing on a GPU, whose
blocks run side by side, and a poor one for a worker that runs them one after the other. Where a kernel is such a loop
and nothing else, so that no block needs to be told from the next, the blocks of a worker become one long one, whose
loop goes through memory in order.
"""

from __future__ import annotations

import ast

from workbench.executors.cpu.dialect import INDEX_NAMES, loads, stores
from workbench.executors.cpu.emit import GRID, Text
from workbench.executors.cpu.fission import Once, Strided, Threads
from workbench.executors.cpu.loops import Loops

THREADS = "threads__"
"""How many threads a stretch of blocks has."""

TOLD_APART = frozenset(INDEX_NAMES[:6])
"""What tells threads and blocks apart."""


class Stretch(Loops):
    """The emitted text of a stretch of blocks."""

    @property
    def is_right(self) -> bool:
        """Whether the kernel's blocks can be run as one."""
        if self.allocations or self.kept.scalars or self.kept.local:
            return False
        return all(self._is_alike(node) for node in self.plan.nodes)

    def _is_alike(self, node: object) -> bool:
        """Whether a node does the same in every block, or goes through the whole grid's elements."""
        if isinstance(node, Once):
            return not any(self._tells_apart(statement) for statement in node.statements)
        if isinstance(node, Threads):
            bound = set().union(*(stores(s) for s in node.statements)) if node.statements else set()
            return not node.guards and bound <= set(self.known.again) and all(map(_is_a_binding, node.statements))
        if not isinstance(node, Strided) or node.threads.guards:
            return False
        first = ast.unparse(node.first)
        from_thread = first in (f"0 + blockIdx__x * {self.threads}", f"blockIdx__x * {self.threads} + 0")
        return from_thread and not any(map(self._tells_apart, (node.stop, node.step, *node.threads.statements)))

    def _tells_apart(self, node: ast.AST) -> bool:
        used = loads(node)
        for variable in reversed(self.known.again):
            if variable in used:
                used |= loads(self.known.again[variable])
        return bool(used & TOLD_APART)

    def text(self, parameters: list[str]) -> Text:
        """The function of a stretch of blocks, the first of which is ``blockIdx__x``."""
        text = Text()
        text.add(0, f"def block({', '.join([*INDEX_NAMES[3:], THREADS, *parameters])}):")
        self._nodes(text, 1, self.plan.nodes, in_warp=False)
        return text

    def _Threads(
        self, text: Text, indent: int, node: Threads, in_warp: bool, limits: tuple[str, str] = ("", "")
    ) -> None:
        if limits[0]:  # what is outside of a loop is worked out again in it
            super()._Threads(text, indent, node, in_warp, limits)

    def _limit(self) -> str:
        return THREADS

    def _prefetch(self, text: Text, indent: int, node: Strided, step: str) -> None:
        """Nothing: what a stretch of blocks reads is in order."""


def _is_a_binding(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and bool(stores(statement))


def emit_stretches(given: list[str], threads: int) -> Text:
    """The loop over the stretches of blocks ``first__`` to ``last__``, one for each row of the grid."""
    text = Text()
    text.add(0, f"def run({', '.join(['first__', 'last__', *GRID, 'dynamic__', *given])}):")
    text.add(1, "while first__ < last__:")
    text.add(2, "blockIdx__x = first__ % gridDim__x")
    text.add(2, "blockIdx__y = first__ // gridDim__x % gridDim__y")
    text.add(2, "blockIdx__z = first__ // (gridDim__x * gridDim__y)")
    text.add(2, "blocks__ = min(last__ - first__, gridDim__x - blockIdx__x)")
    text.add(2, "assume__(blockIdx__x >= 0)")
    text.add(2, f"block__run({', '.join([*INDEX_NAMES[3:], f'blocks__ * {threads}', *given])})")
    text.add(2, "first__ += blocks__")
    return text
