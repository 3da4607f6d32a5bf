"""Fetch into the cache what the blocks after this one will read and write.

A GPU hides the time that memory takes behind other blocks. A worker that runs a block of 256 threads reads a kilobyte
and then computes, and its processor does not look far enough ahead to fetch the next kilobyte meanwhile. Writes take
as long: they leave a processor in order, so that the next block's writes to shared memory wait behind one that is far.
So where a block uses ``x[i]`` with ``i = cuda.grid(1)``, or ``x[cuda.blockIdx.x, …]``, it begins by asking for what the
next but one will use, and in a grid-stride loop for what it will use after its next stride.
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

ROW = 4096
"""Bytes that are asked for of a row; a processor follows the rest of a longer one by itself."""


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


@njit(_nrt=False, forceinline=True)
def prefetch_row(array, row):
    """Ask for a row of a matrix, or for the beginning of a long one."""
    columns = array.shape[1]
    prefetch(array, row * columns, min(columns, ROW // array.itemsize))


PREFETCHES = {"prefetch__": prefetch, "prefetch_row__": prefetch_row}
"""The names by which emitted code calls them."""


def next_blocks(plan: Plan, known: Uniformity, threads: int) -> list[str]:
    """The lines with which a block asks for what the next but one uses, of the parameters that all blocks use alike.

    In one-dimensional arrays thread i of the grid uses element i, with nothing that leads up to it; in matrices block b
    uses row b.
    """

    def is_grid(index: ast.expr) -> bool:
        first = plan.first_of(index)
        return first is not None and ast.unparse(first) == f"0 + blockIdx__x * {threads}"

    def is_row(index: ast.expr) -> bool:
        row = index.elts[0] if isinstance(index, ast.Tuple) else index
        while isinstance(row, ast.Name) and row.id in known.values:
            row = known.values[row.id]
        return isinstance(row, ast.Name) and row.id == "blockIdx__x"

    statements = [s for node in plan.nodes if isinstance(node, Threads) for s in node.statements]
    elements, rows = _used(statements, 1, is_grid, known), _used(statements, 2, is_row, known)
    return [
        *(f"prefetch__({array}, (blockIdx__x + {AHEAD}) * {threads}, {threads})" for array in elements),
        *(f"prefetch_row__({array}, blockIdx__x + {AHEAD})" for array in rows),
    ]


def used_by_stride(loop: Strided, known: Uniformity) -> list[str]:
    """The parameters that a loop with great strides uses at its variable."""
    if isinstance(loop.step, ast.Constant):
        return []
    at = loop.target
    return _used(loop.threads.statements, 1, lambda index: isinstance(index, ast.Name) and index.id == at, known)


def _used(
    statements: list[ast.stmt], dimensions: int, is_wanted: Callable[[ast.expr], bool], known: Uniformity
) -> list[str]:
    found: list[str] = []
    for node in (n for s in statements for n in ast.walk(s)):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        array = known.kinds.get(node.value.id)
        if node.value.id not in known.parameters or node.value.id in found or not isinstance(array, types.Array):
            continue
        plain = array.ndim == dimensions and array.layout == "C" and isinstance(array.dtype, types.Number)
        if plain and is_wanted(node.slice):
            found.append(node.value.id)
    return found
