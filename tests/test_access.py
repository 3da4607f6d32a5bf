"""How the elements that a warp touches lie to each other, by the kernel's source and the arrays' own strides."""

import math

import numpy as np
import pytest
import torch
from numba import cuda, float32, float64, int32, types

import workbench as wb
from workbench.inspection.access import Access

X, OUT = torch.ones(4096), torch.zeros(4096)
MATRIX = torch.ones(64, 48)
INDEX = torch.arange(64)


def found(kernel, *arguments) -> dict[str, Access]:
    """The accesses of a kernel, by the text of the element and what is done to it."""
    return {f"{one.what} {one.text}": one for one in wb.report(kernel, *arguments).accesses}


def kinds(kernel, *arguments) -> dict[str, str]:
    return {name: one.kind for name, one in found(kernel, *arguments).items()}


@cuda.jit
def simple(x, out):
    i = cuda.threadIdx.x + cuda.blockIdx.x * cuda.blockDim.x
    if i < out.size:
        out[i] = x[i] + x[0] + x[cuda.blockIdx.x]


def test_coalesced_and_broadcast():
    assert kinds(simple, X, OUT) == {
        "load x[i]": "coalesced",
        "load x[0]": "broadcast",
        "load x[cuda.blockIdx.x]": "broadcast",
        "store out[i]": "coalesced",
    }


def test_the_strides_of_the_arrays_count():
    seen = found(simple, X[::4][:100], MATRIX[:, 1][:60])
    assert (seen["load x[i]"].kind, seen["load x[i]"].stride) == ("strided", 4)
    assert (seen["store out[i]"].kind, seen["store out[i]"].stride) == ("strided", 48)
    assert seen["load x[i]"].sectors == 16
    assert seen["store out[i]"].sectors == 32
    assert kinds(simple, X[:1].expand(99), OUT)["load x[i]"] == "broadcast"
    assert found(simple, np.ones(99)[::-1], np.ones(99))["load x[i]"].stride == -1


def test_wider_elements_take_more_sectors_and_are_coalesced_all_the_same():
    seen = found(simple, X.double(), OUT.double())
    assert (seen["load x[i]"].kind, seen["load x[i]"].sectors) == ("coalesced", 8)
    assert found(simple, X, OUT)["load x[i]"].sectors == 4


@cuda.jit
def rows(x, out):
    row = cuda.grid(1)
    if row >= x.shape[0]:
        return
    total = float32(0)
    for c in range(x.shape[1]):
        total += x[row, c]
    out[row] = total


@cuda.jit
def columns(x, out):
    column = cuda.grid(1)
    if column < x.shape[1]:
        for r in range(x.shape[0]):
            out[column] += x[r, column]


def test_a_thread_a_row_is_strided_and_a_thread_a_column_is_not():
    seen = found(rows, MATRIX, OUT)["load x[row, c]"]
    assert (seen.kind, seen.stride) == ("strided", 48)
    assert "along dimension 0 of x" in seen.pattern
    assert "32 sectors for a warp, where 4 would do" in seen.pattern
    assert kinds(rows, MATRIX.T, OUT)["load x[row, c]"] == "coalesced"
    assert kinds(columns, MATRIX, OUT)["load x[r, column]"] == "coalesced"


@cuda.jit
def flat(x, n, out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        r, c = i // n, i % n
        out[i] = x[r * n + c] + x[c * n + r] + x[n * i + 1]


def test_index_arithmetic_is_followed():
    assert kinds(flat, X, 48, OUT) == {
        "load x[r * n + c]": "coalesced",
        "load x[c * n + r]": "irregular",
        "load x[n * i + 1]": "strided",
        "store out[i]": "coalesced",
    }
    assert found(flat, X, 48, OUT)["load x[n * i + 1]"].stride == 48


@cuda.jit
def gathered(x, index, start, out):
    i = cuda.grid(1)
    if i < out.size:
        j = index[i]
        out[i] = x[j] + x[int32(x[i])] + x[index[0]]
        for k in range(start[i], start[i + 1]):
            out[i] += x[k]


def test_a_gather_depends_on_what_each_thread_has_loaded():
    assert kinds(gathered, X, INDEX, INDEX, OUT) == {
        "load index[i]": "coalesced",
        "load x[j]": "gather",
        "load x[i]": "coalesced",
        "load x[int32(x[i])]": "gather",
        "load index[0]": "broadcast",
        "load x[index[0]]": "broadcast",
        "load start[i]": "coalesced",
        "load start[i + 1]": "coalesced",
        "load x[k]": "gather",
        "load out[i]": "coalesced",
        "store out[i]": "coalesced",
    }


@cuda.jit
def reduced(x, out):
    partial = cuda.shared.array(128, float32)
    t = cuda.threadIdx.x
    partial[t] = x[cuda.grid(1)]
    cuda.syncthreads()
    step = 64
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


def test_shared_memory_and_atomics():
    report = wb.report(reduced[4, 128], X, OUT)
    assert {(one.text, one.what): one.kind for one in report.accesses} == {
        ("partial[t]", "store"): "no conflict",
        ("partial[t]", "load"): "no conflict",
        ("partial[t + step]", "load"): "no conflict",
        ("x[cuda.grid(1)]", "load"): "coalesced",
        ("partial[0]", "load"): "one thread",
        ("out[0]", "atomic"): "one thread",
    }


@cuda.jit
def transposed(x, out):
    tile = cuda.shared.array((32, 32), float32)
    padded = cuda.shared.array((32, 33), float32)
    wide = cuda.shared.array(64, float64)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    tile[ty, tx] = x[ty, tx]
    padded[ty, tx] = x[ty, tx]
    wide[tx] = x[ty, tx]
    cuda.syncthreads()
    out[ty, tx] = tile[tx, ty] + padded[tx, ty] + float32(wide[tx])


def test_bank_conflicts():
    x = torch.ones(32, 32)
    seen = {f"{one.what} {one.text}": one for one in wb.report(transposed[1, (32, 32)], x, x).accesses}
    assert (seen["load tile[tx, ty]"].kind, seen["load tile[tx, ty]"].stride) == ("bank conflict", 32)
    assert seen["load padded[tx, ty]"].kind == "no conflict"
    assert seen["store tile[ty, tx]"].kind == "no conflict"
    assert seen["store wide[tx]"].kind == "no conflict"
    assert seen["store out[ty, tx]"].kind == "coalesced"


@cuda.jit
def two_dimensional(x, out):
    i, j = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        out[i, j] = x[i, j]


@cuda.jit
def two_dimensional_the_other_way(x, out):
    j, i = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        out[i, j] = x[i, j]


def test_two_dimensions():
    big = torch.ones(512, 512)
    assert kinds(two_dimensional, big, big)["load x[i, j]"] == "strided"
    assert kinds(two_dimensional_the_other_way, big, big)["load x[i, j]"] == "coalesced"
    assert kinds(two_dimensional_the_other_way[(9, 9), (16, 16)], big, big)["load x[i, j]"] == "coalesced"


@cuda.jit(device=True)
def total_of(row):
    total = float32(0)
    for c in range(row.size):
        total += row[c]
    return total


@cuda.jit(device=True)
def flat_index(i, n):
    if n > 0:
        return i * n
    return i


@cuda.jit
def through_device_functions(x, out):
    i = cuda.grid(1)
    if i < x.shape[0]:
        out[flat_index(i, 2)] = total_of(x[i]) + total_of(x[i, 2:5]) + total_of(x[:, 1])


def test_device_functions_and_rows_and_slices():
    seen = found(through_device_functions, MATRIX, OUT)
    assert seen["store out[flat_index(i, 2)]"].stride == 2
    assert "load row[c], of x" in seen
    assert seen["load row[c], of x"].kind == "strided"  # by rows, where the column is one for all
    assert "broadcast" in seen["load row[c], of x"].pattern
    assert "strided by 48" in seen["load row[c], of x"].pattern


@cuda.jit
def from_its_own_row_on(x, out):
    i = cuda.grid(1)
    if i < x.shape[0]:
        out[i] = total_of(x[i:, 1])


def test_a_slice_that_begins_elsewhere_in_each_thread():
    seen = found(from_its_own_row_on, MATRIX, OUT)["load row[c], of x"]
    assert (seen.kind, seen.stride) == ("strided", 48)


@cuda.jit
def in_local_memory(x, out):
    own = cuda.local.array(4, float32)
    i = cuda.grid(1)
    own[i % 4] = x[i]
    out[i] = own[0]


@cuda.jit
def beyond(x, out):
    i = cuda.grid(1)
    y = x.T
    out[i] = y[i] + x[int32(math.sqrt(i))]


def test_local_memory_and_what_is_not_followed():
    assert kinds(in_local_memory, X, OUT)["store own[i % 4]"] == "local"
    seen = kinds(beyond, X, OUT)
    assert seen["store out[i]"] == "coalesced"
    assert seen["load x[int32(math.sqrt(i))]"] == "coalesced"
    assert "load y[i]" not in seen  # of an array behind an attribute, where its elements lie is not known


@cuda.jit
def blocks_of_other_shapes(x, out):
    i = cuda.grid(1)
    out[i // 32] = x[i & 31] + x[i >> 5] + x[min(i, 7)] + x[i ^ 1]


def test_bits_and_bounds():
    seen = kinds(blocks_of_other_shapes, X, OUT)
    assert seen["store out[i // 32]"] == "broadcast"
    assert seen["load x[i & 31]"] == "coalesced"
    assert seen["load x[i >> 5]"] == "broadcast"
    assert seen["load x[i ^ 1]"] == "coalesced"
    assert seen["load x[min(i, 7)]"] in ("irregular", "coalesced")


@cuda.jit
def dynamic(x, out):
    shared = cuda.shared.array(0, types.float32)
    t = cuda.threadIdx.x
    shared[t] = x[t]
    cuda.syncthreads()
    out[t] = shared[2 * t]


def test_dynamic_shared_memory():
    report = wb.report(dynamic[1, 64, 0, 1024], X, OUT)
    seen = {one.text: one for one in report.accesses}
    assert seen["shared[t]"].kind == "no conflict"
    assert (seen["shared[2 * t]"].kind, seen["shared[2 * t]"].stride) == ("bank conflict", 2)


@pytest.mark.parametrize("n", [1, 5])
def test_a_small_example_shows_what_a_large_one_does(n):
    assert kinds(simple, X[:n], OUT[:n])["load x[i]"] == "coalesced"
    assert found(rows, torch.ones(n, 48), OUT[:n])["load x[row, c]"].stride == 48
