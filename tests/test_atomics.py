"""cuda.atomic on the CPU executor, where threads take turns, and in Numba's simulator."""

import math

import pytest
import torch
from kernels import BLOCK
from numba import cuda
from simulator import assert_same, simulated

import workbench as wb

NAN = math.nan
THREADS = 40


@cuda.jit
def counts(n, total, numbers, seen):
    i = cuda.grid(1)
    if i < n:
        seen[i] = cuda.atomic.add(total, 0, 0.5)
        cuda.atomic.add(total, (1,), i)
        cuda.atomic.sub(numbers, (0, 0), 2)
        cuda.atomic.max(numbers, (0, 1), i)
        cuda.atomic.min(numbers, (0, 2), -i)
        cuda.atomic.exch(numbers, (1, 0), 7)
        cuda.atomic.cas(numbers, (1, 1), 0, 5)
        cuda.atomic.cas(numbers, (1, 2), 1, 5)


@cuda.jit
def old_values(numbers, seen):
    seen[0] = cuda.atomic.add(numbers, 0, 5)
    seen[1] = cuda.atomic.sub(numbers, 1, 5)
    seen[2] = cuda.atomic.max(numbers, 2, 5)
    seen[3] = cuda.atomic.min(numbers, 3, 5)
    seen[4] = cuda.atomic.exch(numbers, 4, 5)
    seen[5] = cuda.atomic.cas(numbers, 5, 15, 5)
    seen[6] = cuda.atomic.cas(numbers, 6, 17, 5)


@cuda.jit
def with_nan(numbers):
    cuda.atomic.max(numbers, 0, 5.0)
    cuda.atomic.max(numbers, 1, math.nan)
    cuda.atomic.min(numbers, 2, 5.0)
    cuda.atomic.min(numbers, 3, math.nan)


def in_simulator():
    total, seen = torch.zeros(2), torch.full((THREADS,), NAN)
    numbers = torch.zeros(2, 3, dtype=torch.int32)
    wb.launch(counts[3, 16], THREADS, total, numbers, seen)
    after, before = torch.arange(10, 17), torch.full((7,), -1)
    wb.launch(old_values[1, 1], after, before)
    nans = torch.tensor([NAN, 1.0, NAN, 1.0])
    wb.launch(with_nan[1, 1], nans)
    seen = seen.sort().values
    return {"total": total, "numbers": numbers, "seen": seen, "after": after, "before": before, "nans": nans}


@pytest.fixture(scope="module")
def found():
    return in_simulator()


def test_every_thread_counts(found):
    assert found["total"].tolist() == [THREADS / 2, THREADS * (THREADS - 1) / 2]
    assert found["numbers"].tolist() == [[-2 * THREADS, THREADS - 1, 1 - THREADS], [7, 5, 0]]


def test_an_atomic_returns_the_value_before(found):
    assert found["seen"].tolist() == [i / 2 for i in range(THREADS)]
    assert found["before"].tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert found["after"].tolist() == [15, 6, 12, 5, 5, 5, 16]


def test_max_and_min_leave_the_array_alone_if_either_is_nan(found):
    """As in numba-cuda, whose nanmax and nanmin are the ones that replace a NaN."""
    assert found["nans"].isnan().tolist() == [True, False, True, False]
    assert found["nans"][[1, 3]].tolist() == [1, 1]


def test_the_simulator_agrees(found):
    assert_same(found, simulated("test_atomics"))


@cuda.jit
def histogram(x, counts):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(counts, x[i], 1)


def test_histogram(device):
    x = torch.randint(10, (1000,), device=device)
    counts = torch.zeros(10, dtype=torch.int32, device=device)
    wb.launch(histogram[wb.blocks(1000, BLOCK), BLOCK], x, counts)
    assert torch.equal(counts.cpu().long(), x.cpu().bincount(minlength=10))
