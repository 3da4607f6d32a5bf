"""Where a thread is, and how it waits for and talks to the others."""

import numpy as np
from dialect import tensors
from numba import cuda
from simulator import assert_same, simulated

import workbench as wb

FULL = 0xFFFFFFFF


@cuda.jit
def places(out):
    x, y, z = cuda.grid(3)
    width, height, _ = cuda.gridsize(3)
    at = x + width * (y + height * z)
    out[0, at] = cuda.threadIdx.x + 10 * cuda.threadIdx.y + 100 * cuda.threadIdx.z
    out[1, at] = cuda.blockIdx.x + 10 * cuda.blockIdx.y + 100 * cuda.blockIdx.z
    out[2, at] = cuda.blockDim.x + 10 * cuda.blockDim.y + 100 * cuda.blockDim.z
    out[3, at] = cuda.gridDim.x + 10 * cuda.gridDim.y + 100 * cuda.gridDim.z
    out[4, at] = cuda.laneid + 100 * cuda.warpsize
    i, j = cuda.grid(2)
    n, m = cuda.gridsize(2)
    out[5, at] = i + 10 * j + 100 * n + 1000 * m
    out[6, at] = cuda.grid(1) + 100 * cuda.gridsize(1)


@cuda.jit
def barriers(out):
    i = cuda.threadIdx.x
    cuda.threadfence()
    cuda.threadfence_block()
    cuda.threadfence_system()
    out[0, i] = cuda.syncthreads_count(i % 3 == 0)
    out[1, i] = cuda.syncthreads_and(i < 40)
    out[2, i] = cuda.syncthreads_and(i < 39)
    out[3, i] = cuda.syncthreads_or(i == 39)
    out[4, i] = cuda.syncthreads_or(i == 40)
    cuda.syncthreads()
    if cuda.syncthreads_count(i) > 30:
        out[5, i] = out[0, (i + 1) % 40] + 1


SHAPES = {"1-D": (3, 4), "2-D": ((3, 2), (4, 5)), "3-D": ((2, 3, 2), (3, 2, 4)), "tall": ((1, 2, 3), (1, 1, 7))}


def in_simulator():
    found = {}
    for name, (grid, block) in SHAPES.items():
        found[name] = np.full((7, np.prod(grid) * np.prod(block)), -1)
        wb.launch(places[grid, block], found[name])
    found["barriers"] = np.zeros((6, 40), np.int32)
    wb.launch(barriers[1, 40], found["barriers"])
    return tensors(**found)


def test_places_and_barriers_agree_with_the_simulator():
    assert_same(in_simulator(), simulated("test_dialect_threads"))


@cuda.jit
def shuffles(out):
    i = cuda.threadIdx.x
    value = i * 10
    out[0, i] = cuda.shfl_sync(FULL, value, 3)
    out[1, i] = cuda.shfl_sync(FULL, value, (i + 1) % 32)
    out[2, i] = cuda.shfl_up_sync(FULL, value, 2)
    out[3, i] = cuda.shfl_down_sync(FULL, value, 2)
    out[4, i] = cuda.shfl_xor_sync(FULL, value, 5)
    out[5, i] = cuda.shfl_sync(FULL, value + 0.5, 1) * 2
    total = np.float32(i)
    offset = 16
    while offset:
        total += cuda.shfl_xor_sync(FULL, total, offset)
        offset //= 2
    out[6, i] = total


def test_shuffles():
    out = np.zeros((7, 64), np.int64)
    wb.launch(shuffles[1, 64], out)
    i = np.arange(64)
    lane, first = i % 32, i - i % 32
    assert np.array_equal(out[0], 10 * (first + 3))
    assert np.array_equal(out[1], 10 * (first + (lane + 1) % 32))
    assert np.array_equal(out[2], 10 * np.where(lane >= 2, i - 2, i))
    assert np.array_equal(out[3], 10 * np.where(lane < 30, i + 2, i))
    assert np.array_equal(out[4], 10 * (first + (lane ^ 5)))
    assert np.array_equal(out[5], 20 * (first + 1) + 1)
    assert np.array_equal(out[6], np.where(i < 32, 496, 496 + 32 * 32))


@cuda.jit
def votes(out, seen):
    i = cuda.threadIdx.x
    out[0, i] = cuda.any_sync(FULL, i == 5)
    out[1, i] = cuda.all_sync(FULL, i < 40)
    out[2, i] = cuda.eq_sync(FULL, i < 32)
    out[3, i] = cuda.ballot_sync(FULL, i % 2)
    out[4, i] = cuda.match_any_sync(FULL, i % 3)
    mask, same = cuda.match_all_sync(FULL, i // 32)
    out[5, i] = mask
    out[6, i] = same
    out[7, i] = cuda.activemask()
    out[8, i] = cuda.lanemask_lt()
    cuda.syncwarp()
    cuda.syncwarp(FULL)
    mask, same = cuda.match_all_sync(FULL, i)
    out[9, i] = mask + same
    if cuda.ballot_sync(FULL, i == 3) & cuda.lanemask_lt():
        seen[i] = cuda.popc(cuda.lanemask_lt())


def test_votes():
    out, seen = np.zeros((10, 40), np.int64), np.full(40, -1)
    wb.launch(votes[1, 40], out, seen)
    i = np.arange(40)
    lane, first_warp = i % 32, i < 32

    def bits(lanes, warp):
        members = [k for k in range(40) if k // 32 == warp]
        return sum(1 << (k % 32) for k in members if lanes(k))

    def signed(n):
        return n - 2**32 if n >= 2**31 else n

    assert np.array_equal(out[0], first_warp)
    assert np.array_equal(out[1], np.ones(40))
    assert np.array_equal(out[2], np.ones(40))
    assert out[3].tolist() == [signed(bits(lambda k: k % 2, t // 32)) for t in range(40)]
    assert out[4].tolist() == [signed(bits(lambda k, t=t: k % 3 == t % 3, t // 32)) for t in range(40)]
    everyone = [signed(bits(lambda k: True, t // 32)) for t in range(40)]
    assert out[5].tolist() == everyone
    assert np.array_equal(out[6], np.ones(40))
    assert out[7].tolist() == [n % 2**32 for n in everyone]
    assert out[8].tolist() == [(1 << n) - 1 for n in lane.tolist()]
    assert not out[9].any()
    assert seen.tolist() == [t if 3 < t < 32 else -1 for t in range(40)]
