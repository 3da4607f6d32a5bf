"""The sanitizer: every access to memory that threads share is checked, and what is wrong is found.

A kernel that is watched runs state by state, one block after the other. Time is counted in ticks: one passes whenever
threads have waited for each other. Each element of the watched arrays has a row of shadow memory that says which
threads wrote and read it last, and when. Two accesses of one element by two threads are a race unless one thread has
waited for the other in between, or both only read, or both are atomic. (S. Savage et al., Eraser, 1997, names the
idea; barriers make it simple.)

Threads also order their accesses by ``cuda.threadfence`` and an atomic operation: in a kernel that fences, what came
before an atomic operation is known to whoever does one on the same element later.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from workbench.executors.cpu.dialect import WARP
from workbench.executors.cpu.memory import layout_of

READ, WRITE, ATOMIC, LOCAL = range(4)
"""What an access does; of one that is LOCAL only the index is checked, as for an array that no other thread sees."""

OUT_OF_BOUNDS, NOT_WRITTEN, WRITE_WRITE, READ_WRITE, LANE, MASK, DIVERGED, SKIPPED = range(1, 9)
"""What can be found: see :mod:`workbench.executors.cpu.findings`."""

MOST = 64
"""Findings that one launch notes; a place is noted once for each kind and other place."""

BUFFERS = 128
"""Arrays that one launch watches."""

THREADS = 1024
"""Threads that a block can have."""

FENCE = WARP
"""The column of ``known`` for what a thread knows by an atomic operation; the others are for the lanes of its warp."""

STATE = np.dtype(
    [
        ("now", np.int64),  # the tick
        ("began", np.int64),  # when the block began
        ("passed", np.int64),  # when the block last waited for all its threads
        ("block", np.int64),
        ("fences", np.int64),
        ("noted", np.int64),
        ("watched", np.int64),
        ("found", np.int64, (MOST, 8)),
        ("buffers", np.int64, (BUFFERS, 5)),
        ("known", np.int64, (THREADS, WARP + 1)),  # up to which tick a thread knows what each lane of its warp did
    ]
)
"""What is known while a launch runs."""

BASE, BYTES, SHIFT, FIRST_ROW, IS_SHARED = range(5)
"""Columns of a watched buffer: its address, its size, the log2 of the bytes that a row of shadow memory is for."""

WRITER, OTHER_WRITER, READER, OTHER_READER = range(4)
"""Columns of shadow memory. A stamp is 0 where there was no access; else tick, atomic or not, thread and site."""

TICK, BY_ATOMIC, WHO = 31, 30, 20
"""Where the parts of a stamp begin, of which the lowest is the site."""

_compiled = njit(nogil=True, error_model="numpy", cache=True, _nrt=False)


@_compiled
def note(state, kind, site, thread, a, b, c, buffer):
    """Note a finding, unless the same kind was found at the same two sites, ``site`` and ``c``, before.

    ``buffer`` is the watched array; negative where there is none, and then minus the number of axes.
    """
    for k in range(state.noted):
        if state.found[k, 0] == kind and state.found[k, 1] == site and state.found[k, 6] == c:
            return
    if state.noted < MOST:
        row = state.found[state.noted]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = (
            kind,
            site,
            state.block,
            thread,
            a,
            b,
            c,
            buffer,
        )
        state.noted += 1


@_compiled
def _who(stamp):
    return stamp >> WHO & THREADS - 1


@_compiled
def _is_ordered(state, stamp, thread, is_shared):
    """Whether an access comes before what a thread does now; True if there was none."""
    tick = stamp >> TICK
    if tick < state.began:
        if is_shared or tick == 0:
            return True
    else:
        other = _who(stamp)
        if tick < state.passed or other == thread:
            return True
        if other // WARP == thread // WARP and tick < state.known[thread, other % WARP]:
            return True
    return tick < state.known[thread, FENCE]


@_compiled
def _distance(state, stamp, thread):
    """How far away a thread is: in another block, in another warp, in the same one."""
    if stamp >> TICK < state.began:
        return 2
    return 1 if _who(stamp) // WARP != thread // WARP else 0


@_compiled
def _remember(state, row, column, stamp, thread, is_shared):
    """Put an access into a column; the one that was there goes to the next column if it is the harder to be ordered by.

    Updates: the row.
    """
    old, older = row[column], row[column + 1]
    if not _is_ordered(state, old, thread, is_shared) and (
        _is_ordered(state, older, thread, is_shared) or _distance(state, old, thread) >= _distance(state, older, thread)
    ):
        row[column + 1] = old
    row[column] = stamp


@_compiled
def _race(state, kind, site, thread, offset, stamp, buffer):
    note(state, kind, site, thread, offset, stamp, stamp & (1 << WHO) - 1, buffer)


@_compiled
def _touch(state, row, is_shared, offset, thread, site, mode, buffer):
    writer = row[WRITER]
    by_atomic = writer >> BY_ATOMIC & 1
    if is_shared and mode != WRITE and writer >> TICK < state.began:
        note(state, NOT_WRITTEN, site, thread, offset, 0, 0, buffer)
    elif mode != ATOMIC or not by_atomic:
        kind = READ_WRITE if mode == READ else WRITE_WRITE
        for column in (WRITER, OTHER_WRITER):
            if not _is_ordered(state, row[column], thread, is_shared):
                _race(state, kind, site, thread, offset, row[column], buffer)
                break
    if mode != READ:
        for column in (READER, OTHER_READER):
            if not _is_ordered(state, row[column], thread, is_shared):
                _race(state, READ_WRITE, site, thread, offset, row[column], buffer)
                break
    if mode == ATOMIC and state.fences:
        if by_atomic:
            state.known[thread, FENCE] = max(state.known[thread, FENCE], writer >> TICK)
        state.now += 1
    stamp = state.now << TICK | (mode == ATOMIC) << BY_ATOMIC | thread << WHO | site
    if mode == READ:
        _remember(state, row, READER, stamp, thread, is_shared)
    elif mode == ATOMIC:
        _remember(state, row, WRITER, stamp, thread, is_shared)
    else:
        row[WRITER] = stamp
        row[OTHER_WRITER] = 0


@_compiled
def touch(state, shadow, address, size, thread, site, mode):
    """Check an access to ``size`` bytes at an address. Updates: what was found, and the shadow of those bytes."""
    for k in range(state.watched):
        offset = address - state.buffers[k, BASE]
        if 0 <= offset < state.buffers[k, BYTES]:
            shift = state.buffers[k, SHIFT]
            first = state.buffers[k, FIRST_ROW]
            is_shared = state.buffers[k, IS_SHARED] == 1
            for row in range(offset >> shift, (offset + size - 1 >> shift) + 1):
                _touch(state, shadow[first + row], is_shared, offset, thread, site, mode, k)
            return


@_compiled
def watch_axis(layout, axis, index, thread, site, state):
    """Check the index on one axis of an array; gives it back. Raises IndexError, once it is noted, out of bounds."""
    size = layout[2 + axis]
    if index < -size or index >= size:
        note(state, OUT_OF_BOUNDS, site, thread, index, axis, size, 1 - len(layout) // 2)
        raise IndexError
    return index


@_compiled
def watch(layout, index, thread, site, mode, state, shadow):
    """Check an access to one element of an array; gives the index back. Raises what watch_axis raises."""
    address = layout[0]
    for axis in range(len(index)):
        i = watch_axis(layout, axis, index[axis], thread, site, state)
        address += (i + layout[2 + axis] if i < 0 else i) * layout[2 + len(index) + axis]
    if mode != LOCAL:
        touch(state, shadow, address, layout[1], thread, site, mode)
    return index


@_compiled
def watch_all(array, thread, site, mode, state, shadow):
    """Check an access to all elements of an array."""
    for index in np.ndindex(array.shape):
        watch(layout_of(array), index, thread, site, mode, state, shadow)


@_compiled
def begin(state, block, threads):
    """Begin a block. Updates: state."""
    state.block = block
    state.now += 1
    state.began = state.passed = state.now
    for thread in range(threads if state.fences else 0):
        state.known[thread, FENCE] = 0


@_compiled
def watch_shared(layout, k, state):
    """Begin to watch a block's shared array. Updates: state."""
    state.buffers[k, BASE] = layout[0]


@_compiled
def watch_lane(state, group, thread, source, site):
    """Note a shuffle that reads from a thread which does not take part. Updates: state.

    Lanes past the end of the block are none: kernels that read from them commonly drop what they get.
    """
    if source < group.size and group[source] != group[thread]:
        note(state, LANE, site, thread, source % WARP, 0, 0, -1)


@_compiled
def _met(state, waits, group, masks, first, last, thread):
    """The threads that went on together with one now know what each of them did. Updates: state."""
    state.now += 1
    for lane in range(WARP + 1):
        newest = 0
        for other in range(first, last):
            if waits[other] == 0 and group[other] == group[thread]:
                newest = max(newest, state.known[other, lane])
        if first + lane < last and lane < WARP and waits[first + lane] == 0 and group[first + lane] == group[thread]:
            newest = state.now
        for other in range(first, last):
            if waits[other] == 0 and group[other] == group[thread]:
                state.known[other, lane] = newest


@_compiled
def watch_warp(state, waits, group, masks, first, last):
    """Follow the threads of a warp, first..last, that just waited for each other; note masks that are not who came.

    Updates: state.
    """
    for thread in range(first, last):
        if waits[thread] != 0 or group[thread] < 0:
            continue
        is_first = True
        for other in range(first, last):
            together = waits[other] == 0 and group[other] == group[thread]
            is_first &= other >= thread or not together
            named = masks[thread] >= 0 and masks[thread] >> (other - first) & 1
            if (named and not together and waits[other] < 3) or (masks[thread] >= 0 and other == thread and not named):
                note(state, MASK, group[thread], thread, other - first, 0, 0, -1)
        if is_first:
            _met(state, waits, group, masks, first, last, thread)


@_compiled
def watch_barrier(state, waits, at, waiting, finished):
    """Note threads of the block that wait elsewhere, or that have run to the end of the kernel without waiting.

    Updates: state.
    """
    first = -1
    for thread in range(waits.size):
        if waits[thread] == waiting:
            if first < 0:
                first = thread
            elif at[thread] != at[first]:
                note(state, DIVERGED, at[first], thread, first, at[thread], 0, -1)
                break
    if first < 0:
        return
    for thread in range(waits.size):
        if waits[thread] == finished:
            note(state, SKIPPED, at[first], thread, first, 0, 0, -1)
            break
    state.now += 1
    state.passed = state.now
    if state.fences:
        newest = 0
        for thread in range(waits.size):
            newest = max(newest, state.known[thread, FENCE])
        for thread in range(waits.size):
            state.known[thread, FENCE] = newest
