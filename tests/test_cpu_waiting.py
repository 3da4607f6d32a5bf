"""Kernels with barriers, shuffles and shared memory on the CPU executor, in both forms that it knows."""

import numpy as np
import pytest
import torch
from numba import cuda
from waiting_kernels import BEFORE, CASES, POSITIVE, X, tree_sum, votes

import workbench as wb
from workbench.executors.cpu import compile as compiling
from workbench.executors.cpu import run
from workbench.executors.cpu.uniform import NotUniform


@pytest.fixture(params=["loops", "states"])
def form(request, monkeypatch):
    """As it comes, or state by state whatever the control flow is."""
    monkeypatch.setattr(run, "_compiled", type(run._compiled)())
    if request.param == "states":

        def refuse(*_):
            raise NotUniform

        monkeypatch.setattr(compiling, "Plan", refuse)
    return request.param


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_right(case, form):
    kernel, grid, block, inputs, output, expected = case
    output = output.copy()
    before = [x.copy() for x in inputs]
    wb.launch(kernel[grid, block], *inputs, output)
    np.testing.assert_allclose(output, expected, rtol=2e-5, atol=2e-5)
    for x, was in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, was)


def test_votes(form):
    out, counts = np.zeros(64, np.int64), np.zeros(1, np.int64)
    wb.launch(votes[1, 64], X, out, counts)
    np.testing.assert_array_equal(out, BEFORE + 1000)
    assert counts[0] == POSITIVE.sum()


def test_a_block_that_is_no_multiple_of_a_warp(form):
    out, counts = np.zeros(64, np.int64), np.zeros(1, np.int64)
    wb.launch(votes[1, 45], X, out, counts)
    np.testing.assert_array_equal(out[:45], BEFORE[:45] + 1000)
    assert out[45:].sum() == 0
    assert counts[0] == POSITIVE[:45].sum()


@cuda.jit
def widened(x, out):
    t = cuda.threadIdx.x
    v = x[t]
    if t % 2:
        cuda.syncwarp(0xAAAAAAAA)
    v = v * v
    cuda.syncthreads()
    v += 1.0
    cuda.syncthreads()
    out[t] = v


def test_a_variable_is_float32_until_it_is_bound_to_float64(form):
    x, out = X[:32], np.zeros(32)
    wb.launch(widened[1, 32], x, out)
    np.testing.assert_array_equal(out, (x * x).astype(np.float64) + 1)


def test_one_worker_gives_the_same_bits_each_time():
    x, totals = torch.randn(100_000), torch.zeros(5)
    for k in range(5):
        wb.launch(tree_sum[wb.blocks(100_000, 128), 128], x, totals[k : k + 1])
    assert len(set(totals.tolist())) == 1
