"""What port refuses, in which words; and that it leaves nothing behind then."""

import ported_losses
import pytest
import torch

import workbench as wb
from workbench.cli import main
from workbench.errors import PortError

REFUSED = {
    "a lambda": (ported_losses.nameless, "<lambda> is made where no import reaches it"),
    "no function": (3, "3 is neither a function nor an autograd.Function"),
    "no launch": (ported_losses.without_launch, "without_launch launched no kernel for these inputs"),
    "two types": (ported_losses.twice, r"copy_kernel was launched with arguments .*float32.* and .*int64"),
    "no tensor": (ported_losses.no_tensor, "the function returns a float"),
    "a kernel of its own": (
        ported_losses.with_own_kernel,
        r"inner_kernel is made anew at each call",
    ),
    "numba types": (ported_losses.with_types, r"ported_losses, line \d+ uses Numba outside a kernel"),
    "workbench": (ported_losses.in_an_audit, r"needs wb\.best_device, and a port has launch, blocks and once_diff"),
    "one precision": (ported_losses.for_one_precision, "made 1 kernels for float32 and 0 for float64"),
    "a kernel": (ported_losses.filled, r"ported_losses\.py:\d+: filling_kernel: C\+\+ does not fill a whole array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    function, said = REFUSED[name]
    with pytest.raises(PortError, match=said):
        wb.port(function, torch.ones(3), to=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_directory_that_is_not_empty_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(PortError, match="exists and is not an empty directory"):
        wb.port(None, to=tmp_path)
    with pytest.raises(PortError, match="exists and is not an empty directory"):
        wb.port(None, to=tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["2fast", "for", "a b"])
def test_a_name_that_no_package_can_have(name, tmp_path):
    with pytest.raises(PortError, match="cannot be the name of a Python package"):
        wb.port(ported_losses.keeps, torch.ones(3), to=tmp_path / "out", name=name)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"sideways": True}, r"with sideways=True the function cannot be called: .*unexpected keyword argument"),
        ({"power": torch.ones(1)}, "the option power is a Tensor; options are numbers, texts or None"),
    ],
)
def test_an_option_that_the_function_does_not_take(option, said, tmp_path):
    with pytest.raises(PortError, match=said):
        wb.port(ported_losses.half_square, torch.ones(3), to=tmp_path / "out", options=[option])
    assert not (tmp_path / "out").exists()


def test_no_tensor_to_differentiate(tmp_path):
    with pytest.raises(PortError, match="needs a floating-point tensor"):
        wb.port(ported_losses.keeps, torch.ones(3, dtype=torch.int64), to=tmp_path / "out")


def test_a_port_from_the_command_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    assert main(["port", f"{tmp_path / 'mine.py'}:Square", "--to", str(tmp_path / "square_ext")]) == 0
    assert "square_kernel from mine:square_kernel" in capsys.readouterr().out
    assert (tmp_path / "square_ext" / "square_ext" / "mine.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["squared_eror"], "did you mean 'squared_error'?"),
        (["nowhere.py:f"], "there is no file nowhere.py"),
        (["squared_error"], "exists and is not an empty directory"),
    ],
)
def test_a_port_refused_on_the_command_line(arguments, said, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert main(["port", *arguments, "--to", str(tmp_path / "full")]) == 2
    assert said in capsys.readouterr().err


MINE = """
import torch, workbench as wb
from numba import cuda

@cuda.jit
def square_kernel(x, loss):
    i = cuda.grid(1)
    if i < loss.size:
        loss[i] = x[i] * x[i]

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        loss = torch.empty_like(x)
        wb.launch(square_kernel[wb.blocks(x.numel()), 256], x, loss)
        return loss

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return 2 * x * upstream

def example():
    return torch.linspace(-1, 1, 100)

def reference(x):
    return x**2
"""
