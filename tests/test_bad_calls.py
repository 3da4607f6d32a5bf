"""A launch that cannot be right is refused: before anything runs, and in words that name the fault and the way out."""

from dataclasses import dataclass

import faulty_kernels as faulty
import numpy as np
import pytest
import torch
from faulty_kernels import line_of
from kernels import fill, square
from numba import cuda
from torch._subclasses import FakeTensorMode

import workbench as wb
from workbench import CompileError, LaunchError, launch


@cuda.jit(device=True)
def device_function(x):
    return x + 1


def plain_function(x, y):
    y[0] = x[0]


def no_memory(device):
    """A tensor that says it is on the device, and has no memory."""
    with FakeTensorMode():
        return torch.empty(8, device=device)


def read_only(y):
    array = y.numpy()
    array.flags.writeable = False
    return array


@dataclass
class Bad:
    """``call`` receives an input x and an output y of 8 elements; what it writes to must be y's memory."""

    id: str
    call: object
    fragments: tuple
    error: type = LaunchError


TOO_MANY_THREADS = ("1,024", "blocks(n, 256), 256")
NOT_A_TENSOR = ("'x'", "torch.tensor")

CALLS = [
    Bad("no grid", lambda x, y: launch(square, x, y), ("square has no grid and block", "square[grid, block]")),
    Bad("plain function", lambda x, y: launch(plain_function, x, y), ("plain_function is a function", "@cuda.jit")),
    Bad("no function", lambda x, y: launch(None, x, y), ("None is a NoneType", "@cuda.jit")),
    Bad("device function", lambda x, y: launch(device_function[1, 32], x), ("device_function is a device function",)),
    Bad("block 0", lambda x, y: launch(square[1, 0], x, y), ("square: the block is 0", "at least 1")),
    Bad("block 1,025", lambda x, y: launch(square[1, 1025], x, y), ("1,025 along x", *TOO_MANY_THREADS)),
    Bad("block 32 x 33", lambda x, y: launch(square[1, (32, 33)], x, y), ("32 x 33 = 1,056", *TOO_MANY_THREADS)),
    Bad("block z 65", lambda x, y: launch(square[1, (1, 1, 65)], x, y), ("65 along z; CUDA allows 64",)),
    Bad("grid 0", lambda x, y: launch(square[0, 32], x, y), ("square: the grid is 0", "blocks(n)")),
    Bad("grid y 0", lambda x, y: launch(square[(2, 0), 32], x, y), ("square: the grid is 2 x 0",)),
    Bad("grid negative", lambda x, y: launch(square[-1, 32], x, y), ("square: the grid is -1",)),
    Bad("grid 2**31", lambda x, y: launch(square[2**31, 32], x, y), ("2,147,483,648 along x", "2,147,483,647")),
    Bad("grid y 65,536", lambda x, y: launch(square[(1, 65536), 32], x, y), ("65,536 along y", "65,535", "in x")),
    Bad("too few", lambda x, y: launch(square[1, 32], x), ("square takes 2 arguments (x, y), and got 1",)),
    Bad("too many", lambda x, y: launch(square[1, 32], x, y, 1.0), ("square takes 2 arguments (x, y), and got 3",)),
    Bad(
        "two devices",
        lambda x, y: launch(square[1, 32], no_memory("cuda"), y),
        ("'x' is on cuda:0 and 'y' is on cpu", ".to('cuda:0')", ".to('cpu')"),
    ),
    Bad(
        "an array among CUDA tensors",
        lambda x, y: launch(square[1, 32], no_memory("cuda"), y.numpy()),
        ("'x' is on cuda:0 and 'y' is a NumPy array, so on cpu",),
    ),
    Bad("meta", lambda x, y: launch(square[1, 32], x.to("meta"), y.to("meta")), ("no executor", "meta")),
    Bad("fake tensor", lambda x, y: launch(square[1, 32], no_memory("cpu"), y), ("'x'", "memory")),
    Bad("list", lambda x, y: launch(square[1, 32], [1.0], y), ("a list", *NOT_A_TENSOR)),
    Bad("string", lambda x, y: launch(square[1, 32], "x", y), ("a str", *NOT_A_TENSOR)),
    Bad("None", lambda x, y: launch(square[1, 32], None, y), ("a NoneType", *NOT_A_TENSOR)),
    Bad("big int", lambda x, y: launch(fill[1, 32], y, 2**63), ("'value' is 9223372036854775808", "int64")),
    Bad("bfloat16", lambda x, y: launch(square[1, 32], x.bfloat16(), y), ("'x' is bfloat16", ".float()")),
    Bad("sparse", lambda x, y: launch(square[1, 32], x.to_sparse(), y), ("'x' is torch.sparse_coo", ".to_dense()")),
    Bad(
        "conjugate",
        lambda x, y: launch(square[1, 32], torch.complex(x, x).conj(), y),
        ("'x' is a lazy conjugate", ".resolve_conj()"),
    ),
    Bad("negative", lambda x, y: launch(square[1, 32], torch._neg_view(x), y), ("negative", ".resolve_neg()")),
    Bad(
        "vmap",
        lambda x, y: torch.func.vmap(lambda row: launch(square[1, 32], row, y))(x[None]),
        ("'x' is inside torch.func", "autograd.Function"),
    ),
    Bad("byte order", lambda x, y: launch(square[1, 32], np.arange(8, dtype=">f4"), y), ("'x'", ">f4")),
    Bad("masked array", lambda x, y: launch(square[1, 32], np.ma.zeros(8), y), ("'x'", "MaskedArray")),
    Bad(
        "output requires grad",
        lambda x, y: launch(square[1, 32], x, y.requires_grad_()),
        ("square writes 'y', which requires grad", "torch.no_grad()"),
    ),
    Bad(
        "expanded output",
        lambda x, y: launch(square[1, 32], x, y[:1].expand(8)),
        ("square writes 'y'", "share memory", "strides (0,)", "torch.empty"),
    ),
    Bad("scalar output", lambda x, y: launch(square[1, 32], x, 3.0), ("writes 'y'", "the float 3.0", "pass a tensor")),
    Bad(
        "read-only output",
        lambda x, y: launch(square[1, 32], x, read_only(y)),
        ("square writes 'y'", "read-only NumPy array", "copy"),
    ),
]


def does_not_compile(kernel, code, *fragments):
    """A launch that names the line of the kernel that holds the code."""
    name = kernel.py_func.__name__
    line = f"line {line_of(kernel, code)}"
    return Bad(name, lambda x, y: launch(kernel[1, 32], x, y), (name, line, *fragments), CompileError)


KERNELS = [
    does_not_compile(faulty.grid_barrier, "this_grid", "cuda.cg.this_grid", "GPU"),
    does_not_compile(faulty.text, '"one"', '`y[i] = x[i] + "one"`', "float32"),
    does_not_compile(faulty.undefined, "no_such", "the name 'no_such_function' is not defined"),
    does_not_compile(faulty.undefined_attribute, "no_such", "'inspect.no_such_function' does not exist"),
    does_not_compile(faulty.with_statement, "with x", "`with x:`", "contexts"),
    does_not_compile(faulty.try_statement, "try:", "`try:`", "with if"),
    does_not_compile(faulty.list_comprehension, "sum", "`[2 * k for k in range(3)]`", "tuple"),
    does_not_compile(faulty.returns_a_value, "return x[0]", "return"),
    does_not_compile(faulty.generator, "yield", "yield"),
    Bad(
        "a fault in a device function",
        lambda x, y: launch(faulty.calls_faulty[1, 32], x, y),
        (
            "calls_faulty does not compile",
            f"line {line_of(faulty.faulty_device_function, 'nothing')}, `return doubled.nothing`",
        ),
        CompileError,
    ),
    Bad("recursion", lambda x, y: launch(faulty.recursion[1, 32], x, y), ("recursion does not compile",), CompileError),
    Bad("*args, two", lambda x, y: launch(faulty.variable_arguments[1, 32], x, y), ("*args", "line"), CompileError),
    Bad("*args, three", lambda x, y: launch(faulty.variable_arguments[1, 32], x, y, y), ("*args",), CompileError),
    Bad("exec", lambda x, y: launch(faulty.without_source[1, 32], x, y), ("without_source", "`def`"), CompileError),
]


@pytest.mark.parametrize("bad", CALLS + KERNELS, ids=lambda bad: bad.id)
def test_a_bad_call_is_refused_in_words(bad, capfd):
    x, y = torch.arange(8.0), torch.full((8,), float("nan"))
    with pytest.raises(LaunchError) as refused:
        bad.call(x, y)
    assert type(refused.value) is bad.error
    for fragment in bad.fragments:
        assert fragment in str(refused.value)
    assert y.detach().isnan().all()
    assert capfd.readouterr() == ("", "")


def test_a_refused_kernel_is_refused_again():
    for _ in range(2):
        with pytest.raises(CompileError, match="with x"):
            launch(faulty.with_statement[1, 32], torch.zeros(8), torch.zeros(8))


def test_executor_of_a_device_without_one():
    with pytest.raises(LaunchError, match="no executor runs kernels on meta"):
        wb.executor("meta")
