"""`workbench report` as a stranger uses it."""

import pytest

from workbench.cli import main

FILE = """
import torch
from numba import cuda
import workbench as wb

@cuda.jit(device=True)
def halved(value):
    return 0.1 * value

@cuda.jit
def one_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = halved(x[i])

class One(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        out = torch.empty_like(x)
        wb.launch(one_kernel[wb.blocks(x.numel(), 64), 64], x, out)
        return out

    @staticmethod
    def backward(ctx, upstream):
        gradient = torch.empty_like(upstream)
        wb.launch(one_kernel[wb.blocks(upstream.numel(), 64), 64], upstream, gradient)
        return gradient, None

def nothing(x, y):
    return x

def example():
    return torch.randn(100, requires_grad=True), torch.empty(100)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_kernel_of_a_file(file, capsys):
    assert main(["report", f"{file}:one_kernel", "--arch", "sm_80"]) == 0
    said = capsys.readouterr().out
    assert "one_kernel for sm_80" in said
    assert "leaks in on line 8" in said
    assert "write float32(0.1)" in said
    assert "mine.py:" not in said  # a line of the same file is only a number


def test_a_function_of_a_file_is_run_for_its_launches(file, capsys):
    assert main(["report", f"{file}:One"]) == 0
    said = capsys.readouterr().out
    assert said.count("one_kernel for sm_90") == 1
    assert "64 (its own)" in said


def test_a_loss_reports_its_kernels_forward_and_backward(capsys):
    assert main(["report", "squared_error", "--lines"]) == 0
    said = capsys.readouterr().out
    assert "squared_error_kernel for sm_90, by" in said
    assert "squared_error_gradient_kernel for sm_90, by" in said
    assert "line, and its PTX" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("squared_eror", "there is no loss or pattern 'squared_eror'; did you mean 'squared_error'?"),
        ("nowhere.py:k", "there is no file nowhere.py"),
        ("{file}:two_kernel", "mine.py has no 'two_kernel'; did you mean 'one_kernel'?"),
        ("{file}:halved", "halved is a device function"),
        ("{file}:nothing", "nothing launched no kernel with its example inputs"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(name, said, file, capsys):
    assert main(["report", name.replace("{file}", str(file))]) == 2
    assert said.replace("{file}", str(file)) in capsys.readouterr().err


def test_an_unknown_architecture(capsys):
    assert main(["report", "squared_error", "--arch", "sm_61"]) == 2
    assert "arch='sm_61' is not one of sm_75" in capsys.readouterr().err


def test_an_example_for_another_kernel(file, capsys):
    file.write_text(FILE.replace("def one_kernel(x, out)", "def one_kernel(x, y, out)"))
    assert main(["report", f"{file}:one_kernel"]) == 2
    assert "example() returns 2 values, and one_kernel takes 3 arguments (x, y, out)" in capsys.readouterr().err
