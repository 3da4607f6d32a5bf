"""Each float64 that leaks into a float32 kernel is found on its line with its fix, and clean kernels raise no alarm."""

import functools
import linecache

import pytest
import torch
from clean_kernels import CLEAN
from leaky_kernels import LEAKS, PAGE, page
from numba import cuda

import workbench as wb
from workbench.inspection.float64 import Float64
from workbench.inspection.report import CompileReport, reports

ARCHITECTURES = ("sm_75", "sm_90", "sm_120")


@functools.cache
def compiled(name: str) -> dict[str, CompileReport]:
    """The reports of a leaky or a clean kernel, by architecture."""
    kernel, arguments = CLEAN[name] if name in CLEAN else LEAKS[name][:2]
    return {one.architecture: one for one in reports(kernel, *arguments, architectures=ARCHITECTURES)}


def text(one: Float64) -> str:
    return linecache.getline(one.place.file, one.place.line).strip()


def test_there_are_enough_of_both():
    assert len(LEAKS) >= 20
    assert len(CLEAN) >= 12


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_leak_is_found_on_its_line_with_its_fix(name, arch):
    leak = LEAKS[name]
    report = compiled(name)[arch]
    right = [one for one in report.float64 if leak.line in text(one) and leak.fix in one.fix]
    assert right, [(text(one), one.fix) for one in report.float64]
    is_folded = arch in leak.folded
    assert {one.verdict for one in right} == {"harmless" if is_folded else "leak"}
    assert all(bool(one.emitted) != is_folded for one in right)
    assert ("leaks in on line" in str(report)) != is_folded


@pytest.mark.parametrize("name", LEAKS)
def test_no_leak_is_blamed_on_another_line(name):
    """Every leak that is named stands on a line of the kernel or device function that brings a float64 in."""
    leak = LEAKS[name]
    found = compiled(name)["sm_90"].leaks
    assert all(one.expression for one in found)
    assert {text(one) for one in found if leak.line not in text(one)} == set()


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_clean_kernel_raises_no_alarm(name, arch):
    report = compiled(name)[arch]
    assert report.leaks == ()
    assert "leaks in" not in str(report)


def verdicts(name: str) -> set[str]:
    return {one.verdict for one in compiled(name)["sm_90"].float64}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("halved_square", {"harmless"}),
        ("constants_of_the_dtype", {"once"}),
        ("trigonometric", {"library"}),
        ("half_sine", {"library", "harmless"}),
        ("summed_in_float64", {"declared"}),
        ("into_float64", {"declared"}),
        ("cast_literals", set()),
        ("reduced_in_shared_memory", set()),
    ],
)
def test_what_is_no_leak_is_named_for_what_it_is(name, expected):
    assert verdicts(name) == expected


@cuda.jit
def mixed(x, out):
    """CUDA's own float64 and the author's on one line: both are named, each as what it is."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0.1 * cuda.libdevice.sinf(x[i])


def test_the_library_and_a_leak_on_one_line_are_told_apart():
    report = wb.report(mixed, torch.ones(8), torch.ones(8))
    assert {one.verdict for one in report.float64} == {"library", "leak"}
    (leak,) = report.leaks
    assert dict(leak.emitted) == {"cvt.f64.f32": 1, "mul.f64": 1, "cvt.rn.f32.f64": 1}


@cuda.jit
def generic(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0.1 * x[i] / (i + 1)


def test_the_same_kernel_in_float64_has_no_leak():
    x = torch.ones(8, dtype=torch.float64)
    assert wb.report(generic, x, x).leaks == ()
    assert {one.expression for one in wb.report(generic, x.float(), x.float()).leaks} == {"0.1", "0.1 * x[i] / (i + 1)"}


def test_the_page_of_leaks_is_what_the_report_says():
    """After a change that is meant: ``python tests/leaky_kernels.py``."""
    assert PAGE.read_text(encoding="utf-8") == page()


@cuda.jit
def integers_to_a_power(n, out):
    i = cuda.grid(1)
    out[i] = n[i] ** n[i + 1]


@cuda.jit
def rounded_integers(n, out):
    i = cuda.grid(1)
    out[i] = round(n[i])


def test_float64_behind_integers_is_not_passed_over():
    n = torch.ones(8, dtype=torch.int64)
    (power,) = wb.report(integers_to_a_power, n, n).leaks
    assert "as a power of two integers" in power.reason
    assert text(power) == "out[i] = n[i] ** n[i + 1]"
    (rounding,) = wb.report(rounded_integers, n, n).leaks
    assert (rounding.expression, rounding.reason) == ("round(n[i])", "round of int64 computes in float64")


@cuda.jit
def mean_of_a_float64(x, out):
    total = 0.0
    for j in range(x.size):
        total += x[j]
    out[0] = total / x.size


def test_what_would_leak_after_the_first_fix_is_named_at_once():
    x = torch.ones(8)
    assert {one.expression for one in wb.report(mean_of_a_float64, x, x).leaks} == {"0.0", "total / x.size"}
