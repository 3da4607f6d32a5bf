"""Shuffles and votes among threads that all take part: a warp in lockstep, or a whole block.

``handed`` holds what each thread handed out; the warp's begin at ``first`` and are ``lanes`` many. Result types are
those of numba-cuda.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.executors.cpu.dialect import WARP

_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_compiled
def shfl_sync(handed, first, lanes, lane, source):
    source %= WARP
    return handed[first + (source if source < lanes else lane)]


@_compiled
def shfl_up_sync(handed, first, lanes, lane, delta):
    return handed[first + (lane - delta if lane >= delta else lane)]


@_compiled
def shfl_down_sync(handed, first, lanes, lane, delta):
    return handed[first + (lane + delta if lane + delta < lanes else lane)]


@_compiled
def shfl_xor_sync(handed, first, lanes, lane, mask):
    source = lane ^ mask
    return handed[first + (source if 0 <= source < lanes else lane)]


@_compiled
def ballot_sync(handed, first, lanes):
    bits = np.uint32(0)
    for lane in range(lanes):
        bits |= np.uint32(handed[first + lane]) << np.uint32(lane)
    return np.int32(bits)


@_compiled
def any_sync(handed, first, lanes):
    found = False
    for lane in range(lanes):
        found |= handed[first + lane]
    return found


@_compiled
def all_sync(handed, first, lanes):
    found = True
    for lane in range(lanes):
        found &= handed[first + lane]
    return found


@_compiled
def eq_sync(handed, first, lanes):
    return all_sync(handed, first, lanes) or not any_sync(handed, first, lanes)


@_compiled
def activemask(handed, first, lanes):
    return np.uint32((1 << lanes) - 1)


@_compiled
def match_any_sync(handed, first, lanes, lane):
    bits = np.uint32(0)
    for other in range(lanes):
        if handed[first + other] == handed[first + lane]:
            bits |= np.uint32(1) << np.uint32(other)
    return np.int32(bits)


@_compiled
def match_all_sync(handed, first, lanes, lane):
    same = np.uint32(match_any_sync(handed, first, lanes, lane))
    everyone = same == activemask(handed, first, lanes)
    return (np.int32(same) if everyone else np.int32(0)), everyone


@_compiled
def syncthreads_count(handed):
    count = 0
    for thread in range(handed.size):
        count += handed[thread]
    return np.int32(count)


@_compiled
def syncthreads_or(handed):
    return np.int32(syncthreads_count(handed) != 0)


@_compiled
def syncthreads_and(handed):
    return np.int32(syncthreads_count(handed) == handed.size)
