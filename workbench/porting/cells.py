"""The cells that a notebook has run, read as one module."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Sequence

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Cells:
    """``source`` is the module's text. Cells with magics or with errors in them are left out.

    So is a function or class that a later cell defines anew, as when a cell was mended and run again; one called ``_``
    stays, since nobody asks for it by name.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        kept: list[tuple[int, list[str]]] = []
        defined: set[str] = set()
        for number, cell in reversed(list(enumerate(cells))):
            try:
                tree = ast.parse(cell)
            except SyntaxError:
                continue
            lines = cell.splitlines()
            own = [node for node in tree.body if isinstance(node, _DEFINITIONS)]
            for node in own:
                if node.name in defined:
                    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                    lines[first - 1 : node.end_lineno] = [""] * (node.end_lineno - first + 1)
            defined |= {node.name for node in own} - {"_"}
            kept.insert(0, (number, lines))
        self._numbers = [number for number, _ in kept]
        self._begins = [1]
        for _, lines in kept:
            self._begins.append(self._begins[-1] + len(lines))
        self.source = "\n".join(line for _, lines in kept for line in lines)

    def place(self, line: int) -> str:
        """Where a line of the source stands: the cell's number, as the notebook shows it, and the line in the cell."""
        which = bisect_right(self._begins, line) - 1
        return f"In [{self._numbers[which]}], line {line - self._begins[which] + 1}"
