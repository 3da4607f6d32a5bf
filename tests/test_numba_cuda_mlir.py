"""Kernels of numba_cuda_mlir, where that package is installed, on the CPU executor."""

import math

import numpy as np
import pytest
import torch

import workbench as wb

pytest.importorskip("numba_cuda_mlir", reason="the package numba_cuda_mlir is not installed")

from numba_cuda_mlir import cuda, types

N = 64

# it warns of every small grid when a kernel is configured, launched on a GPU or not
pytestmark = pytest.mark.filterwarnings("ignore:Grid size:Warning")


@cuda.jit(device=True)
def squared(value):
    return value * value


@cuda.jit
def block_sums(x, sums):
    partial = cuda.shared.array(N, cuda.float32)
    pair = cuda.local.array(2, types.float64)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    pair[0] = squared(x[i]) if i < x.size else 0
    partial[t] = pair[0]
    cuda.syncthreads()
    s = N // 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = partial[0]


@cuda.jit
def many_operations(x, out):
    t = cuda.threadIdx.x
    value = np.float32(math.exp(x[t]))
    value += cuda.shfl_xor_sync(0xFFFFFFFF, value, 1)
    cuda.syncwarp()
    out[0, t] = value
    out[1, t] = cuda.laneid + cuda.warpsize * cuda.popc(t)
    out[2, t] = cuda.libdevice.sqrt(types.float64(t)) + cuda.fp16.hadd(t, 1)
    cuda.atomic.add(out, (3, 0), types.int8(1))
    if cuda.syncthreads_count(t < 3) == 3:
        out[4, t] = cuda.gridDim.x * cuda.blockDim.x


def test_a_reduction():
    x = torch.linspace(-1, 1, 300)
    sums = torch.zeros(5)
    wb.launch(block_sums[5, N], x, sums)
    torch.testing.assert_close(sums, torch.nn.functional.pad(x, (0, 20)).reshape(5, N).square().sum(1))


def test_operations():
    x = np.linspace(-1, 1, 64).astype(np.float32)
    out = np.zeros((5, 64))
    wb.launch(many_operations[1, 64], x, out)
    value, t = np.exp(x), np.arange(64)
    np.testing.assert_allclose(out[0], value + value.reshape(-1, 2)[:, ::-1].ravel(), rtol=1e-6)
    assert out[1].tolist() == [k % 32 + 32 * k.bit_count() for k in range(64)]
    np.testing.assert_allclose(out[2], np.sqrt(t) + t + 1)
    assert out[3, 0] == 64
    assert np.all(out[4] == 64)


def test_dynamic_shared_memory():
    @cuda.jit
    def reversed_in_blocks(x):
        values = cuda.shared.array(0, np.float32)
        t = cuda.threadIdx.x
        values[t] = x[t]
        cuda.syncthreads()
        x[t] = values[values.size - 1 - t]

    x = np.arange(64, dtype=np.float32)
    wb.launch(reversed_in_blocks[1, 64, 0, 256], x)
    assert x.tolist() == list(range(63, -1, -1))


def test_its_calls_run_on_the_cpu():
    x, sums = np.ones(128, np.float32), np.zeros(2, np.float32)
    with wb.on_cpu():
        block_sums[2, N](x, sums)
        block_sums[(1, 1), (N, 1, 1), 0, 0](x[:3], sums[1:])
    assert sums.tolist() == [64, 3]


def test_the_sanitizer():
    sums = np.zeros(1, np.float32)
    wb.launch(block_sums[1, N], np.ones(5, np.float32), sums, sanitize=True)
    assert sums[0] == 5


def test_refusals():
    with pytest.raises(wb.LaunchError, match="block_sums"):
        wb.launch(block_sums, np.ones(3), np.ones(3))
    with pytest.raises(wb.LaunchError, match="2,048 along x"):
        wb.launch(block_sums[1, 2048], np.ones(3), np.ones(3))

    @cuda.jit
    def with_ptx(x):
        cuda.inline_ptx("bar.sync 0;")

    with pytest.raises(wb.CompileError, match=r"line \d+: the CPU executor does not cover cuda.inline_ptx"):
        wb.launch(with_ptx[1, 32], np.ones(3))


def test_its_types_are_known_by_name():
    from numba.core import types as numba_types

    from workbench.numba_cuda import as_numba

    for name in ("int8", "uint32", "int64", "float16", "float32", "float64", "complex64"):
        assert as_numba(getattr(types, name)) is getattr(numba_types, name)
    assert as_numba(types.boolean) is numba_types.boolean
    assert as_numba(3) == 3
