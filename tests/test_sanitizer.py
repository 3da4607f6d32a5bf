"""The sanitizer: faults named on their line, and nothing found in kernels that are right."""

import numpy as np
import planted_faults
import pytest
import torch
from planted_faults import FAULTS, N
from waiting_kernels import CASES

import workbench as wb


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
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


def test_the_losses_are_clean():
    with wb.sanitize() as findings:
        logits = torch.randn(7, 5, requires_grad=True)
        wb.losses.cross_entropy(logits, torch.arange(7) % 5).backward()
        wb.losses.squared_error(logits, torch.randn(7, 5)).backward()
    assert findings == []


def test_a_sanitized_launch_raises_what_it_found():
    with pytest.raises(wb.KernelFault, match="one_past_the_end, line") as raised:
        wb.launch(one_past_the_end[1, N], torch.zeros(N), torch.zeros(N), sanitize=True)
    (finding,) = raised.value.findings
    assert (finding.array, finding.thread, finding.block) == ("x", (N - 1, 0, 0), (0, 0, 0))
    assert "index 64 is outside axis 0 of 'x', which has size 64" in str(finding)


def test_the_environment_switches_it_on(monkeypatch):
    monkeypatch.setenv("WORKBENCH_SANITIZE", "1")
    with pytest.raises(wb.KernelFault, match="everyone_adds"):
        run(everyone_adds)


def test_what_is_found_as_data():
    with wb.sanitize() as findings:
        run(through_a_view)
    (finding,) = findings
    assert (finding.kind, finding.array, finding.element) == ("write-write race", "out", (1,))
    assert (finding.thread, finding.other_thread) == ((1, 0, 0), (0, 0, 0))
