"""The sanitizer: every access to memory that threads share is checked, and what is wrong is found.

A kernel that is watched runs state by state. Each element of its arrays has a row of shadow memory that says who wrote
and who read it last, and when: the number of barriers that the block, and the warp, had passed. Two accesses of one
element by two threads are ordered by a barrier between them, and a race otherwise, unless both only read or both are
atomic. (S. Savage et al., Eraser, 1997, names the idea; barriers make it simple.)
"""

from __future__ import annotations

from numba import njit

from workbench.executors.cpu.dialect import WARP
from workbench.executors.cpu.memory import counted

READ, WRITE, ATOMIC = 0, 1, 2
"""What an access does."""

OUT_OF_BOUNDS, NOT_WRITTEN, WRITE_WRITE, READ_WRITE, WRITE_READ, LANE, DIVERGED, SKIPPED = range(1, 9)
"""What can be found: see :mod:`workbench.executors.cpu.findings`."""

MOST = 64
"""Findings that one launch notes; a site is noted once for each kind."""

THREADS = 1024
"""Threads that a block can have: block · THREADS + thread numbers a thread of the grid."""

# columns of a row of shadow memory
WRITER, READER, OTHER_READER = 0, 5, 10
WHO, BLOCK_TIME, WARP_TIME, BY_ATOMIC, SITE = range(5)
COLUMNS = 15

# columns of a watched buffer
BASE, BYTES, ITEM, FIRST_ROW, IS_SHARED = range(5)

# entries of the clock, before one for each warp
NOW, BLOCK, FENCED, TIMES = range(4)

_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_compiled
def note(found, kind, site, block, thread, a, b, c, buffer):
    """Note a finding, unless the same kind was found at the same site before.

    Updates: found [MOST + 1, 8]; found[0, 0] counts.
    """
    count = found[0, 0]
    for k in range(1, count + 1):
        if found[k, 0] == kind and found[k, 1] == site:
            return
    if count < MOST:
        found[0, 0] = count + 1
        row = found[count + 1]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = kind, site, block, thread, a, b, c, buffer


@_compiled
def _is_ordered(row, at, me, clock):
    """Whether the access in columns ``at`` of a row comes before one by thread ``me`` now."""
    other = row[at + WHO]
    if other == me:
        return True
    if other // THREADS != me // THREADS:
        return clock[FENCED] != 0
    if row[at + BLOCK_TIME] < clock[NOW]:
        return True
    warp = me % THREADS // WARP
    return other % THREADS // WARP == warp and row[at + WARP_TIME] < clock[TIMES + warp]


@_compiled
def _stamp(row, at, me, atomic, site, clock):
    row[at + WHO] = me
    row[at + BLOCK_TIME] = clock[NOW]
    row[at + WARP_TIME] = clock[TIMES + me % THREADS // WARP]
    row[at + BY_ATOMIC] = atomic
    row[at + SITE] = site


@_compiled
def _touch(found, row, is_shared, element, thread, site, mode, clock, buffer):
    block = clock[BLOCK]
    me = block * THREADS + thread
    writer = row[WRITER + WHO]
    both_atomic = mode == ATOMIC and row[WRITER + BY_ATOMIC] == 1
    if writer < 0:
        if is_shared and mode != WRITE:
            note(found, NOT_WRITTEN, site, block, thread, element, 0, 0, buffer)
    elif not both_atomic and not _is_ordered(row, WRITER, me, clock):
        kind = WRITE_READ if mode == READ else WRITE_WRITE
        note(found, kind, site, block, thread, element, writer, row[WRITER + SITE], buffer)
    if mode == READ:
        reader = row[READER + WHO]
        if reader >= 0 and reader != me and not _is_ordered(row, READER, me, clock):
            row[OTHER_READER : OTHER_READER + 5] = row[READER : READER + 5]
        _stamp(row, READER, me, 0, site, clock)
        return
    for at in (READER, OTHER_READER):
        if row[at + WHO] >= 0 and not _is_ordered(row, at, me, clock):
            note(found, READ_WRITE, site, block, thread, element, row[at + WHO], row[at + SITE], buffer)
    _stamp(row, WRITER, me, 1 if mode == ATOMIC else 0, site, clock)


@_compiled
def watch(array, index, thread, site, mode, found, buffers, shadow, clock):
    """Check one access; the index that is safe to use. Raises IndexError, once it is noted, for one out of bounds.

    Updates: found, and the shadow of the element.
    """
    address = array.ctypes.data
    for axis in range(len(index)):
        i = index[axis] + array.shape[axis] if index[axis] < 0 else index[axis]
        if i < 0 or i >= array.shape[axis]:
            note(found, OUT_OF_BOUNDS, site, clock[BLOCK], thread, index[axis], axis, array.shape[axis], -1)
            raise IndexError
        address += i * array.strides[axis]
    for k in range(buffers.shape[0]):
        offset = address - buffers[k, BASE]
        if 0 <= offset < buffers[k, BYTES]:
            item = buffers[k, ITEM]
            for element in range(offset // item, (offset + array.itemsize - 1) // item + 1):
                row = shadow[buffers[k, FIRST_ROW] + element]
                _touch(found, row, buffers[k, IS_SHARED] == 1, element, thread, site, mode, clock, k)
            break
    return index


@_compiled
def watch_shared(array, k, buffers, shadow):
    """Begin to watch a block's shared array, of which nothing is written yet.

    Updates: row k of buffers, and the array's shadow.
    """
    buffers[k, BASE] = array.ctypes.data
    first = buffers[k, FIRST_ROW]
    shadow[first : first + buffers[k, BYTES] // buffers[k, ITEM]] = -1


@_compiled
def watch_lane(found, clock, group, thread, source, site):
    """Note a shuffle that reads a lane which does not take part. Updates: found."""
    if source < group.size and group[source] != group[thread]:
        note(found, LANE, site, clock[BLOCK], thread, source % WARP, 0, 0, -1)


@_compiled
def watch_barrier(found, clock, waits, at, waiting, finished):
    """Note threads of the block that wait elsewhere, or that have run to the end of the kernel without waiting.

    Updates: found, and the clock.
    """
    first = -1
    for thread in range(waits.size):
        if waits[thread] == waiting:
            if first < 0:
                first = thread
            elif at[thread] != at[first]:
                note(found, DIVERGED, -at[first], clock[BLOCK], thread, first, at[thread], 0, -1)
                break
    if first < 0:
        return
    for thread in range(waits.size):
        if waits[thread] == finished:
            note(found, SKIPPED, -at[first], clock[BLOCK], thread, first, 0, 0, -1)
            break
    clock[NOW] += 1


counted(watch)
