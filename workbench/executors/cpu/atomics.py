"""``cuda.atomic``: a plain read and write for one worker, an exchange in one step where several share the blocks.

Each function returns the value that was there before. The value that is handed in is first converted to the type of
the array's elements, as numba-cuda does. ``max`` and ``min`` leave the array alone if either value is NaN; ``nanmax``
and ``nanmin`` replace a NaN, as numba-cuda's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np import arrayobj

_compiled = njit(nogil=True, error_model="numpy", inline="never")

UNSIGNED = (types.uint32, types.uint64)
INTEGERS = (types.int32, types.int64, *UNSIGNED)
NUMBERS = (types.float32, types.float64, *INTEGERS)


def _converter(accepted):
    """A function that converts a value to the type of an array's elements, which must be an accepted one."""

    @intrinsic
    def convert(typing_context, array, value):
        element = array.dtype
        result = element if element in accepted else accepted[0]

        def generate(context, builder, signature, arguments):
            if element not in accepted:
                listed = ", ".join(map(str, accepted))
                raise TypingError(f"this atomic operation takes an array of {listed}; this one is of {element}")
            return context.cast(builder, arguments[1], value, element)

        return result(array, value), generate

    return convert


number, integer, unsigned = _converter(NUMBERS), _converter(INTEGERS), _converter(UNSIGNED)


@intrinsic
def of_element(typing_context, array, index):
    """The index, which must be one of a whole element."""
    count = index.count if isinstance(index, types.BaseTuple) else 1
    if count != array.ndim:
        raise TypingError(f"the array takes {array.ndim} indices, and the atomic operation has {count}")
    return index(array, index), lambda context, builder, signature, arguments: arguments[1]


@intrinsic
def exchange(typing_context, array, index, old, new):
    """Put ``new`` in the place of ``old``, in one step; what was there, and whether it was the bits of ``old``."""
    kind = array.dtype
    indices = tuple(index) if isinstance(index, types.BaseTuple) else (index,)

    def generate(context, builder, signature, arguments):
        given = cgutils.unpack_tuple(builder, arguments[1]) if isinstance(index, types.BaseTuple) else [arguments[1]]
        whole = [context.cast(builder, v, t, types.intp) for v, t in zip(given, indices, strict=True)]
        view = arrayobj.make_array(array)(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(context, builder, array, view, whole, wraparound=True)
        bits = ir.IntType(kind.bitwidth)
        before, after = (
            builder.bitcast(context.cast(builder, value, t, kind), bits)
            for value, t in zip(arguments[2:], signature.args[2:], strict=True)
        )
        pair = builder.cmpxchg(builder.bitcast(pointer, bits.as_pointer()), before, after, "acq_rel", "acquire")
        seen = builder.bitcast(builder.extract_value(pair, 0), context.get_data_type(kind))
        done = context.cast(builder, builder.extract_value(pair, 1), types.boolean, types.boolean)
        return context.make_tuple(builder, signature.return_type, [seen, done])

    return types.Tuple((kind, types.boolean))(array, index, old, new), generate


def _atomic(new_value: Callable) -> Any:
    """The operation that ``new_value(array, old, value)`` is the arithmetic of; for several workers, its contended."""
    worked_out = _compiled(new_value)

    def plain(array, index, value):
        index = of_element(array, index)
        old = array[index]
        array[index] = worked_out(array, old, value)
        return old

    def contended(array, index, value):
        index = of_element(array, index)
        old, done = array[index], False
        while not done:
            seen, done = exchange(array, index, old, worked_out(array, old, value))
            if not done:
                old = seen
        return old

    operation = _compiled(plain)
    operation.contended = _compiled(contended)
    return operation


@_atomic
def add(array, old, value):
    return old + number(array, value)


@_atomic
def sub(array, old, value):
    return old - number(array, value)


@_atomic
def max(array, old, value):
    value = number(array, value)
    return value if value > old else old


@_atomic
def min(array, old, value):
    value = number(array, value)
    return value if value < old else old


@_atomic
def nanmax(array, old, value):
    value = number(array, value)
    return value if value > old or old != old else old


@_atomic
def nanmin(array, old, value):
    value = number(array, value)
    return value if value < old or old != old else old


@_atomic
def and_(array, old, value):
    return integer(array, old) & integer(array, value)


@_atomic
def or_(array, old, value):
    return integer(array, old) | integer(array, value)


@_atomic
def xor(array, old, value):
    return integer(array, old) ^ integer(array, value)


@_atomic
def inc(array, old, limit):
    """Count up to ``limit``, then from zero again."""
    return unsigned(array, 0) if old >= unsigned(array, limit) else old + unsigned(array, 1)


@_atomic
def dec(array, old, limit):
    """Count down to zero, then from ``limit`` again, which is also where a larger value goes."""
    limit = unsigned(array, limit)
    return limit if old == 0 or old > limit else old - unsigned(array, 1)


@_atomic
def exch(array, old, value):
    return integer(array, value)


@_compiled
def cas(array, index, expected, value):
    index = of_element(array, index)
    old = array[index]
    if old == integer(array, expected):
        array[index] = integer(array, value)
    return old


@_compiled
def _contended_cas(array, index, expected, value):
    return exchange(array, of_element(array, index), integer(array, expected), integer(array, value))[0]


cas.contended = _contended_cas


def _of_first(cas_of: Any) -> Any:
    def of_first(array, expected, value):
        return cas_of(array, 0, expected, value)

    return _compiled(of_first)


compare_and_swap = _of_first(cas)
compare_and_swap.contended = _of_first(cas.contended)
"""``cas`` of the first element."""


def is_atomic(value: Any) -> bool:
    """Whether an object is one of the operations above."""
    return any(value is one for one in globals().values() if hasattr(one, "contended"))
