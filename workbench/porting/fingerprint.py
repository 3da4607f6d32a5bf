"""The fingerprint of a kernel: what it computes, as its source says, without comments and layout."""

from __future__ import annotations

import ast
import hashlib
from typing import Any

import numpy as np

from workbench import numba_cuda
from workbench.errors import PortError
from workbench.source import UNKNOWN, Names, SourceError, function_tree


def fingerprint(kernel: Any) -> str:
    """A digest of a kernel's source, of the device functions that it calls, and of the numbers that it takes."""
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
    tree.decorator_list = []
    texts[function.__qualname__] = ast.unparse(tree)
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Name, ast.Attribute)):
            continue
        try:
            value = names.value(node)
        except SourceError:
            continue
        if value is not UNKNOWN and numba_cuda.is_kernel(value):
            _collect(value, texts)
        elif isinstance(value, (bool, int, float, np.generic)):
            texts[f"{function.__qualname__}.{ast.unparse(node)}"] = repr(value)
