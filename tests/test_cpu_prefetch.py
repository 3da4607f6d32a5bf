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


def test_what_thread_i_reads_at_i_is_asked_for():
    out = types.Array(types.float64, 1, "C")
    assert asked_for(types.Array(types.int32, 1, "C"), out) == ["x"]
    assert asked_for(types.Array(types.int32, 1, "A"), out) == []


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
