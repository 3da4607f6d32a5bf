"""Grid-stride loops that run as those of one long block, and those that must not."""

import numpy as np
import pytest
import torch
from numba import cuda, int64

import workbench as wb
from workbench.executors.cpu import run

BLOCK = 32


@cuda.jit
def by_while(x, seen):
    i = cuda.grid(1)
    while i < x.size:
        seen[i] += x[i]
        i += cuda.gridsize(1)


@cuda.jit
def by_range(x, seen):
    stride = cuda.gridsize(1)
    factor = 2
    for i in range(cuda.grid(1), x.size, stride):
        seen[i] += factor * x[i] - x[i]


@cuda.jit
def twice(x, seen):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        seen[i] += 5 * x[i]
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        seen[i] -= 4 * x[i]


@cuda.jit
def says_its_block(x, seen):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        seen[i] += x[i] + 0 * cuda.blockIdx.x


@cuda.jit
def each_block_all(x, seen):
    """Every block goes over all elements, and adds where they are its own."""
    for i in range(cuda.threadIdx.x, x.size, cuda.blockDim.x):
        if i // BLOCK % cuda.gridDim.x == cuda.blockIdx.x and cuda.blockIdx.y == 0:
            seen[i] += x[i]


@cuda.jit
def carries(x, seen):
    before = int64(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        seen[i] += x[i] + 0 * before
        before = x[i]


STRETCHED = {by_while: True, by_range: True, twice: True, says_its_block: False, each_block_all: False, carries: False}


@pytest.fixture(params=[1, 2])
def workers(request, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    monkeypatch.setattr(run, "SHARED_WORK", 0)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kernel", STRETCHED, ids=lambda kernel: kernel.py_func.__name__)
def test_each_element_is_touched_once(kernel, workers):
    for grid in (1, 2, 3, 7, 40):
        for n in (0, 1, 31, 32, 33, 95, 96, 97, 1000):
            x, seen = np.arange(n) + 1, np.zeros(n, np.int64)
            wb.launch(kernel[grid, BLOCK], x, seen)
            np.testing.assert_array_equal(seen, x)


@pytest.mark.parametrize("kernel", [by_while, by_range, says_its_block])
def test_the_rows_of_a_grid(kernel):
    """Each of the grid's rows of blocks goes over all elements."""
    for grid in ((1, 3), (4, 3), (3, 2, 2)):
        x, seen = np.arange(500), np.zeros(500, np.int64)
        wb.launch(kernel[grid, BLOCK], x, seen)
        np.testing.assert_array_equal(seen, x * np.prod(grid[1:]))


@pytest.mark.parametrize("kernel", STRETCHED, ids=lambda kernel: kernel.py_func.__name__)
def test_which_are_stretched(kernel):
    wb.launch(kernel[2, BLOCK], np.arange(5), np.zeros(5, np.int64))
    assert ("threads__" in next(iter(run._compiled[kernel].values())).source) == STRETCHED[kernel]
