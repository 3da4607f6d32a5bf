"""How the CPU executor runs: constants that change, Numba's own call syntax, several workers, several threads."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numba import cuda

import workbench as wb

FACTOR = 3


@cuda.jit(device=True)
def scaled(x):
    return x * FACTOR


@cuda.jit
def scale(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = scaled(x[i])


@cuda.jit
def scale_in_2d(x, out):
    i, j = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        out[i, j] = x[i, j] * 2


def test_a_constant_that_was_bound_anew_is_seen(monkeypatch):
    x, out = torch.arange(5.0), torch.empty(5)
    for factor in (3, 4, 4, 3):
        monkeypatch.setattr(f"{__name__}.FACTOR", factor)
        wb.launch(scale[1, 32], x, out)
        assert torch.equal(out, factor * x)


def test_a_device_function_that_was_defined_anew_is_seen(monkeypatch):
    x, out = torch.arange(5.0), torch.empty(5)

    @cuda.jit(device=True)
    def other(x):
        return x + 100

    monkeypatch.setattr(f"{__name__}.scaled", other)
    wb.launch(scale[1, 32], x, out)
    assert torch.equal(out, x + 100)


def test_numba_s_own_call_runs_on_the_cpu():
    x, out = np.arange(5.0), np.zeros(5)
    with wb.on_cpu():
        scale[1, 32](x, out)
    np.testing.assert_array_equal(out, 3 * x)


def test_numba_s_own_call_is_itself_again_afterwards():
    if torch.cuda.is_available():
        pytest.skip("has a GPU, where Numba's call runs")
    with pytest.raises(RuntimeError, match="inside"), wb.on_cpu():
        raise RuntimeError("inside")
    with pytest.raises(Exception, match="CUDA"):
        scale[1, 32](np.arange(5.0), np.zeros(5))


def test_workers_share_the_blocks(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    x = torch.randn(700, 801)
    out = torch.full_like(x, float("nan"))
    wb.launch(scale_in_2d[(88, 101), (8, 8)], x, out)
    assert torch.equal(out, 2 * x)


def test_several_threads_launch_at_once():
    xs = [torch.randn(1000 + k) for k in range(8)]
    outs = [torch.empty_like(x) for x in xs]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: wb.launch(scale[wb.blocks(xs[k].numel()), 256], xs[k], outs[k]), range(8)))
    for x, out in zip(xs, outs, strict=True):
        assert torch.equal(out, 3 * x)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
# Python 3.12 and later warn of any fork of a process with threads, which is what is tried here
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_after_a_fork(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    x, out = np.ones((700, 801), np.float32), np.zeros((700, 801), np.float32)
    wb.launch(scale_in_2d[(88, 101), (8, 8)], x, out)
    child = os.fork()
    if child == 0:
        wb.launch(scale_in_2d[(88, 101), (8, 8)], out, x)
        os._exit(0 if (x == 4).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
