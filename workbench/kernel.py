"""What a launch must know of a kernel before it runs: its name, its parameters, and which of them it writes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from workbench import numba_cuda
from workbench.source import UNKNOWN, Names, SourceError, function_tree


@dataclass(frozen=True)
class Kernel:
    """A kernel as its launch sees it.

    ``written`` holds the parameters that the kernel's source stores into, itself or through a device function. It is
    empty when the source cannot be read.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    written: frozenset[str]


_known: WeakKeyDictionary[Any, Kernel] = WeakKeyDictionary()


def describe(kernel: Any) -> Kernel:
    """The Kernel of a ``cuda.jit`` object, read from its source once."""
    found = _known.get(kernel)
    if found is None:
        function = numba_cuda.python_function(kernel)
        signature = inspect.signature(function).parameters.values()
        found = _known[kernel] = Kernel(
            name=function.__name__,
            parameters=tuple(p.name for p in signature),
            required=sum(p.default is p.empty for p in signature),
            written=_written(function, ()),
        )
    return found


def _written(function: Callable, callers: tuple[Callable, ...]) -> frozenset[str]:
    try:
        tree, names = function_tree(function), Names(function)
    except SourceError:
        return frozenset()
    aliases = {a.arg: {a.arg} for a in tree.args.args}
    written: set[str] = set()
    for node in _in_order(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            aliases.setdefault(node.targets[0].id, set()).update(_roots(node.value, aliases))
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            written |= _roots(node, aliases)
        elif isinstance(node, ast.Call):
            for argument in _stored_by_call(node, names, (*callers, function)):
                written |= _roots(argument, aliases)
    return frozenset(written)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        yield from _in_order(child)


def _roots(node: ast.expr, aliases: dict[str, set[str]]) -> set[str]:
    """The parameters whose memory an expression such as ``a[0].real`` may share."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return aliases.get(node.id, set()) if isinstance(node, ast.Name) else set()


def _stored_by_call(node: ast.Call, names: Names, callers: tuple[Callable, ...]) -> list[ast.expr]:
    """The arguments of a call that the called atomic or device function writes."""
    try:
        called = names.value(node.func)
    except SourceError:  # the simulator has no cuda.atomic outside a running kernel
        called = UNKNOWN
    if called is not UNKNOWN and numba_cuda.is_kernel(called):
        function = numba_cuda.python_function(called)
        if function in callers:
            return []
        written = _written(function, callers)
        parameters = inspect.signature(function).parameters
        return [argument for name, argument in zip(parameters, node.args, strict=False) if name in written]
    if numba_cuda.operations().get(id(called), "").startswith("atomic.") or ".atomic." in ast.unparse(node.func):
        return node.args[:1]
    return []
