"""On a GPU: torch's current stream, CUDA graphs, strides, and both losses under audit."""

import numpy as np
import pytest
import torch
from kernels import BLOCK, copy, reverse, square
from waiting_kernels import CASES

import workbench as wb
from workbench import losses

pytestmark = pytest.mark.gpu

N = 100_000
NAN = float("nan")
each_loss = pytest.mark.parametrize("loss", losses.ALL.values(), ids=losses.ALL)


def test_the_executor_is_the_gpu():
    assert wb.executor().name == wb.executor("cuda:0").name == "gpu"
    assert wb.best_device() == torch.device("cuda", 0)
    assert wb.executor("cpu").name == "cpu"


def test_a_launch_is_queued_on_the_current_stream():
    """The launch reads what the stream computes before it, and what is computed after it reads the launch's."""
    x, y = torch.zeros(N, device="cuda"), torch.full((N,), NAN, device="cuda")
    matrix = torch.randn(2048, 2048, device="cuda")
    wb.launch(square[wb.blocks(N, BLOCK), BLOCK], x, y)
    torch.cuda.synchronize()
    stream, done = torch.cuda.Stream(), torch.cuda.Event()
    with torch.cuda.stream(stream):
        for _ in range(50):
            matrix @ matrix
        x.fill_(3.0)
        wb.launch(square[wb.blocks(N, BLOCK), BLOCK], x, y)
        z = y + 1
        x.zero_()
        done.record()
    done.synchronize()
    assert (y == 9).all()
    assert (z == 10).all()


def test_a_stream_can_be_waited_for_by_event():
    x, y = torch.full((N,), 3.0, device="cuda"), torch.full((N,), NAN, device="cuda")
    side, done = torch.cuda.Stream(), torch.cuda.Event()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        wb.launch(square[wb.blocks(N, BLOCK), BLOCK], x, y)
        done.record()
    torch.cuda.current_stream().wait_event(done)
    assert ((y + 1) == 10).all()


def test_a_launch_in_a_graph_runs_at_each_replay():
    x, y = torch.ones(N, device="cuda"), torch.full((N,), NAN, device="cuda")
    wb.launch(square[wb.blocks(N, BLOCK), BLOCK], x, y)
    y.fill_(NAN)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        wb.launch(square[wb.blocks(N, BLOCK), BLOCK], x, y)
    torch.cuda.synchronize()
    assert y.isnan().all()
    for value in (2.0, 3.0):
        x.fill_(value)
        graph.replay()
        assert (y == value * value).all()


@each_loss
def test_a_loss_and_its_gradient_in_a_graph(loss):
    first, *others = loss.example(torch.device("cuda"))
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.autograd.grad(loss.function(first, *others), first)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = loss.function(first, *others)
        (gradient,) = torch.autograd.grad(value, first)
    with torch.no_grad():
        first.mul_(-0.5)
    graph.replay()
    expected = loss.reference(first, *others)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, first)[0])


def test_non_contiguous_tensors():
    x, y = torch.randn(64, 33, device="cuda").t(), torch.full((33, 128), NAN, device="cuda")
    wb.launch(copy[1, BLOCK], x[5], y[5, ::2])
    assert torch.equal(y[5, ::2], x[5])
    assert y[5, 1::2].isnan().all()
    assert y[[0, 4, 6, 32]].isnan().all()


def test_a_kernel_with_a_barrier():
    x, y = torch.arange(32.0, device="cuda"), torch.full((32,), NAN, device="cuda")
    wb.launch(reverse[1, 32], x, y)
    assert torch.equal(y, x.flip(0))


def test_float16():
    x, y = torch.arange(32, device="cuda").half(), torch.full((32,), NAN, device="cuda").half()
    wb.launch(copy[1, 32], x, y)
    assert torch.equal(y, x)


@each_loss
def test_a_loss_passes_its_audit(loss):
    audit = wb.audit(loss.function, *loss.example(torch.device("cuda")), reference=loss.reference)
    assert audit.passed, str(audit)
    assert audit.where == "gpu"


@each_loss
def test_both_devices_agree(loss):
    here, there = (loss.function(*loss.example(torch.device(name))) for name in ("cpu", "cuda"))
    torch.testing.assert_close(there.cpu(), here)


def test_a_cpu_tensor_among_cuda_tensors_is_refused():
    x, y = torch.zeros(8), torch.full((8,), NAN, device="cuda")
    for host in (x, x.numpy()):
        with pytest.raises(wb.LaunchError, match="'x' is on cpu and 'y' is on cuda:0"):
            wb.launch(square[1, 32], host, y)
    assert y.isnan().all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_kernel_that_waits_gives_what_the_cpu_executor_does(case):
    kernel, grid, block, inputs, output, expected = case
    here, there = output.copy(), torch.from_numpy(output.copy()).cuda()
    wb.launch(kernel[grid, block], *inputs, here)
    wb.launch(kernel[grid, block], *(torch.from_numpy(x).cuda() for x in inputs), there)
    np.testing.assert_allclose(there.cpu().numpy(), here, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(here, expected, rtol=2e-5, atol=2e-5)
