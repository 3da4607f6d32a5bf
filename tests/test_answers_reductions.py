"""The exercises of the notebook on reductions: barriers, a row's maximum, a warp's sum and a dot product."""

import math

from answers import tried
from numba import cuda, float32

from workbench.losses.squared_distance import block_sum

FULL = 0xFFFFFFFF


@cuda.jit
def barriers(x, sums):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@cuda.jit
def barriers_as_given(x, sums):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else 0
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
            cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@cuda.jit
def barriers_before_only(x, sums):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
            cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@cuda.jit
def barriers_within_only(x, sums):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else 0
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@cuda.jit
def row_max(x, out):
    part = cuda.shared.array(64, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    best = float32(-math.inf)
    for column in range(t, x.shape[1], 64):
        best = max(best, x[row, column])
    part[t] = best
    cuda.syncthreads()
    half = 32
    while half > 0:
        if t < half:
            part[t] = max(part[t], part[t + half])
        cuda.syncthreads()
        half //= 2
    if t == 0:
        out[row] = part[0]


@cuda.jit
def row_max_as_given(x, out):
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    best = float32(0)
    for column in range(t, x.shape[1], 64):
        best = max(best, x[row, column])
    if t == 0:
        out[row] = best


@cuda.jit
def row_max_of_thread_0(x, out):
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    best = float32(-math.inf)
    for column in range(t, x.shape[1], 64):
        best = max(best, x[row, column])
    if t == 0:
        out[row] = best


@cuda.jit
def row_max_above_0(x, out):
    part = cuda.shared.array(64, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    best = float32(0)
    for column in range(t, x.shape[1], 64):
        best = max(best, x[row, column])
    part[t] = best
    cuda.syncthreads()
    if t == 0:
        for k in range(64):
            best = max(best, part[k])
        out[row] = best


@cuda.jit
def row_max_of_the_first_64(x, out):
    part = cuda.shared.array(64, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    part[t] = x[row, t] if t < x.shape[1] else float32(-math.inf)
    cuda.syncthreads()
    if t == 0:
        best = part[0]
        for k in range(64):
            best = max(best, part[k])
        out[row] = best


@cuda.jit
def row_max_written_by_all(x, out):
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    for column in range(t, x.shape[1], 64):
        out[row] = max(out[row], x[row, column])


@cuda.jit
def warp_sums(x, sums):
    i = cuda.grid(1)
    value = x[i] if i < x.size else float32(0)
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(FULL, value, offset)
    if i % 32 == 0:
        sums[i // 32] = value


@cuda.jit
def warp_sums_of_lane_0(x, sums):
    i = cuda.grid(1)
    value = x[i] if i < x.size else float32(0)
    if i % 32 == 0:
        sums[i // 32] = value


@cuda.jit
def warp_sums_guarded(x, sums):
    i = cuda.grid(1)
    if i < x.size:
        value = x[i]
        for offset in (16, 8, 4, 2, 1):
            value += cuda.shfl_down_sync(FULL, value, offset)
        if i % 32 == 0:
            sums[i // 32] = value


@cuda.jit
def warp_sums_of_half(x, sums):
    i = cuda.grid(1)
    value = x[i] if i < x.size else float32(0)
    for offset in (8, 4, 2, 1):
        value += cuda.shfl_down_sync(FULL, value, offset)
    if i % 32 == 0:
        sums[i // 32] = value


@cuda.jit
def warp_sums_by_every_lane(x, sums):
    i = cuda.grid(1)
    value = x[i] if i < x.size else float32(0)
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(FULL, value, offset)
    sums[i // 32] = value


@cuda.jit
def warp_sums_through_memory(x, sums):
    part = cuda.shared.array(64, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    part[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    if t % 32 == 0:
        value = float32(0)
        for k in range(32):
            value += part[t + k]
        sums[i // 32] = value


@cuda.jit
def dot(x, y, total):
    of_warps = cuda.shared.array(32, float32)
    share = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        share += x[i] * y[i]
    of_block = block_sum(share, of_warps)
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(total, 0, of_block)


@cuda.jit
def dot_of_one_each(x, y, total):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(total, 0, x[i] * y[i])


@cuda.jit
def dot_of_many_atomics(x, y, total):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(total, 0, x[i] * y[i])


@cuda.jit
def dot_without_atomics(x, y, total):
    of_warps = cuda.shared.array(32, float32)
    share = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        share += x[i] * y[i]
    of_block = block_sum(share, of_warps)
    if cuda.threadIdx.x == 0:
        total[0] += of_block


@cuda.jit
def dot_of_every_thread(x, y, total):
    of_warps = cuda.shared.array(32, float32)
    share = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        share += x[i] * y[i]
    cuda.atomic.add(total, 0, block_sum(share, of_warps))


@cuda.jit
def dot_of_every_thread_of_a_tree(x, y, total):
    part = cuda.shared.array(128, float32)
    t = cuda.threadIdx.x
    part[t] = 0
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        part[t] += x[i] * y[i]
    cuda.syncthreads()
    half = 64
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    cuda.atomic.add(total, 0, part[0])


RIGHT = {"barriers": barriers, "block max": row_max, "warp sum": warp_sums, "dot product": dot}
WRONG = {
    "barriers": [
        (barriers_as_given, "which no thread of its block has written"),
        (barriers_before_only, "skipped barrier"),
        (barriers_within_only, "put cuda.syncthreads() in between"),
    ],
    "block max": [
        (row_max_as_given, "begin with -math.inf, not with 0"),
        (row_max_of_thread_0, "The other threads have found something too"),
        (row_max_above_0, "the largest of nothing is -math.inf"),
        (row_max_of_the_first_64, "let each take every 64th"),
        (row_max_written_by_all, "race"),
    ],
    "warp sum": [
        (warp_sums_of_lane_0, "lane 0's own element"),
        (warp_sums_guarded, "inactive lane"),
        (warp_sums_of_half, "begin with an offset of 16"),
        (warp_sums_by_every_lane, "write-write race"),
        (warp_sums_through_memory, "Lanes can hand values over without"),
    ],
    "dot product": [
        (dot_of_one_each, "There are fewer threads than elements"),
        (dot_of_many_atomics, "1,000 atomic additions in 2 blocks"),
        (dot_without_atomics, "Blocks run in any order"),
        (dot_of_every_thread, "the sum of the block is in thread 0 alone"),
        (dot_of_every_thread_of_a_tree, "let thread 0 alone do it"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
