"""``cuda.atomic`` for one worker, which runs the threads one after the other: a plain read and a plain write.

Each function returns the value that was there before. ``max`` and ``min`` leave the array alone if
either value is NaN; ``nanmax`` and ``nanmin`` replace a NaN, as numba-cuda's do.
"""

from __future__ import annotations

from numba import njit

_compiled = njit(nogil=True, error_model="numpy", inline="never")


@_compiled
def add(array, index, value):
    old = array[index]
    array[index] = old + value
    return old


@_compiled
def sub(array, index, value):
    old = array[index]
    array[index] = old - value
    return old


@_compiled
def max(array, index, value):
    old = array[index]
    if value > old:
        array[index] = value
    return old


@_compiled
def min(array, index, value):
    old = array[index]
    if value < old:
        array[index] = value
    return old


@_compiled
def nanmax(array, index, value):
    old = array[index]
    if value > old or old != old:
        array[index] = value
    return old


@_compiled
def nanmin(array, index, value):
    old = array[index]
    if value < old or old != old:
        array[index] = value
    return old


@_compiled
def exch(array, index, value):
    old = array[index]
    array[index] = value
    return old


@_compiled
def cas(array, index, expected, value):
    old = array[index]
    if old == expected:
        array[index] = value
    return old
