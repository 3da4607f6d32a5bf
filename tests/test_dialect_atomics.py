"""Every ``cuda.atomic`` operation, for every element type that numba-cuda takes, in global and in shared memory."""

import functools

import numba
import numpy as np
import pytest
from dialect import NAN, kernel, tensors
from everyday import everyday
from numba import cuda
from simulator import assert_same, simulated

import workbench as wb
from workbench.executors.cpu import run as running

NUMBERS = ("int32", "int64", "uint32", "uint64", "float32", "float64")
INTEGERS, UNSIGNED = NUMBERS[:4], ("uint32", "uint64")

DTYPES = {
    **dict.fromkeys(("add", "sub", "max", "min", "nanmax", "nanmin"), NUMBERS),
    **dict.fromkeys(("and_", "or_", "xor", "exch"), INTEGERS),
    **dict.fromkeys(("inc", "dec"), UNSIGNED),
}


@pytest.fixture(autouse=True, params=["one worker", "several"])
def workers(request, monkeypatch):
    """Both of the executor's kinds of atomics: those of one worker, and those that several need."""
    compile_kernel = functools.partial(running.compile_kernel, several=request.param == "several")
    monkeypatch.setattr(running, "compile_kernel", lambda *given: compile_kernel(*given[:3]))
    monkeypatch.setattr(running, "_compiled", type(running._compiled)())


HEAD = """
def every(a, two, old, shared_out):
    i = cuda.threadIdx.x
    s = cuda.shared.array((16, 4), numba.{dtype})
    if i < 4:
        for k in range(16):
            s[k, i] = a[k, i]
    cuda.syncthreads()
    if i < 4:
"""

SIMPLE = """
        row = a[{k}]
        old[{k}, 0, i] = cuda.atomic.{operation}(row, i, 3)
        own = s[{k}]
        old[{k}, 2, i] = cuda.atomic.{operation}(own, i, 2)
        cuda.atomic.{operation}(own, i, 1)
"""

TUPLE = """
        old[{k}, 1, i] = cuda.atomic.{operation}(two, ({k}, i % 2, i // 2), 6)
"""

CAS = """
        row = a[15]
        old[15, 0, i] = cuda.atomic.cas(row, i, 4, 9)
        old[15, 1, i] = cuda.atomic.cas(two, (15, i % 2, i // 2), 7, 1)
        old[15, 2, i] = cuda.atomic.cas(s, (15, i), 1, 8)
        old[15, 3, i] = cuda.atomic.compare_and_swap(row[i:], 9, 2)
"""

TAIL = """
    cuda.syncthreads()
    if i < 4:
        for k in range(16):
            shared_out[k, i] = s[k, i]
"""

OPERATIONS = list(DTYPES)


def run(dtype):
    """What every operation that the dtype has leaves in rows of arrays, one row for each operation."""
    template = SIMPLE + TUPLE * (dtype in ("uint32", "float32"))
    lines = [template.format(k=k, operation=o) for k, o in enumerate(OPERATIONS) if dtype in DTYPES[o]]
    text = HEAD.format(dtype=dtype) + "".join(lines) + (CAS if dtype in INTEGERS else "") + TAIL
    a = np.tile(np.array([1, 4, 7, 100], dtype), (16, 1))
    arrays = {"a": a, "two": a.reshape(16, 2, 2).copy(), "old": np.zeros((16, 4, 4), dtype), "shared": np.zeros_like(a)}
    wb.launch(kernel(text, numba=numba)[1, 32], *arrays.values())
    return arrays


def left_by(dtypes):
    return tensors(**{f"{dtype} {name}": array for dtype in dtypes for name, array in run(dtype).items()})


def in_simulator():
    with np.errstate(over="ignore"):
        return left_by(NUMBERS)


def expected_in_shared_memory(operation, value):
    """What the two operations on the shared array leave."""
    for other in (2, 1):
        value = {
            "add": value + other, "sub": value - other, "max": max(value, other), "min": min(value, other),
            "nanmax": max(value, other), "nanmin": min(value, other), "and_": value & other, "or_": value | other,
            "xor": value ^ other, "exch": other, "inc": 0 if value >= other else value + 1,
            "dec": other if value == 0 or value > other else value - 1,
        }[operation]  # fmt: skip
    return value


@pytest.mark.parametrize("workers", ["several", pytest.param("one worker", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize("dtypes", everyday([("uint32", "float32"), NUMBERS], 2), ids=["two types", "every type"])
def test_every_operation_agrees_with_the_simulator(dtypes):
    found = left_by(dtypes)
    expected = simulated("test_dialect_atomics")
    assert_same(found, {label: x for label, x in expected.items() if label.split()[0] in dtypes})
    for k, operation in enumerate(OPERATIONS):
        expected = [expected_in_shared_memory(operation, v) for v in (1, 4, 7, 100)]
        for dtype in set(DTYPES[operation]) & set(dtypes):
            wrapped = np.array(expected).astype(dtype)
            values = found[f"{dtype} shared"][k].numpy().view(dtype)
            assert np.array_equal(values, wrapped), (operation, dtype)


@cuda.jit
def counting(up, down, ups, downs):
    i = cuda.grid(1)
    ups[i] = cuda.atomic.inc(up, 0, 4)
    downs[i] = cuda.atomic.dec(down, 0, 4)


def test_inc_and_dec_go_round():
    up, down = np.zeros(1, np.uint32), np.array([9], np.uint64)
    ups, downs = np.zeros(12, np.int64), np.zeros(12, np.int64)
    wb.launch(counting[3, 4], up, down, ups, downs)
    assert sorted(ups) == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]
    assert sorted(downs) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 9]


@cuda.jit
def converting(ints, unsigned, floats, old):
    cuda.atomic.add(ints, 0, 2.9)
    cuda.atomic.add(ints, 1, 2**40 + 1)
    old[0] = cuda.atomic.add(unsigned, 0, -1)
    cuda.atomic.max(unsigned, 1, -1)
    cuda.atomic.add(floats, 0, 1.0 + 2.0**-30)
    cuda.atomic.add(floats, -1, 2)


def test_a_value_is_first_converted_to_the_elements_type():
    ints, unsigned = np.zeros(2, np.int32), np.array([2**63 + 1, 5], np.uint64)
    floats, old = np.array([2.0**-24, 0, 1], np.float32), np.zeros(1, np.uint64)
    wb.launch(converting[1, 1], ints, unsigned, floats, old)
    assert ints.tolist() == [2, 1]
    assert unsigned.tolist() == [2**63, 2**64 - 1]
    assert old.tolist() == [2**63 + 1]
    assert floats.tolist() == [1, 0, 3]


@cuda.jit
def with_nan(a):
    cuda.atomic.nanmax(a, 0, 5.0)
    cuda.atomic.nanmax(a, 1, math_nan)
    cuda.atomic.nanmin(a, 2, 5.0)
    cuda.atomic.nanmin(a, 3, math_nan)


math_nan = NAN


def test_nanmax_and_nanmin_replace_a_nan():
    a = np.array([NAN, 1, NAN, 1], np.float32)
    wb.launch(with_nan[1, 1], a)
    assert a.tolist() == [5, 1, 5, 1]


REFUSED = {
    "cuda.atomic.add(a, 0, 1)": np.int16,
    "cuda.atomic.max(a, 0, 1)": np.uint8,
    "cuda.atomic.exch(a, 0, 1)": np.float32,
    "cuda.atomic.cas(a, 0, 1, 2)": np.float64,
    "cuda.atomic.or_(a, 0, 1)": np.float32,
    "cuda.atomic.inc(a, 0, 1)": np.int32,
    "cuda.atomic.dec(a, 0, 1)": np.float32,
    "cuda.atomic.compare_and_swap(a, 1, 2)": np.float32,
}


@pytest.mark.parametrize("call", REFUSED)
def test_an_array_that_numba_cuda_refuses(call):
    dtype = np.dtype(REFUSED[call])
    with pytest.raises(
        wb.CompileError, match=rf"line 2, `cuda.atomic.*not of {dtype.name}|this one is of {dtype.name}"
    ):
        wb.launch(kernel(f"def refused(a):\n    {call}\n")[1, 1], np.zeros(4, dtype))
