"""launch gives what plain torch gives, for every shape of grid, memory and argument."""

import numpy as np
import pytest
import torch
from cases import DTYPES, SIZES
from kernels import BLOCK, copy, fill, square
from numba import cuda

import workbench as wb

NAN = float("nan")
FACTOR = 3.0
TABLE = np.array([1.0, 2.0, 4.0], dtype=np.float32)


def poisoned(*shape, dtype=torch.float32, device="cpu"):
    return torch.full(shape, NAN, dtype=dtype, device=device)


@pytest.mark.parametrize("n", SIZES)
def test_one_dimension(n, device):
    x, y = torch.randn(n, device=device), poisoned(n, device=device)
    before = x.clone()
    wb.launch(square[wb.blocks(n, BLOCK), BLOCK], x, y)
    assert torch.equal(y, x * x)
    assert torch.equal(x, before)


@cuda.jit
def indices_2d(y):
    i, j = cuda.grid(2)
    if i < y.shape[0] and j < y.shape[1]:
        y[i, j] = 1000 * i + j


@cuda.jit
def indices_3d(y):
    i, j, k = cuda.grid(3)
    if i < y.shape[0] and j < y.shape[1] and k < y.shape[2]:
        y[i, j, k] = 10000 * i + 100 * j + k


def test_two_dimensions(device):
    y = poisoned(7, 5, device=device)
    wb.launch(indices_2d[(2, 3), (4, 2)], y)
    assert torch.equal(y.cpu(), 1000.0 * torch.arange(7)[:, None] + torch.arange(5))


def test_three_dimensions(device):
    y = poisoned(3, 4, 5, device=device)
    wb.launch(indices_3d[(2, 1, 3), (2, 4, 2)], y)
    expected = 10000.0 * torch.arange(3)[:, None, None] + 100 * torch.arange(4)[:, None] + torch.arange(5)
    assert torch.equal(y.cpu(), expected)


@cuda.jit
def where_am_i(y):
    i = cuda.threadIdx.x + cuda.blockIdx.x * cuda.blockDim.x
    j = cuda.threadIdx.y + cuda.blockIdx.y * cuda.blockDim.y
    k = cuda.threadIdx.z + cuda.blockIdx.z * cuda.blockDim.z
    y[i, j, k] = cuda.gridDim.x + 10 * cuda.gridDim.y + 100 * cuda.gridDim.z


def test_index_variables(device):
    y = poisoned(4, 9, 10, device=device)
    wb.launch(where_am_i[(2, 3, 5), (2, 3, 2)], y)
    assert torch.equal(y.cpu(), torch.full((4, 9, 10), 532.0))


@cuda.jit
def add_one_by_stride(x, y):
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        y[i] = x[i] + 1


def test_grid_stride_loop(device):
    x, y = torch.arange(1000.0, device=device), poisoned(1000, device=device)
    wb.launch(add_one_by_stride[3, 32], x, y)
    assert torch.equal(y, x + 1)


@cuda.jit
def find(x, wanted, y):
    i = cuda.grid(1)
    if i >= y.size:
        return
    for k in range(x.size):
        if x[k] == wanted[i]:
            y[i] = k
            return
    y[i] = -1


def test_early_return(device):
    x = torch.tensor([5.0, 7.0, 5.0], device=device)
    wanted, y = torch.tensor([7.0, 6.0, 5.0], device=device), poisoned(3, device=device)
    wb.launch(find[1, 32], x, wanted, y)
    assert y.tolist() == [1, -1, 0]


@cuda.jit(device=True)
def twice(x):
    return x + x


@cuda.jit(device=True)
def put(y, x):
    """Knows its own index, and calls another device function."""
    i = cuda.grid(1)
    if i < y.size:
        y[i] = twice(x[i])


@cuda.jit
def through_device_functions(x, y):
    put(y, x)


def test_device_functions(device):
    x, y = torch.arange(40.0, device=device), poisoned(40, device=device)
    wb.launch(through_device_functions[2, 32], x, y)
    assert torch.equal(y, 2 * x)


def scaled(factor):
    @cuda.jit
    def kernel(x, y):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = factor * FACTOR * x[i] + TABLE[i]

    return kernel


@pytest.mark.parametrize("factor", [2, 5.0])
def test_closure_and_globals(factor, device):
    x, y = torch.arange(3.0, device=device), poisoned(3, device=device)
    wb.launch(scaled(factor)[1, 32], x, y)
    assert y.tolist() == [1, factor * 3 + 2, factor * 6 + 4]


def test_a_global_is_read_at_the_first_launch(monkeypatch, device):
    kernel = scaled(1)
    monkeypatch.setitem(globals(), "FACTOR", 10.0)
    x, y = torch.arange(3.0, device=device), poisoned(3, device=device)
    wb.launch(kernel[1, 32], x, y)
    assert y.tolist() == [1, 12, 24]


@cuda.jit
def names_of_the_executor(first, last, block, thread, assume, run):
    i = cuda.grid(1)
    if i < run.size:
        run[i] = first[i] + last + block + thread + assume


def test_a_parameter_may_have_any_name():
    y = poisoned(3)
    wb.launch(names_of_the_executor[1, 32], torch.arange(3.0), 1.0, 2.0, 3.0, 4.0, y)
    assert y.tolist() == [10, 11, 12]


@cuda.jit
def with_defaults(y, a, b=2.0, c=FACTOR):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = 100 * a + 10 * b + c


@pytest.mark.parametrize(("given", "expected"), [((1,), 123), ((1, 5), 153), ((1, 5, 6), 156)])
def test_default_parameters(given, expected):
    y = poisoned(2)
    wb.launch(with_defaults[1, 32], y, *given)
    assert y.tolist() == [expected, expected]


SCALARS = [
    True, 3, -(2**63), 2**63 - 1, 1.5, float("inf"), np.bool_(True), np.int8(-3), np.uint8(200), np.int16(-4),
    np.int32(5), np.int64(-(2**63)), np.uint64(2**64 - 1), np.float32(0.5), np.float64(0.1),
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars(value, device):
    y = poisoned(2, dtype=torch.float64, device=device)
    wb.launch(fill[1, 32], y, value)
    assert y.tolist() == [float(value)] * 2


@pytest.mark.parametrize("value", [2 + 1j, np.complex64(1j)], ids=repr)
def test_complex_scalars(value, device):
    y = poisoned(2, dtype=torch.complex128, device=device)
    wb.launch(fill[1, 32], y, value)
    assert y.tolist() == [complex(value)] * 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype, device):
    bits = torch.tensor([0, 1, 0, 1, 1], device=device)
    x, y = bits.to(dtype), (1 - bits).to(dtype)
    wb.launch(copy[1, 32], x, y)
    assert torch.equal(y, x)


VIEWS = {
    "every second": lambda x: x[::2],
    "a column": lambda x: x.reshape(-1, 4)[:, 1],
    "stride 0": lambda x: x[3].expand(17),
    "with an offset": lambda x: x[3:],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_inputs_with_strides(view, device):
    x = view(torch.arange(40.0, device=device))
    y = poisoned(x.numel(), device=device)
    wb.launch(copy[1, BLOCK], x, y)
    assert torch.equal(y, x)


@cuda.jit
def copy_2d(x, y):
    i, j = cuda.grid(2)
    if i < y.shape[0] and j < y.shape[1]:
        y[i, j] = x[i, j]


@pytest.mark.parametrize(
    "view", [torch.t, lambda x: x[2].expand(6, 4), lambda x: x[::2, 1:]], ids=["t", "expand", "[]"]
)
def test_inputs_with_strides_in_two_dimensions(view, device):
    x = view(torch.arange(24.0, device=device).reshape(6, 4))
    y = poisoned(*x.shape, device=device)
    wb.launch(copy_2d[(1, 1), (8, 8)], x, y)
    assert torch.equal(y, x)


def test_an_output_with_strides_is_written_in_place(device):
    memory = poisoned(3, 4, device=device)
    wb.launch(indices_2d[1, (4, 4)], memory.t()[1:])
    expected = [[NAN, 0, 1000, 2000], [NAN, 1, 1001, 2001], [NAN, 2, 1002, 2002]]
    np.testing.assert_array_equal(memory.cpu(), expected)


@cuda.jit
def double_0d(x, y):
    if cuda.grid(1) == 0:
        y[()] = x[()] + x[()]


def test_no_dimension(device):
    x, y = torch.tensor(3.0, device=device), poisoned(device=device)
    wb.launch(double_0d[1, 32], x, y)
    assert y.item() == 6


def test_numpy_arrays():
    x, y = np.arange(6.0, dtype=np.float32)[::-2], np.full(3, NAN, dtype=np.float32)
    wb.launch(copy[1, 32], x, y)
    assert y.tolist() == [5, 3, 1]


def test_a_read_only_array_is_a_fine_input():
    x, y = np.arange(3.0, dtype=np.float32), poisoned(3)
    x.flags.writeable = False
    wb.launch(copy[1, 32], x, y)
    assert y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("n", "block", "expected"), [(0, 256, 1), (1, 256, 1), (256, 256, 1), (257, 256, 2), (9, 2, 5)]
)
def test_blocks(n, block, expected):
    assert wb.blocks(n, block) == expected


@pytest.mark.parametrize(("n", "block"), [(-1, 256), (1, 0), (1, -1)])
def test_blocks_refuses(n, block):
    with pytest.raises(wb.LaunchError, match="at least"):
        wb.blocks(n, block)
