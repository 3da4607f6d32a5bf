"""The pictures of the notebook on speed say what they were given."""

import torch
from numba import cuda

import workbench as wb


def test_the_roof_bends_where_bandwidth_and_arithmetic_meet():
    picture = wb.plot.roofline({"copies": (0.1, 1.0), "computes": (50.0, 190.0)}, bandwidth=20, peak=200)
    (axes,) = picture.figure.axes
    roof, _, copies, computes = axes.lines
    (_, ridge, _), (low, peak, end) = roof.get_data()
    assert (ridge, peak, end) == (10, 200, 200)
    assert low == roof.get_xdata()[0] * 20
    assert (copies.get_marker(), computes.get_marker()) == ("o", "s")
    assert copies.get_xydata().tolist() == [[0.1, 1.0]]
    bottom, top = axes.get_ylim()
    assert bottom < 1 < 200 < top
    assert "20 GB/s and 200 GFLOP/s" in picture.alt


def test_times_are_drawn_by_size():
    picture = wb.plot.sizes({"kernel": {1: 2e-5, 1000: 3e-5}, "torch": {1: 1e-5, 1000: 4e-5}})
    (axes,) = picture.figure.axes
    assert [line.get_label() for line in axes.lines] == ["kernel", "torch"]
    assert axes.lines[1].get_xydata().tolist() == [[1, 1e-5], [1000, 4e-5]]
    assert axes.get_ylabel() == "time of one call (s)"


@cuda.jit
def first_of_rows_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i, 0]


def test_sectors_are_those_that_a_report_counts():
    x, out = torch.zeros(64, 24), torch.zeros(64)
    store, load = wb.report(first_of_rows_kernel, x, out).accesses
    rows = {"x": [i * x.stride(0) * 4 for i in range(32)], "out": [4 * i for i in range(32)], "one": [40] * 32}
    picture = wb.plot.sectors(rows)
    assert (load.sectors, store.sectors) == (32, 4)
    assert "x: 32 sectors, 128 of 1,024 bytes used" in picture.alt
    assert "out: 4 sectors, 128 of 128 bytes used" in picture.alt
    assert "one: 1 sector, 4 of 32 bytes used" in picture.alt
    assert "lies over two: 2 sectors" in wb.plot.sectors({"lies over two": [28]}, itemsize=8).alt
