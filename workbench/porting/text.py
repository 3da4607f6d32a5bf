"""What the syntax tree leaves out of a kernel's source: comments, parentheses, and how a number was written."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable


class Text:
    """The source of a function; lines are numbered as in its file, and columns as ``function_tree`` has them."""

    def __init__(self, function: Callable) -> None:
        lines, first = inspect.getsourcelines(function)
        source = textwrap.dedent("".join(lines))
        self.first = max(first, 1)
        self.lines = [line.encode() for line in source.splitlines()]
        self.comments: dict[int, tuple[int, str]] = {}
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                self.comments[token.start[0] + self.first - 1] = (
                    token.start[1],
                    commented(token.string.lstrip("#").lstrip()),
                )

    def stands_alone(self, line: int) -> bool:
        """Whether a line has nothing but a comment."""
        return self.lines[line - self.first].lstrip().startswith(b"#")

    def trailing(self, node: ast.stmt) -> str | None:
        """The comment at the end of a statement's first line, or of its last where it is a simple one."""
        ends = [node.lineno] if hasattr(node, "body") else [node.lineno, node.end_lineno]
        for line in ends:
            if line in self.comments and not self.stands_alone(line):
                return self.comments[line][1]
        return None

    def above(self, after: int, before: int, column: int = 0) -> list[str]:
        """The comments on lines of their own between two lines, not further left than a column."""
        return [
            text
            for line, (at, text) in self.comments.items()
            if after < line < before and at >= column and self.stands_alone(line)
        ]

    def segment(self, node: ast.expr) -> str:
        """The source of an expression on one line."""
        if node.lineno != node.end_lineno:
            return ast.unparse(node)
        return self.lines[node.lineno - self.first][node.col_offset : node.end_col_offset].decode()

    def has_parentheses(self, node: ast.expr) -> bool:
        """Whether an operand stands in parentheses of its own."""
        before = self.lines[node.lineno - self.first][: node.col_offset].rstrip()
        after = self.lines[node.end_lineno - self.first][node.end_col_offset :].lstrip()
        return before.endswith(b"(") and after.startswith(b")")

    def is_elif(self, node: ast.If) -> bool:
        """Whether an ``if`` was written as ``elif``."""
        return self.lines[node.lineno - self.first][node.col_offset :].startswith(b"elif")


def commented(line: str) -> str:
    """A line as a C++ comment has it, which a backslash at the end would lead on to the next line."""
    line = line.rstrip()
    return f"{line} ." if line.endswith("\\") else line
