"""Kernels without a fault that a careless sanitizer would find one in.

They take ``x``, which counts from one, and ``out``, zeros, with an element for each thread.
"""

import numpy as np
from numba import cuda, float32, float64, int32, int64

N = 64

CASES = {}


def faultless(grid=1, block=N, shared_bytes=0):
    def add(function):
        CASES[function.__name__] = (cuda.jit(function), grid, block, shared_bytes)
        return function

    return add


def launch(case, how):
    """Launch with ``how``; what is in ``x`` and ``out`` afterwards."""
    kernel, grid, block, shared_bytes = case
    x = np.arange(1, grid * block + 1, dtype=np.float32)
    out = np.zeros_like(x)
    how(kernel[grid, block, 0, shared_bytes], x, out)
    return x, out


@faultless(grid=2)
def all_write_one_constant(x, out):
    """One of the writes arrives, whichever."""
    found = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    found[0] = 0
    cuda.syncthreads()
    if x[t] > 50:
        found[0] = 1
    cuda.syncthreads()
    if found[0]:
        out[0] = 1


@faultless(grid=3)
def last_block_adds_up(x, out):
    """Blocks hand over by a fence and an atomic operation."""
    is_last = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        out[cuda.blockIdx.x] = x[cuda.grid(1)]
        cuda.threadfence()
        is_last[0] = cuda.atomic.add(out, 10, 1) == cuda.gridDim.x - 1
    cuda.syncthreads()
    if is_last[0] and t < cuda.gridDim.x:
        x[t] = 2 * out[t]


@cuda.jit(device=True)
def locked_sum(locks, x, out, i):
    while cuda.atomic.cas(locks, 0, 0, 1) != 0:
        pass
    cuda.threadfence()
    out[0] += x[i]
    cuda.threadfence()
    cuda.atomic.exch(locks, 0, 0)


@faultless()
def spin_lock(x, out):
    locks = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        locks[0] = 0
    cuda.syncthreads()
    locked_sum(locks, x, out, t)


@faultless()
def lanes_wait_for_each_other(x, out):
    partial = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    partial[t] = x[t]
    cuda.syncthreads()
    if t < 32:
        s = 32
        while s > 0:
            value = partial[t + s] if t + s < 64 else float32(0)
            cuda.syncwarp()
            partial[t] += value
            cuda.syncwarp()
            s //= 2
        if t == 0:
            out[0] = partial[0]


@faultless()
def halves_of_a_warp(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    if t % 32 < 16:
        cuda.syncwarp(0x0000FFFF)
        out[t] = shared[t ^ 15] + cuda.shfl_xor_sync(0x0000FFFF, x[t], 3)
    else:
        cuda.syncwarp(0xFFFF0000)
        out[t] = shared[t ^ 15] - cuda.shfl_xor_sync(0xFFFF0000, x[t], 3)


@faultless()
def a_shuffle_is_a_barrier_of_the_warp(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    out[t] = cuda.shfl_xor_sync(0xFFFFFFFF, x[t], 1)
    out[t] += shared[t ^ 31]


@faultless()
def activemask_in_a_branch(x, out):
    t = cuda.threadIdx.x
    if x[t] > 20:
        mask = cuda.activemask()
        out[t] = cuda.popc(mask) + cuda.popc(cuda.ballot_sync(mask, x[t] > 25))


@faultless()
def two_buffers_in_turns(x, out):
    shared = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    shared[0, t] = x[t]
    for k in range(6):
        cuda.syncthreads()
        before = shared[k % 2, t - 2**k] if t >= 2**k else float32(0)
        shared[1 - k % 2, t] = shared[k % 2, t] + before
    out[t] = shared[0, t]


@faultless()
def one_thread_fills(x, out):
    shared = cuda.shared.array((4, 16), float32)
    t = cuda.threadIdx.x
    if t == 0:
        shared[:] = 1
        shared[2] = 5
    cuda.syncthreads()
    out[t] = shared[t // 16, t % 16]


@faultless(shared_bytes=12 * N)
def dynamic_parts_side_by_side(x, out):
    doubles = cuda.shared.array(0, float64)[:N]
    floats = cuda.shared.array(0, float32)[2 * N :]
    t = cuda.threadIdx.x
    doubles[t] = x[t]
    floats[N - 1 - t] = x[t]
    cuda.syncthreads()
    out[t] = doubles[N - 1 - t] - floats[t]


@faultless()
def indices_from_the_end(x, out):
    t = cuda.threadIdx.x
    out[-1 - t] = x[t - 1]


@faultless()
def some_return_early(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    if x[t] > 40:
        return
    shared[t] = x[t]
    cuda.syncthreads()
    out[t] = shared[39 - t]


@faultless(grid=3)
def atomics_only(x, out):
    counts = cuda.shared.array(4, int32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    if t < 4:
        counts[t] = 0
    cuda.syncthreads()
    cuda.atomic.add(counts, int(x[i]) % 4, 1)
    cuda.syncthreads()
    if t < 4:
        cuda.atomic.add(out, t, counts[t])


@faultless()
def a_place_for_each(x, out):
    """The index is evaluated once."""
    count = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        count[0] = 0
    cuda.syncthreads()
    out[cuda.atomic.add(count, 0, 1)] += 2
    cuda.syncthreads()
    x[t] = count[0]


@faultless()
def first_one_wins(x, out):
    state = cuda.shared.array(2, int32)
    t = cuda.threadIdx.x
    if t < 2:
        state[t] = -1
    cuda.syncthreads()
    cuda.atomic.compare_and_swap(state[1:], -1, 7)
    cuda.atomic.cas(state, 0, -1, 9)
    cuda.syncthreads()
    out[t] = state[0] * 10 + state[1]


@faultless()
def part_only_where_there_is_one(x, out):
    """A part of an array that is taken under a condition, and used after a barrier under the same."""
    rows = cuda.local.array((2, 2), float32)
    t = cuda.threadIdx.x
    at = t
    if t < 2:
        rows[t, 0] = x[t]
        row = rows[at]
    cuda.syncthreads()
    if t < 2:
        out[t] = row[0]


@faultless()
def blocks_read_what_none_writes(x, out):
    for k in range(N):
        out[cuda.threadIdx.x] += x[k]


@faultless()
def an_index_is_a_tuple(x, out):
    tile = cuda.shared.array((8, 8), float32)
    t = cuda.threadIdx.x
    at = (t // 8, t % 8)
    tile[at] = x[t]
    tile[at] += 2
    cuda.syncthreads()
    there = (at[1], at[0])
    cuda.atomic.add(tile, there, 1)
    cuda.syncthreads()
    out[t] = tile[there]


@faultless()
def axes_left_out_and_added(x, out):
    tile = cuda.shared.array((8, 8), float32)
    t = cuda.threadIdx.x
    tile[t // 8, t % 8] = x[t]
    cuda.syncthreads()
    column, row = tile[..., t % 8], tile[t // 8, ...]
    deep, deeper = tile[None, :, None], tile[np.newaxis, ..., 2]
    out[t] = column[1] - row[2] * tile[..., 3:][4, 4] + deep[0, 5, 0, 6] + deeper[0, 7]


@cuda.jit(device=True)
def first_above(row, limit):
    for element in row:
        if element > limit:
            return element
    return row[-1]


@faultless()
def rows_for_a_function_that_returns_from_a_loop(x, out):
    tile = cuda.shared.array((8, 8), float32)
    t = cuda.threadIdx.x
    tile[t // 8, t % 8] = x[t]
    cuda.syncthreads()
    for j in range(8):
        out[t] += first_above(tile[(t + j) % 8], x[t])
    for j in range(t % 4):
        out[t] -= first_above(tile[j], x[j])


@faultless()
def a_row_in_a_loop_that_waits(x, out):
    tile = cuda.shared.array((4, N), int64)
    t = cuda.threadIdx.x
    k = 0
    while k < 4:
        row = tile[k]
        row[t] = x[t] * k
        if x[0] > 0:
            cuda.syncthreads()
        out[t] += row[N - 1 - t]
        k += 1


@cuda.jit(device=True)
def shifted_square(v, times):
    for k in range(times):
        if v < k:
            return v
    v = v * v
    v = v + 1.0
    return v


@faultless()
def float32_until_it_is_bound_to_float64(x, out):
    t = cuda.threadIdx.x
    third = x[t] / float32(3)
    out[t] = 1e8 * (shifted_square(third, t % 3) - float64(third) * third - 1)
    third = third * third
    if t % 2:
        cuda.syncwarp(0xAAAAAAAA)
    third = third + 1.0
    out[t] -= 1e8 * (third - float64(x[t]) * x[t] / 9)
