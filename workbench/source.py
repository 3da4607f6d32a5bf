"""A kernel's Python source: its syntax tree, and the values of the names that it takes from outside."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


class SourceError(Exception):
    """The source of a function cannot be read, or names something that does not exist."""


UNKNOWN = object()
"""What :meth:`Names.value` answers for an expression that depends on a parameter or a local variable."""


def file_of(function: Callable) -> str:
    """The file (or notebook cell) that the function was defined in, as error messages name it."""
    return function.__code__.co_filename


def function_tree(function: Callable) -> ast.FunctionDef:
    """The ``def`` statement of ``function``; line numbers count from the top of its own file.

    Raises SourceError for a lambda and for code that was passed to ``exec`` without a file.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        raise SourceError(
            f"the source of {function.__qualname__!r} cannot be read; define it with `def` in a file or a notebook cell"
        ) from None
    definition = next((n for n in tree.body if isinstance(n, ast.FunctionDef)), None)
    if definition is None:
        raise SourceError(f"{function.__qualname__!r} is not a plain `def`; a lambda has no source that can be read")
    ast.increment_lineno(definition, first - 1)
    return definition


class Names:
    """The names that a function takes from its closure, its module and the builtins, as they are bound now.

    ``taken`` has the names that were asked for, with their values.
    """

    def __init__(self, function: Callable) -> None:
        self.taken: dict[str, Any] = {}
        code = function.__code__
        self.local = frozenset(code.co_varnames) | frozenset(code.co_cellvars)
        self.scopes: list[dict[str, Any]] = [function.__globals__, vars(builtins)]
        closure = {}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                closure[name] = cell.cell_contents
            except ValueError:
                raise SourceError(f"{name!r} has no value yet where {function.__qualname__!r} is launched") from None
        self.scopes.insert(0, closure)

    def value(self, node: ast.expr) -> Any:
        """The value of a name or dotted name that comes from outside the function, else UNKNOWN.

        Raises SourceError for a name that is bound nowhere and for an attribute that does not exist.
        """
        if isinstance(node, ast.Name):
            if node.id in self.local:
                return UNKNOWN
            for scope in self.scopes:
                if node.id in scope:
                    self.taken[node.id] = scope[node.id]
                    return scope[node.id]
            raise SourceError(f"line {node.lineno}: the name {node.id!r} is not defined")
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            if owner is UNKNOWN:
                return UNKNOWN
            try:
                return getattr(owner, node.attr)
            except AttributeError:
                raise SourceError(f"line {node.lineno}: {ast.unparse(node)!r} does not exist") from None
        return UNKNOWN
