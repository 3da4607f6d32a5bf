"""Kernels with one fault each, planted on the line that is marked ``# wrong``, and what the sanitizer must call it.

A race has two lines, and the mark is on either. The kernels take ``x``, which counts from one, and ``out``, zeros; both
have an element for each thread unless ``fault`` is told a shape.
"""

import inspect
import math
from dataclasses import dataclass, field

import numpy as np
from numba import cuda, float32, float64, int32

N = 64
TILE = 8
TABLE = np.arange(4, dtype=np.float32)


@dataclass(frozen=True)
class Fault:
    kernel: object
    kind: str
    grid: object = 1
    block: object = N
    shared_bytes: int = 0
    shape: tuple[int, ...] = ()
    devices: list = field(default_factory=list)

    def launch(self, launch):
        shape = self.shape or (math.prod(np.atleast_1d(self.grid)) * math.prod(np.atleast_1d(self.block)),)
        x = np.arange(1, math.prod(shape) + 1, dtype=np.float32).reshape(shape)
        launch(self.kernel[self.grid, self.block, 0, self.shared_bytes], x, np.zeros_like(x))

    @property
    def line(self):
        """The marked line, in the kernel or in a device function that it calls."""
        for function in (self.kernel, *self.devices):
            lines, first = inspect.getsourcelines(function.py_func)
            for k, line in enumerate(lines):
                if "# wrong" in line:
                    return first + k
        raise LookupError(self.kernel)


FAULTS = {}


def fault(kind, **details):
    def plant(function):
        FAULTS[function.__name__] = Fault(cuda.jit(function), kind, **details)
        return FAULTS[function.__name__].kernel

    return plant


# -- races in shared memory


@fault("read-write race")
def no_barrier(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = 0
    cuda.syncthreads()
    shared[t] = x[t]
    out[t] = shared[N - 1 - t]  # wrong


@fault("read-write race")
def no_second_barrier(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    for k in range(3):
        shared[t] = x[t] + k  # wrong
        cuda.syncthreads()
        out[t] = shared[N - 1 - t]


@fault("read-write race")
def tree_without_barriers(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    partial[t] = x[t]
    cuda.syncthreads()
    s = N // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]  # wrong
        s //= 2
    if t == 0:
        out[0] = partial[0]


@fault("not written")
def tree_before_the_barrier(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    partial[t] = x[t]
    s = N // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]  # wrong
        cuda.syncthreads()
        s //= 2
    if t == 0:
        out[0] = partial[0]


@fault("write-write race")
def all_write_one_element(x, out):
    last = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    last[0] = x[t]  # wrong
    cuda.syncthreads()
    out[t] = last[0]


@fault("read-write race")
def histogram_without_atomics(x, out):
    bins = cuda.shared.array(8, int32)
    t = cuda.threadIdx.x
    if t < 8:
        bins[t] = 0
    cuda.syncthreads()
    bins[int(x[t]) % 8] += 1  # wrong
    cuda.syncthreads()
    if t < 8:
        out[t] = bins[t]


@fault("read-write race")
def neighbours_in_place(x, out):
    shared = cuda.shared.array(N + 1, float32)
    t = cuda.threadIdx.x
    shared[t + 1] = x[t]
    if t == 0:
        shared[0] = 0
    cuda.syncthreads()
    shared[t + 1] = shared[t] + 1  # wrong
    cuda.syncthreads()
    out[t] = shared[t + 1]


@fault("read-write race")
def scan_in_place(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    cuda.syncthreads()
    step = 1
    while step < N:
        value = shared[t - step] if t >= step else float32(0)
        shared[t] += value  # wrong
        cuda.syncthreads()
        step *= 2
    out[t] = shared[t]


@fault("read-write race")
def one_thread_loads(x, out):
    first = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    first[0] = 1
    cuda.syncthreads()
    if t == 0:
        first[0] = x[0] + 1
    out[t] = x[t] * first[0]  # wrong


@fault("read-write race", block=(TILE, TILE), shape=(TILE, TILE))
def transpose_without_barrier(x, out):
    tile = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    tile[ty, tx] = 0
    cuda.syncthreads()
    tile[ty, tx] = x[ty, tx]
    out[ty, tx] = tile[tx, ty]  # wrong


@fault("write-write race", block=(TILE, TILE), shape=(TILE, TILE))
def forgets_the_other_axis(x, out):
    row = cuda.shared.array(TILE, float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row[tx] = x[ty, tx]  # wrong
    cuda.syncthreads()
    out[ty, tx] = row[tx]


@fault("read-write race", block=(TILE, TILE), shape=(TILE, 3 * TILE))
def tiles_without_second_barrier(x, out):
    tile = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for first in range(0, x.shape[1], TILE):
        tile[ty, tx] = x[ty, first + tx]  # wrong
        cuda.syncthreads()
        for k in range(TILE):
            total += tile[k, tx]
    out[ty, tx] = total


@fault("write-write race", shared_bytes=8 * N)
def two_dynamic_arrays_at_one_place(x, out):
    floats = cuda.shared.array(0, float32)
    ints = cuda.shared.array(0, int32)
    t = cuda.threadIdx.x
    floats[t] = x[t]
    ints[N - 1 - t] = t  # wrong
    cuda.syncthreads()
    out[t] = floats[t]


@fault("write-write race", shared_bytes=12 * N)
def dynamic_parts_overlap(x, out):
    doubles = cuda.shared.array(0, float64)
    floats = cuda.shared.array(0, float32)[N:]
    t = cuda.threadIdx.x
    doubles[t] = x[t]
    floats[t] = x[t]  # wrong
    cuda.syncthreads()
    out[t] = doubles[t] + floats[t]


@fault("read-write race")
def warp_without_syncwarp(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    partial[t] = x[t]
    cuda.syncthreads()
    if t < 32:
        partial[t] += partial[t + 32]
        cuda.syncwarp()
        if t < 16:
            partial[t] += partial[t + 16]  # wrong
        if t < 8:
            partial[t] += partial[t + 8]
    cuda.syncthreads()
    out[t] = partial[t]


@fault("not written")
def syncwarp_between_warps(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    cuda.syncwarp()
    out[t] = shared[N - 1 - t]  # wrong


@fault("read-write race")
def syncwarp_between_warps_again(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = 0
    cuda.syncthreads()
    shared[t] = x[t]
    cuda.syncwarp()
    out[t] = shared[N - 1 - t]  # wrong


@fault("read-write race", block=32)
def half_of_a_warp_waits(x, out):
    shared = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    shared[t] = 0
    cuda.syncwarp()
    shared[t] = x[t]
    if t < 16:
        cuda.syncwarp(0x0000FFFF)
    else:
        cuda.syncwarp(0xFFFF0000)
    out[t] = shared[31 - t]  # wrong


@fault("write-write race", shape=(2 * N,))
def halves_overlap(x, out):
    shared = cuda.shared.array(2 * N - 1, float32)
    low = shared[:N]
    high = shared[N - 1 :]
    t = cuda.threadIdx.x
    low[t] = x[t]
    high[t] = x[t + N]  # wrong
    cuda.syncthreads()
    out[t] = low[t] + high[t]


@cuda.jit(device=True)
def block_sum(partial, value):
    t = cuda.threadIdx.x
    partial[t] = value  # wrong
    cuda.syncthreads()
    total = float32(0)
    for k in range(N):
        total += partial[k]
    return total


@fault("read-write race", devices=[block_sum])
def device_function_without_last_barrier(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    mean = block_sum(partial, x[t]) / N
    out[t] = block_sum(partial, (x[t] - mean) ** 2)


# -- races in global memory


@fault("read-write race")
def everyone_adds(x, out):
    out[0] += x[cuda.threadIdx.x]  # wrong


@fault("write-write race", grid=2)
def blocks_share(x, out):
    out[cuda.threadIdx.x] = x[cuda.grid(1)]  # wrong


@fault("read-write race", grid=2)
def blocks_shift_in_place(x, out):
    i = cuda.grid(1)
    value = x[i + 1] if i + 1 < x.size else float32(0)
    cuda.syncthreads()
    x[i] = value  # wrong


@fault("read-write race")
def stencil_in_place(x, out):
    t = cuda.threadIdx.x
    x[t] = 0.5 * (x[t] + x[t - 1])  # wrong


@fault("read-write race", grid=2)
def reads_another_block(x, out):
    i = cuda.grid(1)
    out[i] = x[i]
    cuda.syncthreads()
    x[i] = out[i - N] if i >= N else out[i]  # wrong


@fault("read-write race", grid=2)
def last_block_without_fence(x, out):
    is_last = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        out[cuda.blockIdx.x] = x[cuda.grid(1)]
        is_last[0] = cuda.atomic.add(out, 2, 1) == cuda.gridDim.x - 1
    cuda.syncthreads()
    if is_last[0] and t == 0:
        x[0] = out[0] + out[1]  # wrong


@fault("read-write race", grid=2)
def fences_after_the_atomic(x, out):
    t = cuda.threadIdx.x
    if t == 0:
        turn = cuda.atomic.add(x, 0, 1)
        out[cuda.blockIdx.x] = x[cuda.blockIdx.x + 1]
        cuda.threadfence()
        if turn == 2:
            out[2] = out[0] + out[1]  # wrong


@fault("write-write race")
def atomic_and_not(x, out):
    t = cuda.threadIdx.x
    cuda.atomic.add(out, 0, x[t])
    if t == 5:
        out[0] = 0  # wrong


@fault("read-write race")
def reads_the_sum_too_early(x, out):
    t = cuda.threadIdx.x
    cuda.atomic.add(out, 0, x[t])
    if t == N - 1:
        x[0] = out[0]  # wrong


@fault("read-write race")
def looks_before_the_atomic(x, out):
    t = cuda.threadIdx.x
    if x[t] > out[0]:  # wrong
        cuda.atomic.max(out, 0, x[t])


@fault("read-write race")
def counter_without_atomics(x, out):
    t = cuda.threadIdx.x
    slot = int(out[0])
    out[0] = slot + 1  # wrong
    x[t] = slot


@fault("write-write race", grid=2, shape=(4 * N,))
def strides_too_short(x, out):
    for i in range(cuda.grid(1), x.size, N):
        out[i] = x[i] + cuda.blockIdx.x  # wrong


@fault("read-write race", block=(TILE, TILE), shape=(TILE, TILE))
def row_sums_without_atomics(x, out):
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    out[ty, 0] += x[ty, tx]  # wrong


@cuda.jit(device=True)
def store(array, t, value):
    array[t // 2] = value  # wrong


@fault("write-write race", devices=[store])
def in_a_device_function(x, out):
    t = cuda.threadIdx.x
    store(out, t, x[t])


@fault("write-write race")
def through_a_view(x, out):
    row = out[1:]
    row[cuda.threadIdx.x // 2] = x[cuda.threadIdx.x]  # wrong


@fault("write-write race", shape=(N, 4))
def whole_rows(x, out):
    t = cuda.threadIdx.x
    out[t // 2, :] = x[t, 0]  # wrong


# -- barriers


@fault("skipped barrier")
def barrier_under_if(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        cuda.syncthreads()  # wrong
    out[t] = x[t]


@fault("divergent barrier")
def two_barriers(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        cuda.syncthreads()  # wrong
    else:
        cuda.syncthreads()
    out[t] = x[t]


@fault("skipped barrier")
def different_trip_counts(x, out):
    t = cuda.threadIdx.x
    for k in range(1 + t % 2):
        out[t] = x[t] + k
        cuda.syncthreads()  # wrong


@fault("divergent barrier")
def different_trip_counts_and_another(x, out):
    t = cuda.threadIdx.x
    for k in range(1 + t % 2):
        out[t] = x[t] + k
        cuda.syncthreads()
    out[t] += 1
    cuda.syncthreads()  # wrong
    out[t] += 1


@fault("skipped barrier")
def leaves_the_loop(x, out):
    t = cuda.threadIdx.x
    for k in range(4):
        cuda.syncthreads()  # wrong
        if x[t] > 16 * (k + 1):
            break
        out[t] = k


@fault("skipped barrier")
def until_one_s_own_is_done(x, out):
    t = cuda.threadIdx.x
    value = x[t]
    while value > 1:
        value *= 0.5
        cuda.syncthreads()  # wrong
    out[t] = value


@cuda.jit(device=True)
def wait_and_load(shared, t):
    cuda.syncthreads()  # wrong
    return shared[N - 1 - t]


@fault("skipped barrier", devices=[wait_and_load])
def barrier_in_a_device_function(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    if t % 2 == 0:
        out[t] = wait_and_load(shared, t)


@fault("skipped barrier")
def some_count(x, out):
    t = cuda.threadIdx.x
    if x[t] > 10:
        out[t] = cuda.syncthreads_count(x[t] > 20)  # wrong


@fault("skipped barrier")
def barrier_behind_and(x, out):
    t = cuda.threadIdx.x
    if t < 16 and cuda.syncthreads_or(x[t] > 3):  # wrong
        out[t] = 1


@fault("not written", shape=(N - 10,))
def early_return(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    if t >= x.size:
        return
    partial[t] = x[t]
    cuda.syncthreads()
    s = N // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]  # wrong
        cuda.syncthreads()
        s //= 2
    out[t] = partial[0]


# -- out of bounds


@fault("out of bounds")
def one_past_the_end(x, out):
    t = cuda.threadIdx.x
    out[t] = x[t + 1]  # wrong


@fault("out of bounds")
def writes_past_the_end(x, out):
    t = cuda.threadIdx.x
    out[2 * t] = x[t]  # wrong


@fault("out of bounds", grid=2, shape=(N + 1,))
def no_guard(x, out):
    i = cuda.grid(1)
    out[i] = x[0]  # wrong


@fault("out of bounds")
def past_shared_memory(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t + 1] = x[t]  # wrong
    cuda.syncthreads()
    out[t] = shared[t]


@fault("out of bounds", shared_bytes=4 * N - 4)
def past_dynamic_shared_memory(x, out):
    shared = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]  # wrong
    cuda.syncthreads()
    out[t] = shared[t]


@fault("out of bounds")
def past_local_memory(x, out):
    mine = cuda.local.array(4, float32)
    t = cuda.threadIdx.x
    for k in range(5):
        mine[k] = x[t] * k  # wrong
    out[t] = mine[3]


@fault("out of bounds", block=(TILE, TILE), shape=(TILE, TILE))
def into_the_next_row(x, out):
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    out[ty, tx] = x[ty, tx + 1]  # wrong


@fault("out of bounds", block=(4, 8), shape=(8, 4))
def swapped_indices(x, out):
    i, j = cuda.threadIdx.y, cuda.threadIdx.x
    out[i, j] = x[j, i]  # wrong


@fault("out of bounds")
def too_negative(x, out):
    t = cuda.threadIdx.x
    out[t] = x[t - N - 1]  # wrong


@fault("out of bounds")
def past_a_slice(x, out):
    half = x[: N // 2]
    t = cuda.threadIdx.x
    out[t] = half[t]  # wrong


@fault("out of bounds", grid=4, shape=(3, N))
def row_that_is_not_there(x, out):
    row = x[cuda.blockIdx.x]  # wrong
    t = cuda.threadIdx.x
    if t < 0:
        out[0, t] = row[t]


@fault("out of bounds", shape=(3, N - 1))
def column_that_is_not_there(x, out):
    t = cuda.threadIdx.x
    column = x[:, t]  # wrong
    if t < 0:
        out[0, t] = column[0]


@fault("out of bounds")
def atomic_past_the_end(x, out):
    cuda.atomic.add(out, int(x[cuda.threadIdx.x]), 1)  # wrong


@fault("out of bounds")
def past_a_table(x, out):
    table = cuda.const.array_like(TABLE)
    t = cuda.threadIdx.x
    out[t] = table[t // 8]  # wrong


@cuda.jit(device=True)
def difference(row, c):
    return row[c + 1] - row[c]  # wrong


@fault("out of bounds", block=4, shape=(4, 5), devices=[difference])
def in_a_device_function_of_a_row(x, out):
    t = cuda.threadIdx.x
    for c in range(5):
        out[t, c] = difference(x[t], c)


# -- read before it is written


@fault("not written")
def nothing_written(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] += x[t]  # wrong
    cuda.syncthreads()
    out[t] = shared[N - 1 - t]


@fault("not written")
def tail_not_written(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    if t < N - 4:
        shared[t] = x[t]
    cuda.syncthreads()
    out[t] = shared[N - 1 - t]  # wrong


@fault("not written", shared_bytes=8 * N)
def dynamic_not_written(x, out):
    shared = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    cuda.syncthreads()
    out[t] = shared[t] + shared[t + N]  # wrong


@fault("not written", block=(TILE, TILE), shape=(TILE, TILE))
def halo_not_written(x, out):
    tile = cuda.shared.array((TILE, TILE + 1), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    tile[ty, tx] = x[ty, tx]
    cuda.syncthreads()
    out[ty, tx] = tile[ty, tx + 1] - tile[ty, tx]  # wrong


@fault("not written")
def sum_not_zeroed(x, out):
    total = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    cuda.atomic.add(total, 0, x[t])  # wrong
    cuda.syncthreads()
    out[t] = total[0]


@fault("not written", grid=2)
def only_the_first_block_writes(x, out):
    shared = cuda.shared.array(N, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    if cuda.blockIdx.x == 0:
        shared[t] = x[i]
    cuda.syncthreads()
    out[i] = shared[t]  # wrong


# -- lanes


@fault("inactive lane")
def inactive_lane(x, out):
    t = cuda.threadIdx.x
    if t % 32 < 16:
        out[t] = cuda.shfl_down_sync(0xFFFF, x[t], 8)  # wrong


@fault("inactive lane")
def lane_of_the_other_branch(x, out):
    t = cuda.threadIdx.x
    if t % 2 == 0:
        out[t] = cuda.shfl_xor_sync(0x55555555, x[t], 1)  # wrong


@fault("inactive lane")
def lane_that_has_returned(x, out):
    t = cuda.threadIdx.x
    if t % 32 == 0:
        return
    out[t] = cuda.shfl_sync(0xFFFFFFFE, x[t], 0)  # wrong


@fault("wrong mask")
def full_mask_under_if(x, out):
    t = cuda.threadIdx.x
    if t % 32 < 16:
        out[t] = cuda.shfl_xor_sync(0xFFFFFFFF, x[t], 1)  # wrong
    cuda.syncthreads()
    x[t] = out[t]


@fault("wrong mask")
def not_in_one_s_own_mask(x, out):
    t = cuda.threadIdx.x
    out[t] = cuda.ballot_sync(0x0000FFFF, x[t] > 3)  # wrong


@fault("wrong mask", block=32)
def syncwarp_under_if(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        out[t] = x[t]
        cuda.syncwarp()  # wrong
        out[t] = x[15 - t]
    cuda.syncthreads()
    x[t] = out[t]
