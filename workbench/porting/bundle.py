"""A function's source with all that it reaches by name, as a package of its own that imports no workbench.

Each module of the author's becomes a file with the statements that are reached, in their order, comments and
docstrings included. What they import from Python and from installed packages stays imported. A kernel's place is taken
by its operator, where there are ``kernels`` to look it up in; without them, everything stays as it is.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from workbench import numba_cuda
from workbench.errors import PortError
from workbench.porting.kernel_tables import expression, holds_kernel
from workbench.porting.modules import Definition, Import, Module, imported, is_installed, names_taken

LAUNCHING = {"workbench", "workbench.launch"}
LAUNCHED = {"launch", "blocks"}
CARRIED = {"once_differentiable": "workbench.second_derivatives"}
"""Names that workbench offers and that a port has as its own, by the module that they are carried from."""


@dataclass
class File:
    """One module of the package: what is carried of ``source``, and the import lines that it then needs."""

    source: Module
    stem: str
    carried: dict[int, Definition] = field(default_factory=dict)
    replaced: dict[int, str] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


class Bundle:
    """Gathers what names reach. ``kernels`` gives the name of the operator that stands for a ``cuda.jit`` kernel.

    ``taken`` are the names of files that the package has besides.
    """

    def __init__(self, root: str, kernels: Callable[[Any], str] | None, taken: tuple[str, ...] = ()) -> None:
        self.root = root.partition(".")[0]
        self.kernels = kernels
        self.taken = taken
        self.of: dict[str, File] = {}
        self.read: dict[str, Module] = {}
        self.requirements: set[str] = set()
        self.cached: set[str] = set()

    def add(self, module_name: str, name: str) -> tuple[str, str]:
        """Carry a name of a module, with all that it reaches. Returns the file's stem and the name there."""
        source = self._module(module_name)
        if not source.defining(name) and name in source.imports:
            found = source.imports[name]
            return self.add(found.module, found.attribute or name)
        file = self._file(source)
        self._carry(file, name, source.tree.body[0])
        return file.stem, name

    def files(self) -> dict[str, str]:
        """The text of each file, by its name."""
        return {f"{file.stem}.py": _written(file) for file in self.of.values()}

    def _module(self, name: str) -> Module:
        if name not in self.read:
            self.read[name] = Module(name)
        return self.read[name]

    def _file(self, source: Module) -> File:
        if source.name not in self.of:
            parts = ["prototype" if part == "__main__" else part for part in source.name.split(".")]
            stems = {file.stem for file in self.of.values()} | set(self.taken)
            depth = next(k for k in range(1, len(parts) + 2) if k > len(parts) or "_".join(parts[-k:]) not in stems)
            stem = "_".join(parts[-depth:]) + "_" * (depth > len(parts))
            self.of[source.name] = File(source, stem)
        return self.of[source.name]

    def _carry(self, file: File, name: str, asking: ast.AST) -> None:
        """Carry a name that a statement of the file asks for."""
        if name in file.names:
            return
        file.names.add(name)
        source = file.source
        value = getattr(source.value, name, None)
        definitions = source.defining(name)
        if definitions and self.kernels is not None and numba_cuda.is_kernel(value):
            self._stand_in(file, name, value, definitions[-1])
        elif definitions and self.kernels is not None and holds_kernel(value):
            needed: set[str] = set()
            text = expression(value, self.kernels, needed, f"{source.place(definitions[-1].node)}: {name}")
            file.replaced[definitions[-1].first] = f"{name} = {text}"
            for operator in needed - {"torch"} - set(source.imports):
                if source.defining(operator):
                    self._carry(file, operator, definitions[-1].node)
                else:
                    file.imports.add(f"from .kernels import {operator}")
            if "torch" in needed:
                file.imports.add("import torch")
        elif definitions:
            for definition in definitions:
                self._take(file, definition)
            if hasattr(value, "cache_clear"):
                self.cached.add(name)
        elif name in source.imports:
            self._import(file, name, source.imports[name], asking)
        elif hasattr(source.value, name) and not name.startswith("__"):
            raise PortError(
                f"{source.place(asking)} needs {name!r}, which no statement at the top of the module defines; define "
                "it there, or import it by its name"
            )

    def _stand_in(self, file: File, name: str, kernel: Any, definition: Definition) -> None:
        if numba_cuda.is_device_function(kernel):
            raise PortError(
                f"{file.source.place(definition.node)}: {name} is a device function, which only a kernel can call, and "
                "Python code of the port asks for it"
            )
        operator = self.kernels(kernel)
        file.imports.add(f"from .kernels import {operator}" + (f" as {name}" if operator != name else ""))

    def _take(self, file: File, definition: Definition) -> None:
        if definition.first in file.carried:
            return
        file.carried[definition.first] = definition
        source = file.source
        text = source.text(definition)
        needed, noted = names_taken(text, source.postponed)
        tree = ast.parse(text)
        ast.increment_lineno(tree, definition.first - 1)
        self._rewrite_inner_imports(file, definition, tree)
        for name in sorted(needed):
            if isinstance(getattr(source.value, name, None), ModuleType) and name in source.imports:
                self._import_module(file, definition, name, tree)
            else:
                self._carry(file, name, definition.node)
        for name in sorted(noted):  # an annotation is not run: what it names may be missing
            found = source.imports.get(name)
            if (found and is_installed(found.module) and not _is_numba(found.module)) or source.defining(name):
                self._carry(file, name, definition.node)

    def _import(self, file: File, name: str, found: Import, asking: ast.AST) -> None:
        """Have the file import a name that is no module."""
        if found.module == "workbench" and found.attribute in CARRIED:
            found = replace(found, module=CARRIED[found.attribute])
        if found.module in LAUNCHING and self.kernels is not None:
            if found.attribute not in LAUNCHED:
                raise PortError(
                    f"{file.source.place(asking)} needs {found.attribute or found.module!r} of workbench, and a port "
                    f"has launch, blocks and {', '.join(CARRIED)} alone"
                )
            file.imports.add(_from(".launch", found.attribute, name))
        elif self._stays(found.module):
            self._check_numba(file, found, asking)
            file.imports.add(_from(found.module, found.attribute, name))
            self._require(found.module)
        else:
            stem, defined = self.add(found.module, found.attribute)
            if self.of.get(found.module) is not file:
                file.imports.add(_from(f".{stem}", defined, name))

    def _import_module(self, file: File, definition: Definition, name: str, tree: ast.AST) -> None:
        """Have the file import a module, of which a definition takes attributes."""
        value, found = getattr(file.source.value, name), file.source.imports[name]
        attributes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and _is_name(n.value, name)]
        if value.__name__ in LAUNCHING and self.kernels is not None:
            for node in attributes:
                if node.attr in CARRIED:
                    self._take_from_its_module(file, definition, node)
                elif node.attr not in LAUNCHED:
                    raise PortError(
                        f"{file.source.place(node)} needs {ast.unparse(node)}, and a port has launch, blocks and "
                        f"{', '.join(CARRIED)} alone"
                    )
            file.imports.add(_from(".", "launch", name))
        elif self._stays(value.__name__):
            self._check_numba(file, found, tree)
            line = f"import {found.module}" + (f" as {name}" if name != found.module else "")
            file.imports.add(line if found.attribute is None else _from(found.module, found.attribute, name))
            self._require(value.__name__)
        else:
            if len([n for n in ast.walk(tree) if _is_name(n, name)]) != len(attributes):
                raise PortError(
                    f"{file.source.place(tree.body[0])} hands the module {name!r} on; import what it takes by its name"
                )
            other = self._file(self._module(value.__name__))
            for node in attributes:
                if isinstance(getattr(value, node.attr, None), ModuleType):
                    raise PortError(
                        f"{file.source.place(node)}: write `from {value.__name__}.{node.attr} import ...` for what is "
                        f"reached through {ast.unparse(node)}"
                    )
                self._carry(other, node.attr, node)
            file.imports.add(_from(".", other.stem, name))

    def _take_from_its_module(self, file: File, definition: Definition, node: ast.Attribute) -> None:
        """Have ``wb.name`` in a definition be ``module.name``, of the module that the name is carried from."""
        stem, _ = self.add(CARRIED[node.attr], node.attr)
        file.imports.add(_from(".", stem, stem))
        text = file.replaced.get(definition.first, file.source.text(definition))
        file.replaced[definition.first] = re.sub(rf"\b{ast.unparse(node)}\b", f"{stem}.{node.attr}", text)

    def _rewrite_inner_imports(self, file: File, definition: Definition, tree: ast.AST) -> None:
        """Turn the imports inside a carried function into those of the package."""
        text = file.source.text(definition)
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            lines = []
            for name, found in imported(node, file.source.value).items():
                inner = File(file.source, file.stem)
                whole = f"{found.module}.{found.attribute}" if found.attribute else found.module
                if self._stays(found.module) or found.module in LAUNCHING:
                    self._import(inner, name, found, node) if found.attribute else lines.append(f"import {whole}")
                elif found.attribute is None or is_module(whole):
                    raise PortError(
                        f"{file.source.place(node)}: write `from {whole} import ...` for what this function takes"
                    )
                else:
                    self._import(inner, name, found, node)
                lines += inner.imports
            text = text.replace(ast.get_source_segment(file.source.source, node), "; ".join(lines))
        if text != file.source.text(definition):
            file.replaced[definition.first] = text

    def _stays(self, name: str) -> bool:
        """Whether a module is imported as it is."""
        top = name.partition(".")[0]
        if top == "workbench":
            return self.kernels is None and name in LAUNCHING
        return top != self.root and is_installed(name)

    def _check_numba(self, file: File, found: Import, asking: ast.AST) -> None:
        if self.kernels is not None and _is_numba(found.module):
            node = asking.body[0] if isinstance(asking, ast.Module) else asking
            raise PortError(
                f"{file.source.place(node)} uses Numba outside a kernel, and a port has no Numba; make kernels at the "
                "top of a module, or keep those that a function makes in a dict or a NamedTuple at the top"
            )

    def _require(self, name: str) -> None:
        top = name.partition(".")[0]
        self.requirements.update(_distributions().get(top, ())[:1])


def is_module(name: str) -> bool:
    """Whether a dotted name is a module's."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _is_numba(name: str) -> bool:
    return name.partition(".")[0] in ("numba", "numba_cuda_mlir")


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _from(origin: str, name: str | None, alias: str) -> str:
    if name is None:
        return f"import {origin}" + (f" as {alias}" if alias != origin else "")
    return f"from {origin} import {name}" + (f" as {alias}" if alias != name else "")


def _written(file: File) -> str:
    """A file, in the order of its source."""
    parts = [file.source.docstring] if file.source.docstring else []
    if file.source.postponed:
        parts.append("from __future__ import annotations")
    if file.imports:
        parts.append(_import_block(file.imports))
    text = "\n\n".join(parts)
    definitions = sorted(set(file.carried) | set(file.replaced))
    known = {d.first: d for d in file.source.definitions}
    before: Definition | None = None
    for first in definitions:
        definition = known[first]
        if before is None:
            gap = 3 if definition.spaced else 2
        elif definition.spaced or before.spaced:
            gap = 3
        else:
            gap = 1 if definition.first == before.last + 1 else 2
        text += "\n" * gap + file.replaced.get(first, file.source.text(definition))
        before = definition
    return text.lstrip("\n") + "\n"


def _import_block(lines: set[str]) -> str:
    """Import lines in the usual order: Python's own, installed packages, this package; names of one origin together."""
    import sys

    names: dict[str, set[str]] = {}
    whole = set()
    for line in lines:
        if match := re.fullmatch(r"from (\S+) import (.*)", line):
            names.setdefault(match[1], set()).add(match[2])
        else:
            whole.add(line)
    groups: list[list[str]] = [[], [], []]

    def group(origin: str) -> list[str]:
        if origin.startswith("."):
            return groups[2]
        return groups[0 if origin.partition(".")[0] in sys.stdlib_module_names else 1]

    for line in sorted(whole):
        group(line.split()[1]).append(line)
    for origin in sorted(names):
        group(origin).append(_wrapped(f"from {origin} import ", sorted(names[origin], key=_import_order)))
    return "\n\n".join("\n".join(lines) for lines in groups if lines)


def _wrapped(head: str, names: list[str]) -> str:
    line = head + ", ".join(names)
    return line if len(line) <= 120 else head + "(\n" + "".join(f"    {name},\n" for name in names) + ")"


def _import_order(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions."""
    first = name.split()[0]
    return (0 if first.isupper() else 1 if first[0].isupper() else 2), name
