"""A recording holds every launch with its kernel, grid, block and argument types, and ends when it should."""

import numpy as np
import pytest
import torch
from numba import cuda, types

import workbench as wb
from workbench.errors import LaunchError
from workbench.losses import ALL, cross_entropy, squared_error
from workbench.recording import distinct, recorded


@cuda.jit
def doubled_kernel(x, factor, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = factor * x[i]


def test_a_launch_is_recorded_with_its_configuration_and_types():
    x, out = torch.ones(2, 5), torch.empty(5)
    with recorded() as launches:
        wb.launch(doubled_kernel[3, 32], x.expand(2, 5)[0], np.float32(2), out)
    (launch,) = launches
    assert launch.name == "doubled_kernel"
    assert launch.kernel is doubled_kernel
    assert (launch.configured.griddim, launch.configured.blockdim) == ((3, 1, 1), (32, 1, 1))
    assert launch.argument_types == (types.float32[::1], types.float32, types.float32[::1])
    assert launch.arguments[2] is out


def test_layouts_follow_the_strides():
    x, out = torch.ones(6)[::2], torch.empty(3)
    with recorded() as launches:
        wb.launch(doubled_kernel[1, 32], x, 2, out)
        wb.launch(doubled_kernel[1, 32], torch.ones(1).expand(3), 2, out)
    assert [one.argument_types[0] for one in launches] == [types.float32[:], types.float32[:]]
    assert launches[0].argument_types[1] == types.int64


def test_a_loss_records_forward_and_backward():
    x, y = ALL["squared_error"].example("cpu")
    with recorded() as launches:
        squared_error(x, y).backward()
    assert launches[0].name == "squared_error_kernel"
    assert all("gradient" in one.name for one in launches[1:])
    assert len(launches) >= 2


def test_nothing_is_recorded_outside_and_recordings_nest():
    x, out = torch.ones(5), torch.empty(5)
    with recorded() as outer:
        with recorded() as inner:
            wb.launch(doubled_kernel[1, 32], x, 1.0, out)
        wb.launch(doubled_kernel[1, 32], x, 1.0, out)
    wb.launch(doubled_kernel[1, 32], x, 1.0, out)
    assert (len(outer), len(inner)) == (2, 1)


def test_a_refused_launch_is_not_recorded_and_an_error_ends_the_recording():
    with pytest.raises(LaunchError), recorded() as launches:
        wb.launch(doubled_kernel[1, 2048], torch.ones(5), 1.0, torch.empty(5))
    wb.launch(doubled_kernel[1, 32], torch.ones(5), 1.0, torch.empty(5))
    assert launches == []


def test_code_that_calls_kernels_itself_is_recorded_on_the_cpu():
    with recorded() as launches, wb.on_cpu():
        doubled_kernel[1, 32](torch.ones(5), 1.0, torch.empty(5))
    assert [one.name for one in launches] == ["doubled_kernel"]


def test_distinct_keeps_the_first_launch_of_each_kernel_and_types():
    logits, target, weight = ALL["cross_entropy"].example("cpu")
    with recorded() as launches:
        for _ in range(2):
            cross_entropy(logits, target, weight).backward()
        cross_entropy(logits.double(), target)
    kept = distinct(launches)
    assert [one.name for one in kept] == [
        "cross_entropy_kernel",
        "cross_entropy_gradient_kernel",
        "cross_entropy_kernel",
    ]
    assert kept[0] is launches[0]
