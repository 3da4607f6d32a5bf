"""Pictures of a recorded run: straight from a kernel, the timeline of a block, and a shuffle lane by lane."""

import numpy as np
import pytest
import torch
from dialect import kernel

import workbench as wb
from workbench import plot

TREE = """
def f(x, out):
    part = cuda.shared.array(4, np.float32)
    t = cuda.threadIdx.x
    part[t] = x[t]
    cuda.syncthreads()
    s = 2
    while s > 0:
        if t < s:
            part[t] += part[t + s]
        cuda.syncthreads()
        s //= 2
    if t == 0:
        cuda.atomic.add(out, 0, part[0])
"""

WARP_SUM = """
def f(x, out):
    i = cuda.threadIdx.x
    total = x[i]
    offset = 16
    while offset > 0:
        total += cuda.shfl_down_sync(0xffffffff, total, offset)
        offset //= 2
    if i % 32 == 0:
        out[i // 32] = total
"""

EARLY = """
def f(x):
    t = cuda.threadIdx.x
    if t < 2:
        x[t] = 1
    cuda.syncwarp()
    x[t] = 2
"""


def tree():
    return kernel(TREE)[1, 4], torch.arange(4.0), torch.zeros(1)


def marks(picture):
    """Where the marks of each kind stand, as [column, thread], in the order of the legend."""
    found = [c.get_offsets().tolist() for c in picture.figure.axes[0].collections if c.get_zorder() == 3]
    return [sorted(places) for places in found]


def waits(picture):
    """Who waits from which column on to which, as (thread, from, to)."""
    lines = [line.get_xydata() for line in picture.figure.axes[0].lines if line.get_zorder() == 1]
    return [(round(y), round(x + 0.4), round(end)) for (x, y), (end, _) in lines]


def arrows(picture):
    """(source, lane) of each arrow."""
    return [(note.xyann[0], note.xy[0]) for note in picture.figure.axes[0].texts if hasattr(note, "xyann")]


def values(picture):
    """What stands in the cells: the row that hands out, and the row that gets."""
    cells = [text for text in picture.figure.axes[0].texts if not hasattr(text, "xyann")]
    return [[text.get_text() for text in cells if text.get_position()[1] == y] for y in (1, 0)]


def test_a_kernel_is_drawn_as_its_trace_is():
    of_kernel = plot.threads(*tree())
    of_trace = plot.threads(wb.trace(*tree()))
    assert of_kernel.png() == of_trace.png()
    assert of_kernel.alt == of_trace.alt


def test_a_kernel_that_is_drawn_has_run():
    configured, x, out = tree()
    plot.timeline(configured, x, out)
    assert out.item() == 6


def test_the_block_to_draw_is_the_one_named():
    writes_itself = kernel("def f(x):\n    x[cuda.grid(1)] = cuda.blockIdx.x\n")
    x = torch.full((8,), -1.0)
    plot.threads(writes_itself[2, 4], x, block=1)
    assert x.tolist() == [-1] * 4 + [1] * 4


@pytest.mark.parametrize("draw", [plot.threads, plot.timeline, plot.lanes])
def test_a_kernel_without_its_grid_is_refused(draw):
    with pytest.raises(wb.LaunchError, match=r"\[grid, block\]"):
        draw(kernel(TREE), torch.arange(4.0), torch.zeros(1))


def test_the_timeline_of_a_tree():
    picture = plot.timeline(*tree())
    assert picture.alt == "timeline of f: 4 threads, 3 barriers of the block, 13 steps"
    everyone = range(4)
    reads = [[0, t] for t in everyone] + [[c, t] for c in (3, 4) for t in (0, 1)] + [[7, 0], [8, 0], [11, 0]]
    writes = [[1, t] for t in everyone] + [[5, 0], [5, 1], [9, 0]]
    assert marks(picture) == [reads, writes, [[12, 0]]]
    assert waits(picture) == [(2, 3, 6), (3, 3, 6), (1, 7, 10), (2, 7, 10), (3, 7, 10)]
    names = [label.get_text() for label in picture.figure.axes[0].get_xticklabels()]
    assert names == ["x", "part", "line 6", *["part"] * 3, "line 11", *["part"] * 3, "line 11", "part", "out"]
    assert [text.get_text() for text in picture.figure.axes[0].texts] == [f"phase {k}" for k in range(4)]
    assert picture.png().startswith(b"\x89PNG")


def test_lanes_that_meet_stand_in_one_column():
    picture = plot.timeline(kernel(EARLY)[1, 4], torch.zeros(4))
    writes = [[0, 0], [0, 1], *([2, t] for t in range(4))]
    assert marks(picture) == [writes]
    assert waits(picture) == [(2, 0, 1), (3, 0, 1)]
    assert picture.alt == "timeline of f: 4 threads, 0 barriers of the block, 3 steps"
    votes = kernel(EARLY.replace("cuda.syncwarp()", "cuda.all_sync(0xf, t > 1)"))
    assert marks(plot.timeline(votes[1, 4], torch.zeros(4))) == [writes, [[1, t] for t in range(4)]]
    picture = plot.timeline(kernel(WARP_SUM)[1, 64], torch.ones(64), torch.zeros(2))
    reads, writes, shuffles = marks(picture)
    assert reads == [[0, t] for t in range(64)]
    assert shuffles == [[c, t] for c in range(1, 6) for t in range(64)]
    assert writes == [[6, 0], [6, 32]]


def test_the_timeline_of_a_long_run_says_what_it_leaves_out():
    text = "def f(x):\n    for k in range(70):\n        x[cuda.threadIdx.x] = k\n"
    title = plot.timeline(kernel(text)[1, 96], torch.zeros(96)).figure.get_suptitle()
    assert title.endswith("\nthe first 60 of 70 steps and 64 of 96 threads")


@pytest.mark.parametrize("draw", [plot.timeline, plot.lanes])
def test_several_blocks_are_refused_where_one_is_drawn(draw):
    trace = wb.trace(kernel(WARP_SUM)[2, 32], torch.ones(32), torch.zeros(1), block=None)
    with pytest.raises(ValueError, match="has 2 blocks, and this picture is of one: record it with block=0"):
        draw(trace)


def test_the_shuffles_of_a_warp_sum():
    trace = wb.trace(kernel(WARP_SUM)[1, 64], torch.arange(64.0), torch.zeros(2))
    picture = plot.lanes(trace, step=1, warp=1)
    assert picture.alt == (
        "f, shuffle 1 of 0 to 4, warp 1: shfl_down_sync, line 7: 24 of 32 lanes get another lane's value"
    )
    assert arrows(picture) == [(lane + 8, lane) for lane in range(24)] + [(lane, lane) for lane in range(24, 32)]
    # after the first shuffle lane k holds x[k] + x[k + 16], and the upper half twice its own
    given = [32 + k + 32 + (k + 16 if k < 16 else k) for k in range(32)]
    assert values(picture) == [
        [f"{v}" for v in given],
        [f"{given[k + 8] if k < 24 else given[k]}" for k in range(32)],
    ]


@pytest.mark.parametrize(
    ("name", "number", "source"),
    [
        ("shfl_down_sync", 4, lambda k: k + 4 if k < 28 else k),
        ("shfl_up_sync", 1, lambda k: max(k - 1, 0)),
        ("shfl_xor_sync", 5, lambda k: k ^ 5),
        ("shfl_sync", 3, lambda k: 3),
    ],
)
def test_a_shuffle_by_its_name_is_the_one_that_a_kernel_makes(name, number, source):
    drawn = arrows(plot.lanes(name, number))
    assert drawn == [(source(k), k) for k in range(32)]
    text = f"def f(x):\n    x[cuda.threadIdx.x] = cuda.{name}(0xffffffff, x[cuda.threadIdx.x], {number})\n"
    assert drawn == arrows(plot.lanes(kernel(text)[1, 32], torch.arange(32)))


def test_long_values_stand_upright_and_integers_are_whole():
    text = "def f(x):\n    x[cuda.threadIdx.x] = cuda.shfl_up_sync(0xffffffff, x[cuda.threadIdx.x], 1)\n"
    picture = plot.lanes(kernel(text)[1, 32], torch.full((32,), 1234567))
    assert values(picture) == [["1234567"] * 32] * 2
    assert {text.get_rotation() for text in picture.figure.axes[0].texts if text.get_text()} == {90}


def test_a_shuffle_that_is_not_there_is_refused():
    trace = wb.trace(kernel(WARP_SUM)[1, 32], torch.ones(32), torch.zeros(1))
    with pytest.raises(ValueError, match="warp 0 of the block makes 5 shuffles, so there is no step 5"):
        plot.lanes(trace, step=5)
    with pytest.raises(ValueError, match="warp 1 of the block makes 0 shuffles"):
        plot.lanes(trace, warp=1)
    with pytest.raises(ValueError, match="there is no shuffle 'shfl_left_sync'; there are shfl_sync, shfl_up_sync"):
        plot.lanes("shfl_left_sync", 1)


def test_nothing_that_happens_is_drawn_as_nothing():
    picture = plot.timeline(kernel("def f(x):\n    pass\n")[1, 4], np.zeros(4))
    assert picture.png().startswith(b"\x89PNG")
