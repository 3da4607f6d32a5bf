"""Values that hold kernels, such as a dict from dtype to a NamedTuple of kernels, written as Python again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workbench import numba_cuda
from workbench.errors import PortError


def holds_kernel(value: Any) -> bool:
    """Whether a kernel is among the items of a dict, list or tuple, at whatever depth."""
    if isinstance(value, dict):
        return any(map(holds_kernel, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_kernel, value))
    return numba_cuda.is_kernel(value)


def expression(value: Any, kernels: Callable[[Any], str], needed: set[str], place: str) -> str:
    """The Python expression that makes the value again, with the operator's name in place of each kernel.

    Updates: ``needed``, the names that the expression takes. Raises PortError, which begins with ``place``, for a value
    that is no number, text, dtype, kernel or collection of those.
    """

    def of(item: Any) -> str:
        return expression(item, kernels, needed, place)

    if numba_cuda.is_kernel(value):
        needed.add(kernels(value))
        return kernels(value)
    if isinstance(value, torch.dtype):
        needed.add("torch")
        return repr(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, dict):
        return "{\n" + "".join(f"    {of(key)}: {_indented(of(item))},\n" for key, item in value.items()) + "}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        needed.add(type(value).__name__)
        fields = (f"    {name}={_indented(of(item))},\n" for name, item in zip(value._fields, value, strict=True))
        return f"{type(value).__name__}(\n" + "".join(fields) + ")"
    if isinstance(value, tuple):
        return "(" + "".join(f"{of(item)}, " for item in value).rstrip(" ") + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(of, value)) + "]"
    raise PortError(
        f"{place} holds kernels beside {value!r}, which cannot be written down as Python; keep kernels in a dict, a "
        "tuple or a NamedTuple of their own"
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
