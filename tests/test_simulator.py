"""With NUMBA_ENABLE_CUDASIM=1, the same calls run in Numba's simulator, and kernels with barriers run too."""

import torch
from kernels import reverse, square
from simulator import simulated

import workbench as wb
from workbench import losses


def straight():
    """A kernel, and the losses forward and backward, all without barriers."""
    x, y = torch.arange(40.0), torch.full((40,), float("nan"))
    wb.launch(square[2, 32], x, y)
    a, b, logits = (torch.randn(7, 5, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    for tensor in (a, b, logits):
        tensor.requires_grad_()
    target, weight = torch.tensor([0, 4, 2, 2, 1, 0, 3]), torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0])
    squared, cross = losses.squared_error(a, b), losses.cross_entropy(logits, target, weight)
    (squared + cross).backward()
    found = {"square": y, "squared_error": squared.detach(), "cross_entropy": cross.detach()}
    return found | {"a.grad": a.grad, "b.grad": b.grad, "logits.grad": logits.grad}


def in_simulator():
    x, y = torch.arange(32.0), torch.full((32,), float("nan"))
    wb.launch(reverse[1, 32], x, y)
    return straight() | {"reverse": y, "executor": wb.executor().name, "device": wb.best_device().type}


def test_the_simulator_is_chosen():
    assert simulated("test_simulator")["executor"] == "simulator"
    assert simulated("test_simulator")["device"] == "cpu"
    assert wb.executor("cpu").name == "cpu"


def test_a_kernel_and_both_losses_agree():
    there = simulated("test_simulator")
    for name, here in straight().items():
        assert here.isfinite().all()
        torch.testing.assert_close(there[name], here)


def test_a_kernel_with_a_barrier_runs():
    assert simulated("test_simulator")["reverse"].tolist() == list(range(31, -1, -1))
