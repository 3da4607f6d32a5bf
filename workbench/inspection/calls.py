"""What a call in a kernel gives to each thread of a warp, as far as indices need to know."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from workbench import numba_cuda
from workbench.inspection.threads import DATA, DEEPEST, LANES, UNKNOWN, View, Walk, combined, constant
from workbench.source import SourceError

_NUMBERS = {min: np.minimum.reduce, max: np.maximum.reduce, abs: lambda parts: np.abs(parts[0])}
_UNIFORM = ("any_sync", "all_sync", "syncthreads_count", "syncthreads_and", "syncthreads_or", "ballot_sync")


def call(walk: Walk, node: ast.Call) -> Any:
    """The value of a call. Updates: the walk's ``seen``, for atomics, cache hints and device functions."""
    function = walk.value(node.func)
    name = numba_cuda.operations().get(id(function), "")
    if name in ("shared.array", "local.array"):
        return _array(walk, node, name.split(".")[0])
    arguments = [walk.value(argument) for argument in node.args]
    if name:
        return _operation(walk, node, name, arguments)
    if numba_cuda.is_kernel(function):
        return _device_function(walk, node, function, arguments)
    if isinstance(function, type) or type(function).__module__.startswith("numba"):
        return _cast(function, arguments)
    if function is len and isinstance(arguments[0], View):
        return constant(arguments[0].shape[0])
    if function in _NUMBERS:
        return combined(lambda *parts: _NUMBERS[function](parts), *arguments)
    known = getattr(np, getattr(function, "__name__", ""), None)
    if getattr(math, getattr(function, "__name__", ""), None) is function and known is not None:
        return combined(lambda *parts: known(*parts), *arguments)
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func).endswith(".dtype.type"):
        return arguments[0] if arguments else UNKNOWN
    return DATA if any(argument is DATA for argument in arguments) else UNKNOWN


def _operation(walk: Walk, node: ast.Call, name: str, arguments: list[Any]) -> Any:
    warp = walk.warp
    if name in ("grid", "gridsize"):
        count = int(arguments[0][0]) if isinstance(arguments[0], np.ndarray) else 1
        if name == "grid":
            values = [t + size * at for t, size, at in zip(warp.thread, warp.block_size, warp.block, strict=True)]
        else:
            values = [constant(a * b) for a, b in zip(warp.block_size, warp.grid_size, strict=True)]
        return values[0] if count == 1 else tuple(values[:count])
    if name == "laneid":
        return np.arange(LANES)
    hinted = name.startswith(("ldc", "ldl", "stc", "stw"))
    if (name.startswith("atomic.") or hinted) and len(arguments) > 1 and isinstance(arguments[0], View):
        what = "atomic" if not hinted else "load" if name.startswith("ld") else "store"
        index = list(arguments[1]) if isinstance(arguments[1], tuple) else [arguments[1]]
        text = f"{ast.unparse(node.args[0])}[{ast.unparse(node.args[1]).strip('()')}]"
        return walk.touch(arguments[0], index, what, node.lineno, text)
    if name in _UNIFORM:
        return constant(1)
    return DATA if name.startswith("shfl") else UNKNOWN


def _array(walk: Walk, node: ast.Call, space: str) -> Any:
    """A shared or local array; of dynamic shared memory, one dimension of unknown length."""
    given = {k.arg: k.value for k in node.keywords} | dict(zip(("shape", "dtype"), node.args, strict=False))
    shape = walk.value(given["shape"]) if "shape" in given else UNKNOWN
    kind = numba_cuda.as_numba(walk.value(given["dtype"])) if "dtype" in given else None
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(size, np.ndarray) for size in sizes):
        return UNKNOWN
    dtype = _dtype(kind)
    lengths = tuple(int(size[0]) for size in sizes)
    strides = tuple(dtype.itemsize * math.prod(lengths[k + 1 :]) for k in range(len(lengths)))
    return View("", space, dtype, lengths, strides, constant(0))


def _dtype(kind: Any) -> np.dtype:
    """Of a Numba type, a NumPy type or dtype; float32 for another, whose size is not known."""
    from numba.core import types
    from numba.core.errors import NumbaNotImplementedError
    from numba.np.numpy_support import as_dtype

    try:
        return as_dtype(kind) if isinstance(kind, types.Type) else np.dtype(kind)
    except (NumbaNotImplementedError, TypeError):
        return np.dtype(np.float32)


def _device_function(walk: Walk, node: ast.Call, function: Any, arguments: list[Any]) -> Any:
    if walk.depth >= DEEPEST or node.keywords:
        return UNKNOWN
    try:
        inner = Walk(numba_cuda.python_function(function), walk.warp, walk.seen, walk.active, walk.depth + 1)
        return inner.run(tuple(arguments))
    except SourceError:
        return UNKNOWN


def _cast(function: Any, arguments: list[Any]) -> Any:
    """A conversion such as ``int32(x)``: to an integer type, of a float, it rounds towards zero."""
    if len(arguments) != 1:
        return UNKNOWN
    whole = "int" in getattr(function, "__name__", str(function))
    return combined(lambda a: np.trunc(a).astype(np.int64) if whole and a.dtype.kind == "f" else a, arguments[0])
