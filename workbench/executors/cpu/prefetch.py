"""Fetch into the cache what the blocks after this one will read.

A GPU hides the time that memory takes behind other blocks. A worker that runs a block of 256 threads reads a kilobyte
and then computes, and its processor does not look far enough ahead to fetch the next kilobyte meanwhile; so where a
block reads ``x[i]`` with ``i = cuda.grid(1)``, it begins by asking for what the next but one will read, and in a
grid-stride loop for what it will read after its next stride.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.executors.cpu.fission import Plan, Strided, Threads
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


def read_by_grid(plan: Plan, known: Uniformity, threads: int) -> list[str]:
    """The parameters of which thread i of the grid reads element i, where nothing else leads up to it."""

    def is_grid(index: ast.expr) -> bool:
        first = plan.first_of(index)
        return first is not None and ast.unparse(first) == f"0 + blockIdx__x * {threads}"

    statements = [s for node in plan.nodes if isinstance(node, Threads) for s in node.statements]
    return _read(statements, is_grid, known)


def read_by_stride(loop: Strided, known: Uniformity) -> list[str]:
    """The parameters that a loop with great strides reads at its variable."""
    if isinstance(loop.step, ast.Constant):
        return []
    return _read(loop.threads.statements, lambda index: isinstance(index, ast.Name) and index.id == loop.target, known)


def _read(statements: list[ast.stmt], is_wanted: Callable[[ast.expr], bool], known: Uniformity) -> list[str]:
    found: list[str] = []
    for node in (n for s in statements for n in ast.walk(s)):
        if not (
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)
        ):
            continue
        array = known.kinds.get(node.value.id)
        if node.value.id not in known.parameters or node.value.id in found or not isinstance(array, types.Array):
            continue
        plain = array.ndim == 1 and array.layout == "C" and isinstance(array.dtype, types.Number)
        if plain and is_wanted(node.slice):
            found.append(node.value.id)
    return found
