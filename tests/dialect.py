"""Kernels from tables of source lines, for the tests of the dialect: one kernel computes many rows."""

import linecache
import math
import textwrap

import numpy as np
import torch
from numba import cuda

import workbench as wb

NAN, INF = math.nan, math.inf


def kernel(text, **names):
    """The ``cuda.jit`` kernel that a source text defines, last of all; ``names`` are its globals."""
    text = textwrap.dedent(text)
    file = f"<dialect {len(linecache.cache)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"cuda": cuda, "math": math, "np": np, **names}
    exec(compile(text, file, "exec"), names)
    return cuda.jit(list(names.values())[-1])


def rows(expressions, dtype=np.float64, names=None, **columns):
    """For each expression of the columns' elements a row of results, in the given dtype.

    A tuple's items are added up, the second one times 1000.
    """
    given = ", ".join(columns)
    lines = [f"def table({given}, out):", "    at = cuda.grid(1)", f"    if at < {next(iter(columns))}.size:"]
    lines += [f"        {name}_ = {name}[at]" for name in columns]
    lines += [f"        out[{k}, at] = {expression}" for k, expression in enumerate(expressions)]
    arrays = list(columns.values())
    out = np.full((len(expressions), arrays[0].size), 99, dtype)
    with np.errstate(all="ignore"):
        wb.launch(kernel("\n".join(lines), **(names or {}))[2, 32], *arrays, out)
    return out


def tensors(**arrays):
    """The arrays as tensors, which the simulator's process can hand over: unsigned as signed, records as bytes."""
    found = {}
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        if array.dtype.kind == "V":
            array = array.view(np.uint8)
        elif array.dtype.kind == "u" and array.itemsize > 1:
            array = array.view(array.dtype.str.replace("u", "i"))
        found[name] = torch.from_numpy(array.copy())
    return found
