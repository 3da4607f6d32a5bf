"""What a launch must know of a kernel before it runs: its name, its parameters, and which of them it writes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from workbench import numba_cuda
from workbench.source import UNKNOWN, Names, SourceError, function_tree


@dataclass(frozen=True)
class Kernel:
    """A kernel as its launch sees it: ``required`` of its parameters have no default.

    ``written`` holds the parameters that the kernel's source stores into, itself or through a device function. It is
    empty when the source cannot be read.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    variadic: bool
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
            required=sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in signature),
            variadic=any(p.kind is p.VAR_POSITIONAL for p in signature),
            written=_written(function, ()),
        )
    return found


def _written(function: Callable, callers: tuple[Callable, ...]) -> frozenset[str]:
    try:
        tree, names = function_tree(function), Names(function)
    except SourceError:
        return frozenset()
    aliases = {a.arg: {a.arg} for a in tree.args.args}
    before = -1
    while before != sum(map(len, aliases.values())):  # a loop may pass a name on that is bound further down
        before = sum(map(len, aliases.values()))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    _bind(target, node.value, aliases)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                _bind(node.target, node.value, aliases)
            elif isinstance(node, ast.For):
                _bind(node.target, node.iter, aliases)
    written: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            written |= _roots(node, aliases)
        elif isinstance(node, ast.Call):
            for argument in _stored_by_call(node, names, (*callers, function)):
                written |= _roots(argument, aliases)
    return frozenset(written)


def _bind(target: ast.expr, value: ast.expr, aliases: dict[str, set[str]]) -> None:
    """Note which parameters' memory the names in ``target`` may share from now on."""
    if isinstance(target, ast.Name):
        aliases.setdefault(target.id, set()).update(_roots(value, aliases))
    elif isinstance(target, (ast.Tuple, ast.List)):
        matched = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
        for k, part in enumerate(target.elts):
            _bind(part, value.elts[k] if matched else value, aliases)


def _roots(node: ast.expr, aliases: dict[str, set[str]]) -> set[str]:
    """The parameters whose memory an expression such as ``a[0].real`` or ``a.reshape(n)`` may share."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, set())
    if isinstance(node, (ast.Subscript, ast.Attribute, ast.Starred)):
        return _roots(node.value, aliases)
    if isinstance(node, ast.IfExp):
        return _roots(node.body, aliases) | _roots(node.orelse, aliases)
    if isinstance(node, (ast.Tuple, ast.List)):
        return set().union(*(_roots(part, aliases) for part in node.elts))
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):  # a method such as reshape; cuda.local.array shares with nobody
            return _roots(node.func.value, aliases)
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        return set().union(*(_roots(part, aliases) for part in parts))
    return set()


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
        given = dict(zip(parameters, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
        return [argument for name, argument in given.items() if name in written]
    if numba_cuda.operations().get(id(called), "").startswith("atomic.") or ".atomic." in ast.unparse(node.func):
        return node.args[:1]
    return []
