"""Memory: arrays that live on a worker's stack: shared memory, local memory, and the slots of per-thread variables.

LLVM knows of an array on the stack that nothing else points to it, which is what lets it vectorise the loops over
threads. What is too large for a stack goes to the heap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj
from numba.np.numpy_support import as_dtype

STACK_BYTES = 256 * 1024
"""The largest array that is put on the stack."""


def array_maker(shape: tuple[int, ...], element: types.Type) -> Any:
    """A function without arguments that a compiled function calls for a C-contiguous array, not initialised."""
    array_type = types.Array(element, len(shape), "C")
    count = math.prod(shape)

    @intrinsic
    def on_stack(typing_context):
        def generate(context, builder, signature, arguments):
            data_type = context.get_data_type(element)
            size = context.get_abi_sizeof(data_type)
            with builder.goto_entry_block():
                pointer = builder.alloca(ir.ArrayType(data_type, max(count, 1)))
                pointer.align = 64
            array = arrayobj.make_array(array_type)(context, builder)
            strides = [size * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
            arrayobj.populate_array(
                array,
                data=builder.bitcast(pointer, data_type.as_pointer()),
                shape=[context.get_constant(types.intp, n) for n in shape],
                strides=[context.get_constant(types.intp, n) for n in strides],
                itemsize=context.get_constant(types.intp, size),
                meminfo=None,
            )
            return array._getvalue()

        return array_type(), generate

    if count * np.dtype(as_dtype(element)).itemsize <= STACK_BYTES:
        return on_stack
    dtype = as_dtype(element)
    return counted(njit(lambda: np.empty(shape, dtype)))


def counted(function: Any) -> Any:
    """Mark a compiled function as one whose callers must count references to arrays."""
    function.counts_references = True
    return function


def counts_references(namespace: dict[str, Any]) -> bool:
    """Whether what is compiled in a namespace must count references to arrays."""
    return any(getattr(value, "counts_references", False) is True for value in namespace.values())


@intrinsic
def assume(typing_context, condition):
    """Tell the optimiser that a condition holds."""

    def generate(context, builder, signature, arguments):
        function = builder.module.declare_intrinsic("llvm.assume", [], ir.FunctionType(ir.VoidType(), [ir.IntType(1)]))
        builder.call(function, [arguments[0]])
        return context.get_dummy_value()

    return types.void(types.boolean), generate


@intrinsic
def unsigned(typing_context, index):
    """An index that is known not to be negative, as an unsigned integer, for which Numba emits no wrap-around."""
    kind = types.uint64 if isinstance(index, types.Integer) else index

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[0], signature.args[0], kind)

    return kind(index), generate


@intrinsic
def layout_of(typing_context, array):
    """Where an array lies, as whole numbers: its address, the size of an element, its shape, its strides in bytes.

    What takes this instead of the array is compiled once for all element types.
    """
    result = types.UniTuple(types.int64, 2 + 2 * array.ndim)

    def generate(context, builder, signature, arguments):
        made = context.make_array(array)(context, builder, arguments[0])
        address = builder.ptrtoint(made.data, context.get_value_type(types.int64))
        axes = [builder.extract_value(part, k) for part in (made.shape, made.strides) for k in range(array.ndim)]
        return context.make_tuple(builder, result, [address, made.itemsize, *axes])

    return result(array), generate
