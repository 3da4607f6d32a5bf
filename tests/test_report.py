"""A report of a kernel says what the compiler made of it, on any machine, and says no with a sentence."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from numba import cuda, float32, float64

import workbench as wb
from workbench.errors import CompileError, LaunchError
from workbench.inspection import compiled

X, OUT = torch.ones(1000), torch.zeros(1000)


@cuda.jit
def scaled(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = float32(2) * x[i]


@cuda.jit
def in_shared_memory(x, out):
    narrow = cuda.shared.array(300, float32)
    wide = cuda.shared.array(7, float64)
    t = cuda.threadIdx.x
    narrow[t] = x[t]
    wide[t % 7] = x[t]
    cuda.syncthreads()
    out[t] = narrow[255 - t] + float32(wide[3])


@cuda.jit
def in_local_memory(x, out, k):
    i = cuda.grid(1)
    own = cuda.local.array(64, float32)
    for j in range(64):
        own[j] = x[(i + j) % x.size]
    out[i] = own[k]


@cuda.jit(max_registers=24)
def crowded(x, out):
    i = cuda.grid(1)
    a = cuda.local.array(40, float32)
    for j in range(40):
        a[j] = x[i + j]
    for j in range(40):
        for k in range(40):
            a[j] = a[j] * a[k] + a[(j + 7 * k) % 40]
    out[i] = a[0] + a[39]


@cuda.jit
def slow(x, out):
    start, step = cuda.grid(1), cuda.gridsize(1)
    for i in range(start, x.size, step):
        out[i] = x[i] / out[i]
        out[i] += math.sqrt(x[i])
        out[i] += math.sin(x[i])
        out[i] += x[i] ** out[i]
        out[i] += x[i % out.size]


@cuda.jit(fastmath=True)
def quick(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = math.sin(x[i] / out[i])


def test_a_simple_kernel():
    report = wb.report(scaled, X, OUT)
    assert (report.name, report.architecture, report.block) == ("scaled", "sm_90", None)
    assert report.arguments == (("x", "float32[:]"), ("out", "float32[:]"))
    assert report.compiler == compiled.compiler_version()
    assert 8 <= report.resources.registers <= 24
    assert (report.resources.shared, report.resources.local, report.resources.spills) == (0, 0, 0)
    assert report.resources.constant >= 2 * 56  # an array is seven numbers of eight bytes
    assert report.widths == {"load of 32 bits": 1, "store of 32 bits": 1}
    assert report.mix["float32"] == 1
    assert (report.mix["global load"], report.mix["global store"]) == (1, 1)
    assert (report.leaks, report.slow_paths, report.callees) == ((), (), ())


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"])
def test_every_architecture(arch):
    report = wb.report(scaled, X, OUT, arch=arch)
    assert f".target {arch}" in report.ptx
    assert report.cubin.startswith(b"\x7fELF")
    assert report.resources.registers > 0
    assert report.resources.constant > 0
    shared = wb.report(in_shared_memory, X, OUT, arch=arch)
    assert shared.resources.shared == 1200 + 7 * 8
    assert shared.leaks == ()


def test_a_configured_kernel_gives_its_own_occupancy_first():
    report = wb.report(scaled[(4, 2), (96, 2)], X, OUT)
    assert report.block == (96, 2, 1)
    assert report.occupancies[0].block == 192
    assert [one.block for one in report.occupancies[1:]] == [64, 128, 256, 512, 1024]
    assert "192 (its own)" in str(report)


def test_dynamic_shared_memory_counts_for_the_occupancy():
    free = wb.report(scaled[4, 128], X, OUT).occupancies[0]
    full = wb.report(scaled[4, 128, 0, 48 * 1024], X, OUT).occupancies[0]
    assert (free.blocks, full.blocks) == (16, 4)
    assert full.limits == ("shared memory",)


def test_local_memory_and_spills():
    local = wb.report(in_local_memory, X, OUT, 3).resources
    assert local.local == 256
    assert local.spills == 0
    crowd = wb.report(crowded, X, OUT).resources
    assert crowd.registers <= 24


def test_slow_paths_on_their_lines():
    report = wb.report(slow, X, OUT)
    first = slow.py_func.__code__.co_firstlineno + 3  # the line of the loop
    found = {(one.place.line - first, one.what.split(":")[0]) for one in report.slow_paths}
    assert {
        (0, "64-bit integer division in range(...) with a step"),
        (1, "float32 division, rounded right"),
        (2, "float32 square root, rounded right"),
        (3, "sin, cos or tan"),
        (4, "float32 power"),
        (5, "64-bit integer division"),
    } <= found
    assert any("div_rn_noftz_f32_slowpath" in name for name in report.callees)
    assert any("_s64" in name or "_u64" in name for name in report.callees)
    assert report.resources.local > 0  # of the sine


def test_fastmath_takes_the_short_paths():
    assert wb.report(quick, X, OUT).slow_paths == ()


@cuda.jit
def with_defaults(x, out, factor=2, shift=0.5):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = float32(factor) * x[i] + float32(shift)


def test_defaults_of_parameters_that_are_not_given():
    report = wb.report(with_defaults, X, OUT, 3)
    assert report.arguments[2:] == (("factor", "int64"), ("shift", "float64"))


def test_numpy_arrays_and_scalars_are_examples_too():
    report = wb.report(in_local_memory, np.ones(10, np.float32), np.ones((4, 4), np.float32).T[0], np.int32(3))
    assert [kind for _, kind in report.arguments] == ["float32[:]", "float32[:], strided", "int32"]


def test_the_kernel_is_left_as_it_was():
    before = dict(scaled.overloads)
    wb.report(scaled, X, OUT)
    assert dict(scaled.overloads) == before
    out = torch.zeros(1000)
    wb.launch(scaled[4, 256], X, out)
    assert (out == 2).all()


def test_a_report_is_data_and_a_table_and_a_page():
    report = wb.report(scaled[4, 256], X, OUT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.name = "other"
    assert "scaled for sm_90" in str(report)
    assert "<table" in report._repr_html_()
    assert max(map(len, str(report).splitlines())) <= 100


def test_a_prompt_shows_what_print_shows():
    one = wb.report(scaled, X, OUT)
    for shown in (one, wb.compare(one, one), one.lines(), one.tables()[0], wb.bench({"sum": torch.sum}, X, rounds=1)):
        assert repr(shown) == str(shown)
        assert "\n" in repr(shown)


def test_it_prints_nothing(capfd):
    wb.report(scaled, X, OUT)
    assert capfd.readouterr() == ("", "")


@cuda.jit(device=True)
def halved(value):
    return value * float32(0.5)


@cuda.jit
def calls_a_device_function(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = halved(x[i])


def test_device_functions_are_left_as_they_were():
    """What a launch compiled for its own GPU stays, and what the report compiled for another does not."""
    halved.overloads["of a launch"] = "kept"
    try:
        wb.report(calls_a_device_function, X, OUT, arch="sm_75")
        assert halved.overloads == {"of a launch": "kept"}
    finally:
        halved.overloads.clear()


@cuda.jit
def untypable(x, out):
    out[0] = x.nothing


@cuda.jit(device=True)
def device_function(x):
    return x


@cuda.jit
def beyond_numba(x, out):
    out[0] = np.absolute(x[0])


@cuda.jit
def reshaped(x, out):
    y = x.reshape(out.shape)
    out[0, 0] = y[0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wb.report(print, X), LaunchError, "not a cuda.jit kernel"),
        (lambda: wb.report(device_function, X), LaunchError, "device_function is a device function"),
        (lambda: wb.report(scaled, X), LaunchError, r"takes 2 arguments \(x, out\), and got 1"),
        (lambda: wb.report(scaled, X, OUT, arch="sm_61"), LaunchError, "arch='sm_61' is not one of sm_75"),
        (lambda: wb.report(scaled, X, OUT, arch="hopper"), LaunchError, "arch='hopper' is not one of"),
        (lambda: wb.report(scaled, X, [1.0]), LaunchError, "'out' is a list"),
        (lambda: wb.report(reshaped, X, OUT.view(10, 100)), CompileError, "reshaped: NVIDIA's linker for sm_90 says"),
        (
            lambda: wb.report(beyond_numba, X, OUT),
            CompileError,
            "beyond_numba: Numba's own compiler fails",
        ),
        (lambda: wb.report(untypable, X, OUT), CompileError, r"untypable: line \d+: Unknown attribute 'nothing'"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_side_by_side_has_every_line_of_the_kernel():
    lines = wb.report(scaled, X, OUT).lines()
    text = str(lines)
    assert "out[i] = float32(2) * x[i]" in text
    (product,) = [line for line in lines.lines if "float32(2) * x[i]" in line.source]
    assert any(one.startswith(("add", "mul")) and ".f32" in one for one in product.ptx)
    assert any(one.startswith("st.global") for one in product.ptx)
    assert "_param_" not in text.replace("[param_", "")
    assert lines._repr_html_().count("<tr>") >= len(lines.lines)


def test_machine_code_beside_it_where_there_is_a_disassembler():
    if compiled.nvdisasm() is None:
        pytest.skip('nvdisasm is not installed; pip install -e ".[inspect]"')
    report = wb.report(scaled, X, OUT)
    lines = report.lines()
    assert lines.has_sass
    (product,) = [line for line in lines.lines if "float32(2) * x[i]" in line.source]
    assert any(one.startswith("STG") for one in product.sass)
    assert any(one.startswith(("FADD", "FMUL")) for one in product.sass)


def test_without_a_disassembler_the_rest_is_there(monkeypatch):
    monkeypatch.setattr(compiled, "nvdisasm", lambda: None)
    report = wb.report(scaled, X, OUT)
    assert report.sass is None
    assert 'pip install -e ".[inspect]"' in str(report.lines())


def test_compare_two_versions_and_two_architectures():
    one, other = wb.report(scaled, X, OUT), wb.report(slow, X, OUT)
    comparison = wb.compare(one, other)
    changes = {change.what: change for change in comparison.changes}
    assert (comparison.first, comparison.second) == ("scaled", "slow")
    assert changes["registers"].change == other.resources.registers - one.resources.registers
    assert changes["  division or root"].second == str(other.mix["division or root"])
    assert "calls in the machine code" in changes
    assert "What the compiler made of both" in str(comparison)
    assert "<table" in comparison._repr_html_()
    across = wb.compare(one, wb.report(scaled, X, OUT, arch="sm_75"))
    assert (across.first, across.second) == ("sm_90", "sm_75")
    same = wb.compare(one, one)
    assert {change.change for change in same.changes} == {0}
