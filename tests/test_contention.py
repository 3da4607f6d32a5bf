"""Kernels with atomics whose blocks several workers share."""

import numpy as np
import pytest
import torch
from numba import cuda, float32, int64

import workbench as wb
from workbench.executors.cpu import run

BLOCK = 128
N = 1 << 18


@cuda.jit
def add_each(x, total):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(total, x[i], 1)


@cuda.jit
def add_in_a_loop(x, total):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(total, x[i], 1)


@cuda.jit
def add_after_a_loop(x, total):
    mine = 0
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        mine += int64(x[i] + 1)
    cuda.atomic.add(total, 0, mine)


@cuda.jit
def add_once_a_block(x, total):
    i = cuda.grid(1)
    count = cuda.syncthreads_count(i < x.size)
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(total, 0, count)


@cuda.jit
def add_in_shared_memory(x, total):
    counts = cuda.shared.array(4, int64)
    t = cuda.threadIdx.x
    if t < 4:
        counts[t] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(counts, x[i], 1)
    cuda.syncthreads()
    for k in range(t, 4, BLOCK):
        cuda.atomic.add(total, k, counts[k])


@cuda.jit(device=True)
def add_to(total, k, value):
    cuda.atomic.add(total, k, value)


@cuda.jit
def add_in_a_device_function(x, total):
    mine = int64(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        mine += int64(x[i] + 1)
    add_to(total, 0, mine)


@cuda.jit
def add_floats(x, total):
    mine = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        mine += float32(x[i] + 1)
    cuda.atomic.add(total, 0, mine)


@cuda.jit
def largest_and_smallest(x, found):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.syncthreads()
        cuda.atomic.max(found, 0, i)
        cuda.atomic.min(found, 1, -i)


@cuda.jit
def one_at_a_time(x, lock_and_count):
    """A lock taken by compare-and-swap around a plain update."""
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(lock_and_count, 0, 0, 1) != 0:
            pass
        lock_and_count[1] += 1
        cuda.threadfence()
        cuda.atomic.exch(lock_and_count, 0, 0)


SHARED = {
    add_each: False,
    add_in_a_loop: False,
    add_after_a_loop: True,
    add_once_a_block: True,
    add_in_shared_memory: True,
    add_in_a_device_function: True,
    add_floats: True,
    largest_and_smallest: True,
    one_at_a_time: True,
}


@pytest.fixture(autouse=True)
def two_workers():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def by_name(kernel):
    return kernel.py_func.__name__


@pytest.mark.parametrize("kernel", SHARED, ids=by_name)
def test_blocks_are_shared_where_atomics_are_rare(kernel, monkeypatch):
    shared = []
    share = run._share
    monkeypatch.setattr(run, "_share", lambda *given: shared.append(given) or share(*given))
    dtype = np.float32 if kernel is add_floats else np.int64
    out = np.zeros(4, dtype)
    wb.launch(kernel[wb.blocks(N, BLOCK), BLOCK], np.zeros(N, np.int64), out)
    assert bool(shared) == SHARED[kernel]


COUNTS = [k for k in SHARED if k not in (largest_and_smallest, one_at_a_time)]


@pytest.mark.parametrize("kernel", COUNTS, ids=by_name)
def test_nothing_is_lost(kernel):
    for _ in range(5):
        out = np.zeros(4, np.float32 if kernel is add_floats else np.int64)
        wb.launch(kernel[1024, BLOCK], np.zeros(N, np.int64), out)
        assert out.tolist() == [N if kernel not in (add_each, add_once_a_block) else 1024 * BLOCK, 0, 0, 0]


def test_extremes():
    found = np.zeros(2, np.int32)
    wb.launch(largest_and_smallest[1024, BLOCK], np.zeros(N, np.int64), found)
    assert found.tolist() == [N - 1, 1 - N]


def test_a_lock():
    for _ in range(3):
        out = np.zeros(2, np.int32)
        wb.launch(one_at_a_time[20_000, 32], np.zeros(N, np.int64), out)
        assert out.tolist() == [0, 20_000]
