"""``cuda.atomic`` for one worker, which runs the threads one after the other: a plain read and a plain write.

Each function returns the value that was there before. The value that is handed in is first converted to the type of
the array's elements, as numba-cuda does. ``max`` and ``min`` leave the array alone if either value is NaN; ``nanmax``
and ``nanmin`` replace a NaN, as numba-cuda's do.
"""

from __future__ import annotations

from numba import njit
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

_compiled = njit(nogil=True, error_model="numpy", inline="never")

UNSIGNED = (types.uint32, types.uint64)
INTEGERS = (types.int32, types.int64, *UNSIGNED)
NUMBERS = (types.float32, types.float64, *INTEGERS)


def _converter(accepted):
    """A function that converts a value to the type of an array's elements, which must be an accepted one."""

    @intrinsic
    def convert(typing_context, array, index, value):
        count = index.count if isinstance(index, types.BaseTuple) else 1
        if count != array.ndim:
            raise TypingError(f"the array takes {array.ndim} indices, and the atomic operation has {count}")
        element = array.dtype
        result = element if element in accepted else accepted[0]

        def generate(context, builder, signature, arguments):
            if element not in accepted:
                listed = ", ".join(map(str, accepted))
                raise TypingError(f"this atomic operation takes an array of {listed}; this one is of {element}")
            return context.cast(builder, arguments[2], value, element)

        return result(array, index, value), generate

    return convert


number, integer, unsigned = _converter(NUMBERS), _converter(INTEGERS), _converter(UNSIGNED)


@_compiled
def add(array, index, value):
    old, value = array[index], number(array, index, value)
    array[index] = old + value
    return old


@_compiled
def sub(array, index, value):
    old, value = array[index], number(array, index, value)
    array[index] = old - value
    return old


@_compiled
def max(array, index, value):
    old, value = array[index], number(array, index, value)
    if value > old:
        array[index] = value
    return old


@_compiled
def min(array, index, value):
    old, value = array[index], number(array, index, value)
    if value < old:
        array[index] = value
    return old


@_compiled
def nanmax(array, index, value):
    old, value = array[index], number(array, index, value)
    if value > old or old != old:
        array[index] = value
    return old


@_compiled
def nanmin(array, index, value):
    old, value = array[index], number(array, index, value)
    if value < old or old != old:
        array[index] = value
    return old


@_compiled
def and_(array, index, value):
    old = array[index]
    array[index] = integer(array, index, old) & integer(array, index, value)
    return old


@_compiled
def or_(array, index, value):
    old = array[index]
    array[index] = integer(array, index, old) | integer(array, index, value)
    return old


@_compiled
def xor(array, index, value):
    old = array[index]
    array[index] = integer(array, index, old) ^ integer(array, index, value)
    return old


@_compiled
def inc(array, index, limit):
    """Count up to ``limit``, then from zero again."""
    old = array[index]
    one = unsigned(array, index, 1)
    array[index] = unsigned(array, index, 0) if old >= unsigned(array, index, limit) else old + one
    return old


@_compiled
def dec(array, index, limit):
    """Count down to zero, then from ``limit`` again, which is also where a larger value goes."""
    old, limit = array[index], unsigned(array, index, limit)
    array[index] = limit if old == 0 or old > limit else old - unsigned(array, index, 1)
    return old


@_compiled
def exch(array, index, value):
    old = array[index]
    array[index] = integer(array, index, value)
    return old


@_compiled
def cas(array, index, expected, value):
    old = array[index]
    if old == integer(array, index, expected):
        array[index] = integer(array, index, value)
    return old


@_compiled
def compare_and_swap(array, expected, value):
    """``cas`` of the first element."""
    return cas(array, 0, expected, value)


def is_atomic(value) -> bool:
    """Whether an object is one of the operations above."""
    return any(value is one for one in globals().values() if hasattr(one, "py_func"))
