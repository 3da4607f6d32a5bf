"""The sanitizer: faults named on their line, and nothing found in kernels that are right."""

import faultless_kernels
import numpy as np
import planted_faults
import pytest
import torch
from everyday import everyday
from numba import cuda
from planted_faults import FAULTS, N
from random_kernels import random_case
from test_random_kernels import kernel_of
from waiting_kernels import CASES

import workbench as wb


@pytest.mark.parametrize("fault", everyday(FAULTS.values(), 3), ids=FAULTS)
def test_named_on_its_line(fault):
    with wb.sanitize() as findings:
        fault.launch(wb.launch)
    assert findings
    assert findings[0].kind == fault.kind
    for finding in findings:
        assert fault.line in (finding.line, finding.other_line), str(finding)
        assert finding.file == planted_faults.__file__
        assert "# wrong" in finding.code or finding.other_line == fault.line


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nothing_is_found_where_nothing_is_wrong(case):
    kernel, grid, block, inputs, output, expected = case
    output = output.copy()
    wb.launch(kernel[grid, block], *inputs, output, sanitize=True)
    np.testing.assert_allclose(output, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", everyday(faultless_kernels.CASES.values(), 2), ids=faultless_kernels.CASES)
def test_nothing_is_found_where_threads_have_an_order_of_their_own(case):
    plain = faultless_kernels.launch(case, wb.launch)
    with wb.sanitize() as findings:
        sanitized = faultless_kernels.launch(case, wb.launch)
    assert [str(finding) for finding in findings] == []
    for found, expected in zip(sanitized, plain, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_found_in_random_kernels(seed):
    case = random_case(seed)
    arguments = [v.copy() if isinstance(v, np.ndarray) else v for v in case.arguments.values()]
    configured = kernel_of(case.source)[case.grid, case.block, 0, case.shared_bytes]
    with wb.sanitize() as findings:
        wb.launch(configured, *arguments)
    assert [str(finding) for finding in findings] == [], case.source


@cuda.jit
def scaled(x, out, factor=3.0):
    i = cuda.grid(1)
    out[i] = x[i] * FACTOR * factor


FACTOR = 2


def test_the_names_of_a_module_are_looked_up_again(monkeypatch):
    x, out = torch.ones(4), torch.zeros(4)
    for factor in (2, 5):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        wb.launch(scaled[1, 4], x, out, sanitize=True)
        assert out.tolist() == [3 * factor] * 4


def test_the_losses_are_clean():
    with wb.sanitize() as findings:
        logits = torch.randn(7, 5, requires_grad=True)
        wb.losses.cross_entropy(logits, torch.arange(7) % 5).backward()
        wb.losses.squared_error(logits, torch.randn(7, 5)).backward()
    assert findings == []


def test_a_sanitized_launch_raises_what_it_found():
    with pytest.raises(wb.KernelFault, match="one_past_the_end, line") as raised:
        FAULTS["one_past_the_end"].launch(lambda *call: wb.launch(*call, sanitize=True))
    (finding,) = raised.value.findings
    assert (finding.array, finding.thread, finding.block) == ("x", (N - 1, 0, 0), (0, 0, 0))
    assert "thread 63 of block 0 uses index 64, outside 'x', which has size 64. Guard" in str(finding)


def test_the_environment_switches_it_on(monkeypatch):
    monkeypatch.setenv("WORKBENCH_SANITIZE", "1")
    with pytest.raises(wb.KernelFault, match="everyone_adds"):
        FAULTS["everyone_adds"].launch(wb.launch)


def test_what_is_found_as_data():
    with wb.sanitize() as findings:
        FAULTS["blocks_share"].launch(wb.launch)
        FAULTS["through_a_view"].launch(wb.launch)
        FAULTS["halo_not_written"].launch(wb.launch)
    between_blocks, through_a_view, halo = findings
    assert (between_blocks.block, between_blocks.other_block) == ((1, 0, 0), (0, 0, 0))
    assert between_blocks.line == between_blocks.other_line == FAULTS["blocks_share"].line
    assert (through_a_view.kind, through_a_view.array) == ("write-write race", "out")
    assert (through_a_view.element, through_a_view.thread, through_a_view.other_thread) == ((1,), (1, 0, 0), (0, 0, 0))
    assert "element 1 of 'out', through `row`, which thread 0 wrote on the same line" in str(through_a_view)
    assert (halo.element, halo.thread, halo.other_thread) == ((0, 8), (7, 0, 0), None)
