"""Thread indices are int32 on CUDA and int64 here, where they count loops: which expressions are one.

The width shows only where an operation looks at the bits of an index itself, and where ``min`` or ``max`` of one and
another int32 is an int32; whatever else is computed from one is int64 on CUDA too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

LOOKS_AT_BITS = ("popc", "brev", "clz", "ffs")
"""The operations whose result depends on how wide their argument is."""


def bound_to_indices(function: ast.FunctionDef, is_index: Callable[[ast.expr], bool]) -> set[str]:
    """The variables of a function that are bound to nothing but an index, such as ``t = cuda.threadIdx.x``."""
    plain: dict[str, list[bool]] = {}
    targets = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            plain.setdefault(node.targets[0].id, []).append(is_index(node.value))
            targets.add(node.targets[0])
    others = {a.arg for a in function.args.args}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in targets:
            others.add(node.id)
    return {variable for variable, found in plain.items() if all(found)} - others
