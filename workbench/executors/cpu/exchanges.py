"""What a thread gets back when threads hand out values to each other: shuffles, votes and matches.

``handed`` holds what each thread of the block handed out. ``group`` tells who takes part: the threads whose entry is
the same as one's own (the place in the kernel where they met), among those of the warp or of the block. Result types
are those of numba-cuda. Reading a lane that does not take part is undefined in CUDA; here one's own value comes back.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import overload

from workbench.executors.cpu.dialect import SHUFFLES

WARP = 32
SHUFFLED = (types.int32, types.int64, types.float32, types.float64)
"""What numba-cuda shuffles."""

_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_compiled
def release(waits, at, group, first, last, kind):
    """Let the threads in first..last that wait for ``kind`` go on; whether there were any.

    Updates: group and waits, of first..last.
    """
    found = False
    for thread in range(first, last):
        found |= waits[thread] == kind
    if not found:  # threads of other warps may still have to look at these
        return False
    for thread in range(first, last):
        waiting = waits[thread] == kind
        group[thread] = at[thread] if waiting else -1
        if waiting:
            waits[thread] = 0
    return True


@_compiled
def meet(waits, at, group, masks, first, last):
    """Let the threads of a warp, first..last, go on that wait for each other; whether there were any.

    Those go on whose masks name only threads that wait in the same place. If there are none, since a mask names threads
    that went another way, which CUDA leaves undefined, all of the warp's that wait go on.

    Updates: group and waits, of first..last.
    """
    running = 0  # lanes as bits: those that have not returned, and those that were looked at
    seen = 0
    for thread in range(first, last):
        running |= (waits[thread] < 3) << (thread - first)
        if waits[thread] != 2:
            group[thread] = -1
    found = False
    for thread in range(first, last):
        if waits[thread] != 1 or seen >> (thread - first) & 1:
            continue
        here = named = 0
        for other in range(thread, last):
            if waits[other] == 1 and at[other] == at[thread]:
                here |= 1 << (other - first)
                named |= masks[other]
        seen |= here
        if named & running & ~here == 0:
            found = True
            for other in range(thread, last):
                if here >> (other - first) & 1:
                    group[other] = at[thread]
    if not found:
        return release(waits, at, group, first, last, 1)
    for thread in range(first, last):
        if waits[thread] == 1 and group[thread] >= 0:
            waits[thread] = 0
    return True


@_compiled
def _from_lane(handed, group, thread, source):
    if source < handed.size and group[source] == group[thread]:
        return handed[source]
    return handed[thread]


@_compiled
def lane_of_shfl_sync(thread, lane):
    return thread - thread % WARP + lane % WARP


@_compiled
def lane_of_shfl_up_sync(thread, delta):
    return thread - delta if thread % WARP >= delta else thread


@_compiled
def lane_of_shfl_down_sync(thread, delta):
    return thread + delta if thread % WARP + delta < WARP else thread


@_compiled
def lane_of_shfl_xor_sync(thread, mask):
    lane = (thread % WARP) ^ mask
    return thread - thread % WARP + lane if 0 <= lane < WARP else thread


@_compiled
def shfl_sync(handed, group, thread, lane):
    return _from_lane(handed, group, thread, lane_of_shfl_sync(thread, lane))


@_compiled
def shfl_up_sync(handed, group, thread, delta):
    return _from_lane(handed, group, thread, lane_of_shfl_up_sync(thread, delta))


@_compiled
def shfl_down_sync(handed, group, thread, delta):
    return _from_lane(handed, group, thread, lane_of_shfl_down_sync(thread, delta))


@_compiled
def shfl_xor_sync(handed, group, thread, mask):
    return _from_lane(handed, group, thread, lane_of_shfl_xor_sync(thread, mask))


@_compiled
def ballot_sync(handed, group, thread):
    bits = np.uint32(0)
    first = thread - thread % WARP
    for lane in range(min(WARP, handed.size - first)):
        if group[first + lane] == group[thread] and handed[first + lane]:
            bits |= np.uint32(1) << np.uint32(lane)
    return np.int32(bits)


@_compiled
def any_sync(handed, group, thread):
    return ballot_sync(handed, group, thread) != 0


@_compiled
def activemask(handed, group, thread):
    bits = np.uint32(0)
    first = thread - thread % WARP
    for lane in range(min(WARP, handed.size - first)):
        if group[first + lane] == group[thread]:
            bits |= np.uint32(1) << np.uint32(lane)
    return bits


@_compiled
def all_sync(handed, group, thread):
    return np.uint32(ballot_sync(handed, group, thread)) == activemask(handed, group, thread)


@_compiled
def eq_sync(handed, group, thread):
    return all_sync(handed, group, thread) or not any_sync(handed, group, thread)


@_compiled
def match_any_sync(handed, group, thread):
    bits = np.uint32(0)
    first = thread - thread % WARP
    for lane in range(min(WARP, handed.size - first)):
        if group[first + lane] == group[thread] and handed[first + lane] == handed[thread]:
            bits |= np.uint32(1) << np.uint32(lane)
    return np.int32(bits)


@_compiled
def match_all_sync(handed, group, thread):
    same = np.uint32(match_any_sync(handed, group, thread))
    everyone = same == activemask(handed, group, thread)
    return (np.int32(same) if everyone else np.int32(0)), everyone


@_compiled
def syncthreads_count(handed, group, thread):
    count = np.int32(0)
    for other in range(handed.size):
        if group[other] == group[thread] and handed[other]:
            count += np.int32(1)
    return np.int32(count)


@_compiled
def syncthreads_or(handed, group, thread):
    return np.int32(syncthreads_count(handed, group, thread) != 0)


@_compiled
def syncthreads_and(handed, group, thread):
    for other in range(handed.size):
        if group[other] == group[thread] and not handed[other]:
            return np.int32(0)
    return np.int32(1)


def _typed(result):
    return njit(lambda value: result)


def shuffled(value, lane):
    """What a shuffle's result is the type of."""


@overload(shuffled)
def _shuffled(value, lane):
    if types.unliteral(value) not in SHUFFLED:
        raise TypingError(f"a shuffle exchanges {', '.join(map(str, SHUFFLED))}, and this is {value}: convert it")
    if not isinstance(lane, types.Integer):
        raise TypingError(f"the lane or distance of a shuffle is an integer, and this is {lane}")
    return lambda value, lane: value


RESULTS = {
    **dict.fromkeys(SHUFFLES, njit(lambda value, lane: shuffled(value, lane))),
    "any_sync": _typed(True),
    "all_sync": _typed(True),
    "eq_sync": _typed(True),
    "ballot_sync": _typed(np.int32(0)),
    "activemask": _typed(np.uint32(0)),
    "match_any_sync": _typed(np.int32(0)),
    "match_all_sync": _typed((np.int32(0), True)),
    "syncthreads_count": _typed(np.int32(0)),
    "syncthreads_and": _typed(np.int32(0)),
    "syncthreads_or": _typed(np.int32(0)),
}
"""Functions of one thread's value (and lane) with the result types of the operations above."""
