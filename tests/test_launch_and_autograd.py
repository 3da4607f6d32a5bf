"""launch hides nothing from autograd: a write is counted, and an input may require grad."""

import pytest
import torch
from kernels import copy

import workbench as wb


def test_an_input_may_require_grad_and_the_output_has_no_graph(device):
    x, y = torch.arange(3.0, device=device, requires_grad=True), torch.zeros(3, device=device)
    wb.launch(copy[1, 32], x, y)
    assert y.tolist() == [0, 1, 2]
    assert not y.requires_grad
    assert y.grad_fn is None


def test_a_write_raises_the_version_of_the_output_only(device):
    x, y = torch.ones(3, device=device), torch.zeros(3, device=device)
    wb.launch(copy[1, 32], x, y)
    assert (x._version, y._version) == (0, 1)
    wb.launch(copy[1, 32], x, y[1:])
    assert (x._version, y._version) == (0, 2)


def test_autograd_notices_a_write_to_a_saved_tensor(device):
    x, saved = torch.ones(3, device=device, requires_grad=True), torch.ones(3, device=device)
    loss = (x * saved).sum()
    wb.launch(copy[1, 32], torch.zeros(3, device=device), saved)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_an_output_that_requires_grad_is_accepted_under_no_grad(device):
    y = torch.zeros(3, device=device, requires_grad=True)
    with torch.no_grad():
        wb.launch(copy[1, 32], torch.ones(3, device=device), y)
    assert y.tolist() == [1, 1, 1]


def test_inference_mode(device):
    with torch.inference_mode():
        x, y = torch.ones(3, device=device), torch.zeros(3, device=device)
        wb.launch(copy[1, 32], x, y)
    assert y.tolist() == [1, 1, 1]
