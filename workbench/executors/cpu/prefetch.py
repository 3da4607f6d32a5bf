"""Fetch into the cache what the blocks after this one will read.

A GPU hides the time that memory takes behind other blocks. A worker that runs a block of 256 threads reads a kilobyte
and then computes, and its processor does not look far enough ahead to fetch the next kilobyte meanwhile; so where a
block reads ``x[i]`` with ``i = cuda.grid(1)``, it begins by asking for what the next but one will read.
"""

from __future__ import annotations

import ast
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.executors.cpu.fission import Plan, Threads
from workbench.executors.cpu.uniform import Uniformity

AHEAD = 2
"""How many blocks ahead."""

LINE = 64
"""Bytes that a processor fetches at once."""


@intrinsic
def _fetch(typing_context, array, index):
    def generate(context, builder, signature, arguments):
        view = arrayobj.make_array(array)(context, builder, arguments[0])
        address = builder.bitcast(builder.gep(view.data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        # to read, to keep near, data
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@njit(_nrt=False, forceinline=True)
def prefetch(array, first, count):
    """Ask for ``count`` elements from ``first`` on; those past the end of the array are asked for in vain."""
    for k in range(0, count, LINE // array.itemsize):
        _fetch(array, first + k)


def streams(plan: Plan, known: Uniformity, threads: int) -> list[str]:
    """The parameters of which thread i of the grid reads element i, where nothing else leads up to it."""
    found = []
    for node in plan.nodes:
        for statement in node.statements if isinstance(node, Threads) else []:
            for inner in ast.walk(statement):
                if _is_stream(inner, plan, known, threads) and inner.value.id not in found:
                    found.append(inner.value.id)
    return found


def _is_stream(node: ast.AST, plan: Plan, known: Uniformity, threads: int) -> Any:
    if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)):
        return False
    array = known.kinds.get(node.value.id)
    if node.value.id not in known.parameters or not isinstance(array, types.Array):
        return False
    first = plan.first_of(node.slice)
    from_block = first is not None and ast.unparse(first) == f"0 + blockIdx__x * {threads}"
    return from_block and array.ndim == 1 and array.layout == "C" and isinstance(array.dtype, types.Number)
