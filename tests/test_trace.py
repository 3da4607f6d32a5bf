"""A recorded run as data: every access, barrier and exchange of a block, in order, and the picture of it."""

import inspect

import numpy as np
import pytest
import torch
from dialect import kernel
from numba import cuda, float32

import workbench as wb


@cuda.jit
def block_sum(x, out):
    partial = cuda.shared.array(4, float32)
    t = cuda.threadIdx.x
    partial[t] = x[t]
    cuda.syncthreads()
    s = 2
    while s > 0:
        if t < s:
            partial[t] += partial[t + s]
        cuda.syncthreads()
        s //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


FIRST = inspect.getsourcelines(block_sum.py_func)[1]
"""The line of the decorator."""

X = [5.0, 1.0, 7.0, 3.0]


def recorded():
    return wb.trace(block_sum[1, 4], np.array(X, np.float32), np.full(1, 100, np.float32))


# thread, array, element, kind, value, line after the decorator, phase
ACCESSES = [
    (0, "x", 0, "read", 5, 4, 0), (0, "partial", 0, "write", 5, 4, 0),
    (1, "x", 1, "read", 1, 4, 0), (1, "partial", 1, "write", 1, 4, 0),
    (2, "x", 2, "read", 7, 4, 0), (2, "partial", 2, "write", 7, 4, 0),
    (3, "x", 3, "read", 3, 4, 0), (3, "partial", 3, "write", 3, 4, 0),
    (0, "partial", 0, "read", 5, 9, 1), (0, "partial", 2, "read", 7, 9, 1), (0, "partial", 0, "write", 12, 9, 1),
    (1, "partial", 1, "read", 1, 9, 1), (1, "partial", 3, "read", 3, 9, 1), (1, "partial", 1, "write", 4, 9, 1),
    (0, "partial", 0, "read", 12, 9, 2), (0, "partial", 1, "read", 4, 9, 2), (0, "partial", 0, "write", 16, 9, 2),
    (0, "partial", 0, "read", 16, 13, 3), (0, "out", 0, "atomic", 116, 13, 3),
]  # fmt: skip


def test_the_accesses_of_a_reduction():
    trace = recorded()
    found = [(a.thread, a.array, *a.element, a.kind, a.value, a.line - FIRST, a.phase) for a in trace.accesses]
    assert found == ACCESSES
    assert {(a.array, a.space) for a in trace.accesses} == {("x", "global"), ("partial", "shared"), ("out", "global")}
    assert all(a.block == (0, 0, 0) and a.place == (a.thread, 0, 0) for a in trace.accesses)
    assert all(type(a.value) is np.float32 for a in trace.accesses)


def test_the_barriers_of_a_reduction():
    trace = recorded()
    everyone = (0, 1, 2, 3)
    found = [(b.operation, b.threads, b.line - FIRST, b.phase) for b in trace.barriers]
    assert found == [("syncthreads", everyone, line, phase) for phase, line in enumerate((5, 10, 10))]
    assert [event.step for event in trace.steps] == list(range(19 + 3))
    assert [b.step for b in trace.barriers] == [8, 15, 19]
    assert trace.exchanges == ()
    assert trace.arrays["partial"].shape == (4,)
    assert trace.arrays["partial"].dtype == "float32"


def test_shuffles_and_votes():
    text = """
    def f(x, out):
        t = cuda.threadIdx.x
        got = cuda.shfl_up_sync(0xffffffff, x[t], 2)
        out[t] = got + cuda.ballot_sync(0xffffffff, t == 1)
        cuda.syncwarp()
        out[t] += cuda.syncthreads_count(t > 0)
    """
    out = np.zeros(3)
    trace = wb.trace(kernel(text)[1, 3], np.array([1.0, 2.0, 4.0]), out)
    found = [(e.operation, e.source, e.thread, e.given, e.value, e.line, e.phase) for e in trace.exchanges]
    shuffled = [(0, 1, 1), (1, 2, 2), (0, 4, 1)]
    assert found == [
        *(("shfl_up_sync", source, t, given, value, 4, 0) for t, (source, given, value) in enumerate(shuffled)),
        *(("ballot_sync", None, t, t == 1, 2, 5, 0) for t in range(3)),
        *(("syncthreads_count", None, t, t > 0, 2, 7, 0) for t in range(3)),
    ]
    assert [(b.operation, b.line, b.phase) for b in trace.barriers] == [("syncwarp", 6, 0), ("syncthreads_count", 7, 0)]
    assert trace.accesses[-1].phase == 1
    assert out.tolist() == [5, 6, 5]


def test_elements_are_those_of_the_whole_array_in_any_layout():
    text = "def f(a, b):\n    j = cuda.threadIdx.x\n    row = a[1][::-1]\n    row[j] = b.T[0, j] + b[j, -1]\n"
    b = np.arange(6.0).reshape(3, 2)
    for a in (np.zeros((2, 3)), np.zeros((3, 2)).T, np.zeros((4, 6))[::2, ::2], np.zeros((2, 3))[::-1, ::-1]):
        trace = wb.trace(kernel(text)[1, 3], a, b)
        elements = [(x.array, x.element) for x in trace.accesses]
        assert elements == [e for j in range(3) for e in [("b", (j, 0)), ("b", (j, 1)), ("a", (1, 2 - j))]]
        assert a[1].tolist() == [9, 5, 1]


def test_places_in_blocks_of_two_dimensions_and_local_arrays():
    text = """
    def f(out):
        mine = cuda.local.array(2, np.int32)
        mine[1] = cuda.threadIdx.y
        i, j = cuda.grid(2)
        out[i, j] = mine[1]
    """
    trace = wb.trace(kernel(text)[(2, 2), (1, 2)], torch.zeros(2, 4), block=(1, 1))
    assert trace.blocks == ((1, 1, 0),)
    found = [(a.place, a.array, a.space, a.element, a.kind, a.value) for a in trace.accesses]
    assert found == [
        step
        for y in range(2)
        for step in [
            ((0, y, 0), "mine", "local", (1,), "write", y),
            ((0, y, 0), "mine", "local", (1,), "read", y),
            ((0, y, 0), "out", "global", (1, 2 + y), "write", y),
        ]
    ]


def test_all_blocks():
    out = np.zeros(10)
    text = "def f(out):\n    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):\n        out[i] = i\n"
    trace = wb.trace(kernel(text)[2, 3], out, block=None)
    assert trace.blocks == ((0, 0, 0), (1, 0, 0))
    assert {(a.block[0], a.thread, *a.element) for a in trace.accesses} == {(i // 3 % 2, i % 3, i) for i in range(10)}
    assert "block" in trace.table.columns


def test_who_looks_in_a_debugger_leaves_no_trace(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "sys.breakpointhook", lambda: seen.append(eval("a[1], a", inspect.currentframe().f_back.f_locals))
    )
    trace = wb.trace(kernel("def f(a):\n    breakpoint()\n    a[0] = 1\n")[1, 1], np.zeros(2))
    assert seen[0][0] == 0
    assert [(a.kind, a.element) for a in trace.accesses] == [("write", (0,))]


def test_as_text():
    lines = str(recorded()).splitlines()
    assert lines[0] == "trace of block_sum, block 0: 22 steps"
    assert lines[2].split() == ["step", "phase", "thread", "line", "what"]
    assert lines[4].split() == ["0", "0", "0", str(FIRST + 4), "read", "x[0]", "is", "5"]
    assert lines[12].split()[:3] == ["8", "0", "0-3"]
    assert lines[-1] == "2 more steps; .accesses, .barriers and .exchanges have all."
    assert "<table" in recorded()._repr_html_()


@pytest.mark.parametrize("block", [0, None])
def test_the_picture(block):
    trace = wb.trace(block_sum[2, 4], np.array(X, np.float32), np.zeros(1, np.float32), block=block)
    picture = wb.plot.threads(trace)
    reads = 11 if block == 0 else 22
    assert picture.alt == (
        "block_sum: which thread read and wrote what, in 4 phases: "
        f"{reads} reads, {reads - 4 if block == 0 else reads - 8} writes, {'1 atomic' if block == 0 else '2 atomics'}"
    )
    columns = [axes for axes in picture.figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in columns] == [f"phase {k}" for k in range(4)]
    assert [axes.get_ylabel() for axes in picture.figure.axes if axes.get_ylabel()] == [
        "x\nglobal", "partial\nshared", "out\nglobal",
    ]  # fmt: skip
    drawn = picture.figure.axes[5].collections[0].get_offsets().tolist()  # the reads of partial in phase 1
    both = [[4.0 + t, e] for t, e in [(0, 0), (0, 2), (1, 1), (1, 3)]]
    assert drawn == [[t, e] for t, e in [(0, 0), (0, 2), (1, 1), (1, 3)]] + (both if block is None else [])
    assert picture.png().startswith(b"\x89PNG")


def test_one_of_a_kind_is_no_plural():
    picture = wb.plot.threads(kernel("def f(a):\n    a[0] = 1\n")[1, 1], np.zeros(2))
    assert picture.alt == "f: which thread read and wrote what, in 1 phase: 1 write"


def test_the_picture_of_shuffles_and_of_nothing():
    text = "def f(x):\n    x[cuda.grid(1)] = cuda.shfl_down_sync(0xffffffff, x[cuda.grid(1)], 1)\n"
    picture = wb.plot.threads(wb.trace(kernel(text)[1, 4], np.zeros(4)))
    shuffles = picture.figure.axes[1]
    assert shuffles.get_ylabel() == "shuffle\nfrom thread"
    assert shuffles.collections[0].get_offsets().tolist() == [[0, 1], [1, 2], [2, 3]]
    picture = wb.plot.threads(wb.trace(kernel("def f(x):\n    pass\n")[1, 4], np.zeros(4)))
    assert picture.png().startswith(b"\x89PNG")
    assert picture.alt.endswith("nothing")
