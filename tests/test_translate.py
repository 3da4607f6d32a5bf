"""A kernel as CUDA C++: how it reads, what it means, what is warned of and what is refused."""

import sys
from pathlib import Path

import ported_kernels
import pytest
import torch
from numba import types

from workbench.losses import cross_entropy, squared_distance, squared_error  # noqa: F401, so that their modules are there
from workbench.port.translation import translate

F32, F64 = types.float32[::1], types.float64[::1]
I32, I64 = types.int32[::1], types.int64[::1]
F32_2 = types.float32[:, ::1]

GOLDEN = Path(__file__).parent / "translations"


def module(name):
    return sys.modules[f"workbench.losses.{name}"]


def _squared_error():
    return [translate(module("squared_error").squared_error_gradient_kernel, (F32, F32, F32, F32))]


def _squared_distance():
    single, double = (module("squared_distance").KERNELS[dtype] for dtype in (torch.float32, torch.float64))
    types_of = {"squared_distance": 3, "partial_squared_distance": 3, "total": 2}
    return [translate(getattr(single, name), (F32,) * count, getattr(double, name)) for name, count in types_of.items()]


def _cross_entropy():
    inputs = (F32_2, I64, F32, F32, F32, types.int64)
    return [
        translate(module("cross_entropy").cross_entropy_kernel, (*inputs, F32, F32, F32)),
        translate(module("cross_entropy").cross_entropy_gradient_kernel, (*inputs, F32, F32, F32, F32, F32_2)),
    ]


@pytest.mark.parametrize("name", ["squared_error", "squared_distance", "cross_entropy"])
def test_text(name):
    text = ported_kernels.file_of(globals()[f"_{name}"]())
    assert text == (GOLDEN / f"{name}.cu").read_text()
