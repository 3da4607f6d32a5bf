"""wb.translate: one kernel in C++ beside its Python, without a directory."""

import pytest
import torch
from numba import cuda

import workbench as wb
from workbench.losses.squared_error import squared_difference, squared_error_kernel

X = torch.zeros(8)


@cuda.jit
def two_types_kernel(x, out):
    total = 0
    for k in range(x.size):
        total += x[k]
    out[0] = total


@cuda.jit
def halves_kernel(x, out):
    out[0] = x[0] / 2


def test_the_cpp_has_the_device_functions_and_stands_beside_the_python():
    shown = wb.translate(squared_error_kernel, X, X, X)
    assert shown.cpp.index("scalar_t squared_difference(") < shown.cpp.index("void squared_error_kernel(")
    assert repr(shown).startswith("// (x - y)²\n")
    assert shown.python.startswith("@cuda.jit\ndef squared_error_kernel(x, y, loss):")
    page = shown._repr_html_()
    assert page.index("if i &lt; loss.size:") < page.index("if (i &lt; loss.size())")


def test_warnings_are_said():
    shown = wb.translate(halves_kernel, X, X)
    assert "`x[0] / 2` is computed in float64" in repr(shown).splitlines()[-1]
    assert "`x[0] / 2` is computed in float64</p>" in shown._repr_html_()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: wb.translate(two_types_kernel, X, X), wb.PortError, "total is int64 and then float64"),
        (
            lambda: wb.translate(two_types_kernel, X),
            wb.LaunchError,
            r"takes 2 arguments \(x, out\), and got 1 examples",
        ),
        (lambda: wb.translate(torch.sin, X), wb.LaunchError, "not a cuda.jit kernel"),
        (lambda: wb.translate(squared_difference, X, X), wb.LaunchError, "not a cuda.jit kernel"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_a_sentence(call, error, said):
    with pytest.raises(error, match=said):
        call()
