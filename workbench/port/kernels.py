"""The kernels of a port: those that the examples launched, translated, and the names that Python knows them by."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba.core import types

from workbench import numba_cuda
from workbench.errors import PortError
from workbench.port.translation import Translation, translate
from workbench.recording import Launch
from workbench.source import UNKNOWN, Names, SourceError, function_tree


@dataclass(frozen=True)
class PortedKernel:
    """A kernel and its translation. ``prototype`` is its module and qualified name."""

    name: str
    prototype: str
    fingerprint: str
    translation: Translation


def translated(single: list[Launch], double: list[Launch], step: Callable) -> dict[str, PortedKernel]:
    """Each kernel that was launched with float32, or with float64, by its name; ``step`` is told of each.

    A kernel that float64 has another one for, of the same source, is translated together with that. Raises PortError
    for a kernel that was launched with two sets of types, and for two of one name.
    """
    found: dict[str, tuple[Any, tuple, Any]] = {}
    twins = {_place(launch.kernel): launch.kernel for launch in double}
    for launches, wider in ((single, _plain), (double, _doubled)):
        for launch in launches:
            place, given = _place(launch.kernel), tuple(map(_plain, launch.argument_types))
            kernel, known, _ = found.setdefault(place, (launch.kernel, given, twins.get(place, launch.kernel)))
            if kernel is launch.kernel and known == given:
                continue
            if tuple(map(wider, known)) != given:
                raise PortError(
                    f"{launch.name} was launched with arguments ({_listed(known)}) and ({_listed(given)}); a C++ "
                    "operator has one set of them, so make it two kernels"
                )
    kernels: dict[str, PortedKernel] = {}
    for place, (kernel, given, twin) in found.items():
        name = numba_cuda.python_function(kernel).__name__
        step(f"translate {name}")
        if name in kernels:
            raise PortError(f"{place} and {kernels[name].prototype} have one name; rename one of these kernels")
        translation = translate(kernel, given, twin)
        kernels[name] = PortedKernel(name, place, fingerprint(kernel), translation)
    return kernels


def fingerprint(kernel: Any) -> str:
    """A digest of the source of a kernel and of the device functions that it calls, comments and layout left out."""
    texts: dict[str, str] = {}
    _collect(kernel, texts)
    return hashlib.sha256("\n".join(text for _, text in sorted(texts.items())).encode()).hexdigest()[:16]


def _collect(kernel: Any, texts: dict[str, str]) -> None:
    function = numba_cuda.python_function(kernel)
    if function.__qualname__ in texts:
        return
    try:
        tree, names = function_tree(function), Names(function)
    except SourceError as problem:
        raise PortError(str(problem)) from None
    if ast.get_docstring(tree) is not None:
        tree.body[0] = ast.Pass()
    texts[function.__qualname__] = ast.unparse(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            try:
                called = names.value(node.func)
            except SourceError:
                continue
            if called is not UNKNOWN and numba_cuda.is_kernel(called):
                _collect(called, texts)


def _place(kernel: Any) -> str:
    function = numba_cuda.python_function(kernel)
    return f"{function.__module__}:{function.__qualname__}"


def _plain(one: Any) -> Any:
    """An argument's type, whatever the layout of its memory."""
    return types.Array(one.dtype, one.ndim, "A") if isinstance(one, types.Array) else one


def _doubled(one: Any) -> Any:
    """The type that a float32 array has where the inputs are float64."""
    if isinstance(one, types.Array) and one.dtype == types.float32:
        return types.Array(types.float64, one.ndim, "A")
    return one


def _listed(given: tuple) -> str:
    return ", ".join(map(str, given))
