"""Arrays in a kernel: shared, local and constant ones, any layout, views, records, and elements of any type."""

import numpy as np
import pytest
from dialect import kernel, tensors
from numba import cuda, float32, int32
from simulator import assert_same, simulated

import workbench as wb

TABLE = np.array([[1.5, 2.5], [3.5, 4.5]])
SIZE = 4
RECORD = np.dtype([("x", np.float32), ("n", np.int64), ("v", np.float64, (3,))], align=True)


@cuda.jit
def shared(a, out):
    i, j = cuda.threadIdx.x, cuda.threadIdx.y
    tile = cuda.shared.array((SIZE, SIZE + 1), float32)
    flags = cuda.shared.array(shape=SIZE * 2, dtype=np.int8)
    tile[j, i] = a[j, i]
    if j == 0:
        flags[i] = i % 2
        flags[i + SIZE] = 7
    cuda.syncthreads()
    out[i, j] = tile[i, j] + tile[j, i] * 10 + 100 * flags[j] + flags[SIZE + i]
    cuda.syncthreads()
    if tile.shape[1] == SIZE + 1 and len(flags) == tile.size - 12:
        tile[i, j] = j
    cuda.syncthreads()
    out[i, j] += tile[j, i] * 0.25


@cuda.jit
def dynamic(out):
    i = cuda.threadIdx.x
    whole = cuda.shared.array(0, int32)
    floats = cuda.shared.array(shape=0, dtype=float32)
    tail = cuda.shared.array(0, int32)[8:]
    whole[i] = i
    tail[i] = 10 * i
    cuda.syncthreads()
    out[0, i] = whole[7 - i]
    out[1, i] = whole[15 - i]
    out[2, i] = whole.size
    cuda.syncthreads()
    floats[i] = 1.0
    cuda.syncthreads()
    out[3, i] = whole[i]


@cuda.jit
def local(out):
    i = cuda.grid(1)
    mine = cuda.local.array(3, np.float64)
    square = cuda.local.array((2, 2), dtype=float32)
    for k in range(3):
        mine[k] = i + k
    for a in range(2):
        for b in range(2):
            square[a, b] = mine[a] * mine[b + 1]
    out[i] = square[0, 0] + square[0, 1] + square[1, 0] - square[1, 1] + mine[-1]


@cuda.jit
def constant(out):
    i = cuda.threadIdx.x
    table = cuda.const.array_like(TABLE)
    out[i] = table[i // 2, i % 2] + table[-1, -1] + table.shape[0]


@cuda.jit
def indexing(a, out):
    i = cuda.grid(1)
    if i < a.shape[0]:
        row = a[i]
        part = a[i, 1:3]
        column = a[:, 1]
        out[i, 0] = row[-1]
        out[i, 1] = part[0] + 10 * part[1] + part.size
        out[i, 2] = column[i - a.shape[0]]
        out[i, 3] = a[::-1][i, 0] + a.T[0, i] + a[i, ::2][1]
        out[i, 4] = a.ndim + len(a) * 10 + a.size * 100
        total = 0
        for value in row:
            total += value
        out[i, 5] = total
        out[i][6] = a[i][0]
        out[i, 7:] = 5


@cuda.jit
def fields(records, out):
    i = cuda.grid(1)
    if i < records.size:
        records[i].x += 1
        records[i]["n"] = records[i].n * 2
        r = records[i]
        r.v[1] = r.x
        records["x"][i] *= 2
        out[i] = records[i].x + records.n[i] + r["v"][1] + records[i]["v"][-1]
        cuda.atomic.add(records["n"], 0, 100)


@cuda.jit
def elements(flags, bytes_, shorts, values, out):
    i = cuda.grid(1)
    if i < flags.size:
        if flags[i] and not flags[-1]:
            bytes_[i] = bytes_[i] + shorts[i]
        if i < flags.size - 1:  # the last one is read by all
            flags[i] = values[i].real > 1
        values[i] = values[i] * 1j + flags[i]
        shorts[i] = -shorts[i]
        out[i] = np.int64(bytes_[i]) * 2 + shorts[i] + abs(values[i])


def layouts():
    """The same 3 x 4 numbers in memory of many layouts."""
    a = np.arange(12, dtype=np.int64).reshape(3, 4)
    return {
        "C": a,
        "F": np.asfortranarray(a),
        "reversed": a[::-1, ::-1].copy()[::-1, ::-1],
        "transposed": a.T.copy().T,
        "strided": np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
        "broadcast": np.broadcast_to(a[0], (3, 4)),
    }


def records():
    found = np.zeros(3, RECORD)
    found["x"], found["n"], found["v"] = [1, 2, 3], [4, 5, 6], np.arange(9).reshape(3, 3)
    return found


def in_simulator():
    found = {}
    a, out = np.arange(16, dtype=np.float32).reshape(4, 4), np.zeros((4, 4))
    wb.launch(shared[1, (4, 4)], a, out)
    found["shared"] = out
    found["dynamic"] = np.zeros((4, 8), np.int64)
    wb.launch(dynamic[1, 8, 0, 64], found["dynamic"])
    found["local"] = np.zeros(5)
    wb.launch(local[1, 5], found["local"])
    found["constant"] = np.zeros(4)
    wb.launch(constant[1, 4], found["constant"])
    for name, array in [("C", layouts()["C"]), ("F", layouts()["F"])]:
        found[name] = np.zeros((3, 8), np.int64)
        wb.launch(indexing[1, 4], array, found[name])
    found["records"], found["fields"] = records(), np.zeros(3)
    wb.launch(fields[3, 1], found["records"], found["fields"])
    found["flags"] = np.array([True, True, False, False])
    found["bytes"], found["shorts"] = np.array([250, 2, 3, 4], np.uint8), np.array([1, 300, -3, 4], np.int16)
    found["complex"], found["elements"] = np.array([1 + 2j, 2, -1j, 3]), np.zeros(4)
    names = ("flags", "bytes", "shorts", "complex", "elements")
    with np.errstate(all="ignore"):
        wb.launch(elements[4, 1], *(found[name] for name in names))
    return tensors(**found)


def test_arrays_agree_with_the_simulator():
    assert_same(in_simulator(), simulated("test_dialect_memory"))


@pytest.mark.parametrize("layout", layouts())
def test_every_layout_reads_alike(layout):
    array = layouts()[layout]
    found, expected = np.zeros((2, 3, 8), np.int64)
    wb.launch(indexing[1, 4], array, found)
    wb.launch(indexing[1, 4], array.copy(), expected)
    assert np.array_equal(found, expected)


def test_every_layout_is_written_alike():
    text = "def count(a):\n    i, j = cuda.grid(2)\n    a[i, j] = 10 * i + j\n"
    counted = kernel(text)
    for layout, array in layouts().items():
        if layout != "broadcast":
            wb.launch(counted[(3, 2), (1, 2)], array)
            assert array.tolist() == [[10 * i + j for j in range(4)] for i in range(3)]


def test_negative_indices_count_from_the_end():
    """As Numba has it: once around. Below -size, and from size on, an index is out of bounds, unchecked."""
    a = np.arange(5.0)
    text = "def last(a, n, out):\n    for k in range(n.size):\n        out[k] = a[n[k]]\n"
    out, n = np.zeros(4), np.array([-1, -5, 4, 0])
    wb.launch(kernel(text)[1, 1], a, n, out)
    assert out.tolist() == [4, 0, 4, 0]


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.uint64])
def test_an_array_of_an_arguments_dtype(dtype):
    @cuda.jit
    def turn(a, out):
        i = cuda.threadIdx.x
        tile = cuda.shared.array(4, a.dtype)
        mine = cuda.local.array(1, dtype=a.dtype)
        tile[i] = a[i]
        cuda.syncthreads()
        mine[0] = tile[3 - i]
        out[i] = mine[0]

    a = np.array([0, 1, 1, 0]).astype(dtype) * dtype(np.iinfo(dtype).max if dtype != np.bool_ else 1)
    out = np.full(4, 2).astype(dtype)
    wb.launch(turn[1, 4], a, out)
    assert np.array_equal(out, a[::-1])
    assert not wb.launch(turn[1, 4], a, out, sanitize=True)
    wb.debug(turn[1, 4], a, np.zeros(4, dtype))


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.uint64])
def test_elements_of_any_size(dtype):
    text = "def copy(a, out):\n    i = cuda.grid(1)\n    if i < a.size:\n        out[i] = a[a.size - 1 - i]\n"
    a = np.array([0, 1, 1, 0, 1]).astype(dtype) * dtype(np.iinfo(dtype).max if dtype != np.bool_ else 1)
    out = np.zeros(5, dtype)
    wb.launch(kernel(text)[1, 8], a, out)
    assert np.array_equal(out, a[::-1])
