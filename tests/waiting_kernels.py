"""Kernels whose threads wait for each other, each with a call and what it must give."""

import math

import numpy as np
from numba import cuda, float32, int32, int64

BLOCK = 128


@cuda.jit
def tree_sum(x, total):
    partial = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    partial[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    s = cuda.blockDim.x // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    if t == 0:
        cuda.atomic.add(total, 0, partial[0])


@cuda.jit
def warp_sum(x, total):
    partial = cuda.shared.array(32, float32)
    lane = cuda.laneid
    warp = cuda.threadIdx.x // 32
    value = float32(0)
    i = cuda.grid(1)
    while i < x.size:
        value += x[i]
        i += cuda.gridsize(1)
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(0xFFFFFFFF, value, offset)
    if lane == 0:
        partial[warp] = value
    cuda.syncthreads()
    if warp == 0:
        value = partial[lane] if lane < cuda.blockDim.x // 32 else float32(0)
        offset = 16
        while offset > 0:
            value += cuda.shfl_down_sync(0xFFFFFFFF, value, offset)
            offset //= 2
        if lane == 0:
            cuda.atomic.add(total, 0, value)


@cuda.jit(device=True)
def block_max(value, shared, t):
    shared[t] = value
    cuda.syncthreads()
    s = cuda.blockDim.x // 2
    while s > 0:
        if t < s:
            shared[t] = max(shared[t], shared[t + s])
        cuda.syncthreads()
        s //= 2
    largest = shared[0]
    cuda.syncthreads()
    return largest


@cuda.jit
def row_log_sum_exp(x, out):
    """One block a row."""
    shared = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    row = x[cuda.blockIdx.x]
    largest = float32(-math.inf)
    for j in range(t, row.size, cuda.blockDim.x):
        largest = max(largest, row[j])
    largest = block_max(largest, shared, t)
    total = float32(0)
    for j in range(t, row.size, cuda.blockDim.x):
        total += math.exp(row[j] - largest)
    shared[t] = total
    cuda.syncthreads()
    if t == 0:
        total = float32(0)
        for k in range(cuda.blockDim.x):
            total += shared[k]
        out[cuda.blockIdx.x] = largest + math.log(total)


@cuda.jit
def reverse_the_block(x, out):
    """Threads past the end return before the barrier."""
    shared = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    if i >= x.size:
        return
    shared[t] = x[i]
    cuda.syncthreads()
    here = min(cuda.blockDim.x, x.size - cuda.blockIdx.x * cuda.blockDim.x)
    out[i] = shared[here - 1 - t]


@cuda.jit
def leave_one_by_one(x, out):
    """Each thread leaves in a turn of its own, with barriers among those that stay."""
    shared = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    for turn in range(cuda.blockDim.x):
        cuda.syncthreads()
        value = shared[(t + 1) % 32]
        cuda.syncthreads()
        shared[t] = value + turn
        if t == turn:
            out[t] = shared[t]
            return


@cuda.jit
def votes(x, out, counts):
    t = cuda.threadIdx.x
    positive = x[t] > 0
    ballot = cuda.ballot_sync(0xFFFFFFFF, positive)
    before = cuda.popc(ballot & ((1 << cuda.laneid) - 1))
    count = cuda.syncthreads_count(positive)
    everyone = cuda.all_sync(0xFFFFFFFF, x[t] > -100)
    someone = cuda.any_sync(0xFFFFFFFF, x[t] > 100)
    out[t] = before + (1000 if everyone else 0) + (2000 if someone else 0)
    if t == 0:
        counts[0] = count


@cuda.jit(device=True)
def neighbour_or_sum(value, shared, t):
    """Several returns after a barrier."""
    shared[t] = value
    cuda.syncthreads()
    if t == 0:
        return shared[0] + shared[1]
    return shared[t - 1]


@cuda.jit
def several_returns(x, out):
    shared = cuda.shared.array(BLOCK, int64)
    t = cuda.threadIdx.x
    value = neighbour_or_sum(x[t], shared, t)
    cuda.syncthreads()
    out[t] = value + neighbour_or_sum(value, shared, t)


@cuda.jit
def tiles(a, b, out):
    """A product of matrices, through 8 by 8 tiles in shared memory."""
    tile_a = cuda.shared.array((8, 8), float32)
    tile_b = cuda.shared.array((8, 8), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    j, i = cuda.grid(2)
    total = float32(0)
    for first in range(0, a.shape[1], 8):
        inside_a = i < a.shape[0] and first + tx < a.shape[1]
        inside_b = first + ty < b.shape[0] and j < b.shape[1]
        tile_a[ty, tx] = a[i, first + tx] if inside_a else 0
        tile_b[ty, tx] = b[first + ty, j] if inside_b else 0
        cuda.syncthreads()
        for k in range(8):
            total += tile_a[ty, k] * tile_b[k, tx]
        cuda.syncthreads()
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = total


@cuda.jit
def local_memory(x, out):
    """A local array that outlives a barrier."""
    mine = cuda.local.array(3, int32)
    shared = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    for k in range(3):
        mine[k] = x[t] + k
    shared[t] = mine[2]
    cuda.syncthreads()
    out[t] = mine[0] + shared[cuda.blockDim.x - 1 - t]


RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal(1000).astype(np.float32)
ROWS = RANDOM.standard_normal((5, 300)).astype(np.float32)
A, B = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((19, 30), (30, 17)))
WHOLE = np.arange(BLOCK, dtype=np.int64) ** 2


def empty(*shape, dtype=np.float32):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -1, dtype)


def left_one_by_one(x):
    shared, out = x[:32].copy(), empty(32)
    stay = np.ones(32, bool)
    for turn in range(32):
        value = shared[(np.arange(32) + 1) % 32]
        shared[stay] = value[stay] + np.float32(turn)
        out[turn] = shared[turn]
        stay[turn] = False
    return out


def neighbours(x):
    return np.concatenate([[x[0] + x[1]], x[:-1]])


POSITIVE = X[:64] > 0
BEFORE = np.concatenate([np.cumsum(half) - half for half in (POSITIVE[:32], POSITIVE[32:])])

# kernel, grid, block, inputs, output, what the output must be
CASES = {
    "tree sum": (tree_sum, 8, BLOCK, [X], np.zeros(1, np.float32), [X.sum()]),
    "warp sum": (warp_sum, 3, BLOCK, [X], np.zeros(1, np.float32), [X.sum()]),
    "a row a block": (row_log_sum_exp, 5, BLOCK, [ROWS], empty(5), np.log(np.exp(ROWS).sum(1))),
    "early return": (
        reverse_the_block, 8, BLOCK, [X], empty(1000),
        np.concatenate([X[k : k + BLOCK][::-1] for k in range(0, 1000, BLOCK)]),
    ),
    "leave one by one": (leave_one_by_one, 1, 32, [X], empty(32), left_one_by_one(X)),
    "several returns": (
        several_returns, 1, BLOCK, [WHOLE], empty(BLOCK, dtype=np.int64),
        neighbours(WHOLE) + neighbours(neighbours(WHOLE)),
    ),
    "tiles": (tiles, (3, 3), (8, 8), [A, B], empty(19, 17), A @ B),
    "local memory": (
        local_memory, 1, BLOCK, [WHOLE], empty(BLOCK, dtype=np.int64), WHOLE + WHOLE[::-1] + 2,
    ),
}  # fmt: skip
