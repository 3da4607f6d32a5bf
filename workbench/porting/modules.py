"""A Python module as text: which statements define its names, and what each statement takes from elsewhere."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import symtable
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.errors import PortError
from workbench.porting.cells import Cells


@dataclass(frozen=True)
class Import:
    """What ``import module`` (``attribute`` None) or ``from module import attribute`` binds to a name."""

    module: str
    attribute: str | None
    line: int


@dataclass(frozen=True)
class Definition:
    """A statement at the top of a module, from line ``first`` to ``last``, with the comments that stand above it."""

    node: ast.stmt
    first: int
    last: int
    names: tuple[str, ...]

    @property
    def spaced(self) -> bool:
        """Whether it stands between two empty lines."""
        return isinstance(self.node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))


class Module:
    """A module whose source can be read. Raises PortError if it cannot."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.value = importlib.import_module(name)
        self.cells = _cells(self.value)
        self.source = self.cells.source if self.cells else _source(self.value)
        self.lines = self.source.splitlines()
        self.tree = ast.parse(self.source)
        self.postponed = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in self.tree.body)
        self.imports: dict[str, Import] = {}
        self.definitions: list[Definition] = []
        self.left: list[ast.stmt] = []
        self._read()

    @property
    def docstring(self) -> str | None:
        """The text of the module's docstring, quotes included."""
        if ast.get_docstring(self.tree) is None:
            return None
        return "\n".join(self.lines[: self.tree.body[0].end_lineno])

    def defining(self, name: str) -> list[Definition]:
        return [definition for definition in self.definitions if name in definition.names]

    def text(self, definition: Definition) -> str:
        return "\n".join(self.lines[definition.first - 1 : definition.last])

    def place(self, node: ast.AST) -> str:
        return self.cells.place(node.lineno) if self.cells else f"{self.name}, line {node.lineno}"

    def _read(self) -> None:
        body = self.tree.body
        for k, node in enumerate(body):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports |= imported(node, self.value)
                continue
            names = tuple(_bound(node))
            if not names:
                if not _is_text(node):
                    self.left.append(node)
                continue
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            while first > 1 and self.lines[first - 2].startswith("#"):
                first -= 1
            follows = body[k + 1] if k + 1 < len(body) else None
            described = isinstance(node, (ast.Assign, ast.AnnAssign)) and follows is not None and _is_text(follows)
            last = follows.end_lineno if described else node.end_lineno
            self.definitions.append(Definition(node, first, last, names))


def imported(node: ast.Import | ast.ImportFrom, inside: ModuleType) -> dict[str, Import]:
    """The names that an import statement of a module binds."""
    if isinstance(node, ast.Import):
        whole = {
            a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0] for a in node.names
        }
        return {name: Import(target, None, node.lineno) for name, target in whole.items()}
    target = node.module or ""
    if node.level:
        target = importlib.util.resolve_name("." * node.level + target, inside.__package__)
    if target == "__future__":
        return {}
    return {a.asname or a.name: Import(target, a.name, node.lineno) for a in node.names}


def names_taken(text: str, postponed: bool) -> tuple[set[str], set[str]]:
    """The outside names that a statement needs when it runs, and those that only its annotations name."""
    everything = _globals(symtable.symtable(text, "statement", "exec"))
    if not postponed:
        return everything, set()
    future = "from __future__ import annotations\n"
    needed = _globals(symtable.symtable(future + text, "statement", "exec")) - {"annotations"}
    return needed, everything - needed


def _globals(table: symtable.SymbolTable) -> set[str]:
    found = {s.get_name() for s in table.get_symbols() if s.is_global() and (s.is_referenced() or s.is_assigned())}
    if table.get_type() == "module":
        found = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    return found.union(*map(_globals, table.get_children()))


def is_installed(name: str) -> bool:
    """Whether a module belongs to Python or to an installed package, and not to the author."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    spec = getattr(sys.modules.get(top), "__spec__", None) or _spec(top)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


def _spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _cells(value: ModuleType) -> Cells | None:
    """The cells of the notebook that a module is, or None."""
    return Cells(value.In) if not hasattr(value, "__file__") and hasattr(value, "In") else None


def _source(value: ModuleType) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        raise PortError(f"the source of the module {value.__name__!r} cannot be read; write it in a file") from None


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement binds at the top of its module."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    table = symtable.symtable(ast.unparse(node), "statement", "exec")
    return [s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()]
