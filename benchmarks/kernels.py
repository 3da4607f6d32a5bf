"""The kernels that the CPU executor is timed on: ordinary ``cuda.jit`` kernels, as one would write them for a GPU.

``i`` counts elements, ``t`` threads of a block, ``r`` rows and ``c`` columns.
"""

import math

from numba import cuda, float32, int32

BLOCK = 256
TILE = 16
BINS = 256
FULL = 0xFFFFFFFF


@cuda.jit
def square(x, y):
    """Updates: y [n]."""
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i] * x[i]


@cuda.jit
def binary_cross_entropy(logits, target, loss):
    """Updates: loss [n]."""
    i = cuda.grid(1)
    if i < logits.size:
        z = logits[i]
        loss[i] = max(z, float32(0)) - z * target[i] + math.log1p(math.exp(-abs(z)))


@cuda.jit
def huber(x, y, loss):
    """Updates: loss [n]; each thread strides over the grid."""
    i = cuda.grid(1)
    while i < x.size:
        d = abs(x[i] - y[i])
        if d < float32(1):
            loss[i] = float32(0.5) * d * d
        else:
            loss[i] = d - float32(0.5)
        i += cuda.gridsize(1)


@cuda.jit
def tree_sum(x, total):
    """Updates: total [1], which must be zero before."""
    partial = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    partial[t] = x[i] if i < x.size else float32(0)
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
def squared_error(x, y, total):
    """Updates: total [1], which must be zero before."""
    partial = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    sum_ = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        d = x[i] - y[i]
        sum_ += d * d
    partial[t] = sum_
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
    """Updates: total [1], which must be zero before."""
    partial = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    lane, warp = t % 32, t // 32
    sum_ = float32(0)
    i = cuda.grid(1)
    while i < x.size:
        sum_ += x[i]
        i += cuda.gridsize(1)
    for offset in (16, 8, 4, 2, 1):
        sum_ += cuda.shfl_down_sync(FULL, sum_, offset)
    if lane == 0:
        partial[warp] = sum_
    cuda.syncthreads()
    if warp == 0:
        sum_ = partial[lane] if lane < cuda.blockDim.x // 32 else float32(0)
        for offset in (16, 8, 4, 2, 1):
            sum_ += cuda.shfl_down_sync(FULL, sum_, offset)
        if lane == 0:
            cuda.atomic.add(total, 0, sum_)


@cuda.jit(device=True)
def block_max(value, partial, t):
    """The largest value of the block's threads. Updates: partial [BLOCK]."""
    partial[t] = value
    cuda.syncthreads()
    s = cuda.blockDim.x // 2
    while s > 0:
        if t < s:
            partial[t] = max(partial[t], partial[t + s])
        cuda.syncthreads()
        s //= 2
    largest = partial[0]
    cuda.syncthreads()
    return largest


@cuda.jit(device=True)
def block_sum(value, partial, t):
    """The sum over the block's threads. Updates: partial [BLOCK]."""
    partial[t] = value
    cuda.syncthreads()
    s = cuda.blockDim.x // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    total = partial[0]
    cuda.syncthreads()
    return total


@cuda.jit(device=True)
def rescaled(sum_, before, now):
    """A sum of exponentials relative to ``before``, relative to ``now``."""
    return sum_ * math.exp(before - now)


@cuda.jit
def softmax_cross_entropy(logits, target, loss, logsumexp):
    """One block a row, one pass. Updates: loss [rows], logsumexp [rows]."""
    partial = cuda.shared.array(BLOCK, float32)
    r = cuda.blockIdx.x
    t = cuda.threadIdx.x
    largest = float32(-3e38)
    sum_ = float32(0)
    for c in range(t, logits.shape[1], cuda.blockDim.x):
        z = logits[r, c]
        now = max(largest, z)
        sum_ = rescaled(sum_, largest, now) + math.exp(z - now)
        largest = now
    of_row = block_max(largest, partial, t)
    sum_ = block_sum(rescaled(sum_, largest, of_row), partial, t)
    if t == 0:
        logsumexp[r] = of_row + math.log(sum_)
        loss[r] = logsumexp[r] - logits[r, target[r]]


@cuda.jit(device=True)
def warp_total(value):
    """The sum over the warp, in each of its lanes."""
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_xor_sync(FULL, value, offset)
    return value


@cuda.jit(device=True)
def block_total(value, partial):
    """The sum over the block. Updates: partial [32]."""
    t = cuda.threadIdx.x
    value = warp_total(value)
    if t % 32 == 0:
        partial[t // 32] = value
    cuda.syncthreads()
    if t < 32:
        value = partial[t] if t < cuda.blockDim.x // 32 else float32(0)
        value = warp_total(value)
        if t == 0:
            partial[0] = value
    cuda.syncthreads()
    return partial[0]


@cuda.jit
def rms_norm(x, weight, y):
    """One block a row. Updates: y [rows, columns]."""
    partial = cuda.shared.array(32, float32)
    row = x[cuda.blockIdx.x]
    squares = float32(0)
    for c in range(cuda.threadIdx.x, row.size, cuda.blockDim.x):
        squares += row[c] * row[c]
    mean = block_total(squares, partial) / float32(row.size)
    scale = float32(1) / math.sqrt(mean + float32(1e-6))
    for c in range(cuda.threadIdx.x, row.size, cuda.blockDim.x):
        y[cuda.blockIdx.x, c] = row[c] * scale * weight[c]


@cuda.jit
def pairwise_distance(a, b, distance):
    """Tiles of both point sets in shared memory. Updates: distance [rows of a, rows of b]."""
    tile_a = cuda.shared.array((TILE, TILE), float32)
    tile_b = cuda.shared.array((TILE, TILE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row = cuda.blockIdx.y * TILE + ty
    column = cuda.blockIdx.x * TILE + tx
    other = cuda.blockIdx.x * TILE + ty
    squares = float32(0)
    for first in range(0, a.shape[1], TILE):
        k = first + tx
        tile_a[ty, tx] = a[row, k] if row < a.shape[0] and k < a.shape[1] else float32(0)
        tile_b[tx, ty] = b[other, k] if other < b.shape[0] and k < b.shape[1] else float32(0)
        cuda.syncthreads()
        for k in range(TILE):
            d = tile_a[ty, k] - tile_b[k, tx]
            squares += d * d
        cuda.syncthreads()
    if row < distance.shape[0] and column < distance.shape[1]:
        distance[row, column] = math.sqrt(squares)


@cuda.jit
def soft_dtw(cost, gamma, r):
    """One block a pair, one thread a row, one barrier a diagonal. Updates: r [pairs, rows + 1, columns + 1]."""
    b = cuda.blockIdx.x
    i = cuda.threadIdx.x
    rows, columns = cost.shape[1], cost.shape[2]
    for diagonal in range(rows + columns - 1):
        j = diagonal - i
        if i < rows and 0 <= j < columns:
            both, left, up = -r[b, i, j] / gamma, -r[b, i, j + 1] / gamma, -r[b, i + 1, j] / gamma
            most = max(both, left, up)
            sum_ = math.exp(both - most) + math.exp(left - most) + math.exp(up - most)
            r[b, i + 1, j + 1] = cost[b, i, j] - gamma * (math.log(sum_) + most)
        cuda.syncthreads()


@cuda.jit
def row_distance(x, y, distance):
    """One thread a row. Updates: distance [rows]."""
    r = cuda.grid(1)
    if r < x.shape[0]:
        sum_ = float32(0)
        for c in range(x.shape[1]):
            d = x[r, c] - y[r, c]
            sum_ += d * d
        distance[r] = sum_


@cuda.jit
def softmax(logits, probability):
    """One block a row, one pass for the maximum, one for the sum. Updates: probability [rows, columns]."""
    partial = cuda.shared.array(BLOCK, float32)
    r = cuda.blockIdx.x
    t = cuda.threadIdx.x
    largest = float32(-3e38)
    for c in range(t, logits.shape[1], cuda.blockDim.x):
        largest = max(largest, logits[r, c])
    largest = block_max(largest, partial, t)
    sum_ = float32(0)
    for c in range(t, logits.shape[1], cuda.blockDim.x):
        e = math.exp(logits[r, c] - largest)
        probability[r, c] = e
        sum_ += e
    scale = float32(1) / block_sum(sum_, partial, t)
    for c in range(t, logits.shape[1], cuda.blockDim.x):
        probability[r, c] *= scale


@cuda.jit
def scan(x, y):
    """Inclusive sums along rows of BLOCK columns, by doubling strides. Updates: y [rows, BLOCK]."""
    sums = cuda.shared.array((2, BLOCK), float32)
    r = cuda.blockIdx.x
    t = cuda.threadIdx.x
    sums[0, t] = x[r, t]
    cuda.syncthreads()
    now = 0
    stride = 1
    while stride < BLOCK:
        sums[1 - now, t] = sums[now, t] + sums[now, t - stride] if t >= stride else sums[now, t]
        now = 1 - now
        stride *= 2
        cuda.syncthreads()
    y[r, t] = sums[now, t]


@cuda.jit
def histogram(values, counts):
    """Counts in shared memory first. Updates: counts [BINS], which must be zero before."""
    mine = cuda.shared.array(BINS, int32)
    t = cuda.threadIdx.x
    for bin_ in range(t, BINS, cuda.blockDim.x):
        mine[bin_] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), values.size, cuda.gridsize(1)):
        cuda.atomic.add(mine, values[i], 1)
    cuda.syncthreads()
    for bin_ in range(t, BINS, cuda.blockDim.x):
        cuda.atomic.add(counts, bin_, mine[bin_])
