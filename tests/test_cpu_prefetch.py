"""Which arrays a block asks for ahead of time, and that asking changes nothing."""

import numpy as np
import pytest
from numba import cuda, types

import workbench as wb
from workbench.executors.cpu.compile import compile_kernel

BLOCK = 64


@cuda.jit
def reverse_blocks(x, shift, out):
    shared = cuda.shared.array(BLOCK, types.complex128)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    shared[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    if i < x.size:
        out[i] = shared[min(BLOCK, x.size - cuda.blockIdx.x * BLOCK) - 1 - t].real + shift[t]


def asked_for(x, out):
    kinds = (x, types.Array(types.float64, 1, "C"), out)
    return [line.split("(")[1].split(",")[0] for line in source(kinds).splitlines() if "prefetch__(" in line]


def source(kinds):
    return compile_kernel(reverse_blocks, (BLOCK, 1, 1), kinds).source


def test_what_thread_i_uses_at_i_is_asked_for():
    line, spaced = (types.Array(types.float64, 1, layout) for layout in "CA")
    assert asked_for(types.Array(types.int32, 1, "C"), line) == ["x", "out"]
    assert asked_for(types.Array(types.int32, 1, "A"), line) == ["out"]
    assert asked_for(types.Array(types.int32, 1, "C"), spaced) == ["x"]


@cuda.jit
def centred_rows(x, shift, out):
    shared = cuda.shared.array(BLOCK, types.float64)
    row = cuda.blockIdx.x
    t = cuda.threadIdx.x
    shared[t] = x[row, t] if t < x.shape[1] else 0
    cuda.syncthreads()
    if t < x.shape[1]:
        out[row, t] = x[row, t] - shared[0] + shift[t, row]


def test_the_rows_of_blocks_are_asked_for():
    kinds = (types.Array(types.float64, 2, "C"), types.Array(types.float64, 2, "C"), types.Array(types.float64, 2, "F"))
    text = compile_kernel(centred_rows, (BLOCK, 1, 1), kinds).source
    assert [line.strip() for line in text.splitlines() if "prefetch" in line] == ["prefetch_row__(x, blockIdx__x + 2)"]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, BLOCK), (5, 63), (100, 3)])
def test_rows_are_as_without(rows, columns):
    x, shift, out = np.random.rand(rows, columns), np.random.rand(columns, rows), np.full((rows, columns), np.nan)
    wb.launch(centred_rows[rows, BLOCK], x, shift, out)
    np.testing.assert_array_equal(out, x - x[:, :1] + shift.T)


@cuda.jit
def sum_by_strides(x, shift, out):
    total = types.float64(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i] + shift[i % 3]
    cuda.atomic.add(out, 0, total)


def test_what_comes_after_the_next_stride_is_asked_for():
    kinds = (types.Array(types.float64, 1, "C"),) * 3
    text = compile_kernel(sum_by_strides, (BLOCK, 1, 1), kinds).source
    assert [line.strip() for line in text.splitlines() if "prefetch__(" in line] == [
        f"prefetch__(x, at__ + gridDim__x * {BLOCK}, {BLOCK})"
    ]
    x, out = np.arange(1000.0), np.zeros(1)
    wb.launch(sum_by_strides[3, BLOCK], x, np.zeros(3), out)
    assert out[0] == x.sum()


@pytest.mark.parametrize("dtype", ["int8", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000])
def test_nothing_changes(dtype, n):
    x, out, shift = np.arange(n).astype(dtype), np.full(n, np.nan), np.zeros(BLOCK)
    wb.launch(reverse_blocks[wb.blocks(n, BLOCK), BLOCK], x, shift, out)
    expected = np.concatenate([x[k : k + BLOCK][::-1] for k in range(0, n, BLOCK)]).real
    np.testing.assert_array_equal(out, expected)
