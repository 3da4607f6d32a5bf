"""The sanitizer: faults named on their line, and nothing found in kernels that are right."""

import inspect

import numpy as np
import pytest
import torch
from numba import cuda, float32
from waiting_kernels import CASES

import workbench as wb

N = 64


@cuda.jit
def no_barrier(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    shared[t] = 0
    cuda.syncthreads()
    shared[t] = x[t]
    out[t] = shared[N - 1 - t]  # wrong


@cuda.jit
def no_second_barrier(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    for k in range(3):
        shared[t] = x[t] + k  # wrong
        cuda.syncthreads()
        out[t] = shared[N - 1 - t]


@cuda.jit
def everyone_adds(x, out):
    out[0] += x[cuda.threadIdx.x]  # wrong


@cuda.jit
def blocks_share(x, out):
    out[cuda.threadIdx.x] = x[cuda.threadIdx.x]  # wrong


@cuda.jit
def barrier_under_if(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        cuda.syncthreads()  # wrong
    out[t] = x[t]


@cuda.jit
def two_barriers(x, out):
    t = cuda.threadIdx.x
    if t < 16:
        cuda.syncthreads()  # wrong
    else:
        cuda.syncthreads()
    out[t] = x[t]


@cuda.jit
def one_past_the_end(x, out):
    t = cuda.threadIdx.x
    out[t] = x[t + 1]  # wrong


@cuda.jit
def writes_past_the_end(x, out):
    t = cuda.threadIdx.x
    out[2 * t] = x[t]  # wrong


@cuda.jit
def never_written(x, out):
    shared = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    if t < N // 2:
        shared[t] = x[t]
    cuda.syncthreads()
    out[t] = shared[t]  # wrong


@cuda.jit
def inactive_lane(x, out):
    t = cuda.threadIdx.x
    if t % 32 < 16:
        out[t] = cuda.shfl_down_sync(0xFFFF, x[t], 8)  # wrong


@cuda.jit(device=True)
def store(array, t, value):
    array[t // 2] = value  # wrong


@cuda.jit
def in_a_device_function(x, out):
    t = cuda.threadIdx.x
    store(out, t, x[t])


@cuda.jit
def through_a_view(x, out):
    row = out[1:]
    row[cuda.threadIdx.x // 2] = x[cuda.threadIdx.x]  # wrong


@cuda.jit
def atomic_and_not(x, out):
    t = cuda.threadIdx.x
    cuda.atomic.add(out, 0, x[t])
    if t == 5:
        out[0] = 0  # wrong


FAULTS = {
    no_barrier: "race",
    no_second_barrier: "race",
    everyone_adds: "race",
    blocks_share: "write-write race",
    barrier_under_if: "skipped barrier",
    two_barriers: "divergent barrier",
    one_past_the_end: "out of bounds",
    writes_past_the_end: "out of bounds",
    never_written: "not written",
    inactive_lane: "inactive lane",
    in_a_device_function: "write-write race",
    through_a_view: "write-write race",
    atomic_and_not: "race",
}


def wrong_line(kernel):
    """The line marked as wrong, in the kernel or in the device function that it calls."""
    for function in (kernel.py_func, store.py_func):
        lines, first = inspect.getsourcelines(function)
        for k, line in enumerate(lines):
            if "# wrong" in line:
                return first + k
    raise LookupError(kernel)


def run(kernel):
    blocks = 2 if kernel is blocks_share else 1
    wb.launch(kernel[blocks, N], torch.arange(float(N)), torch.zeros(N))


@pytest.mark.parametrize("kernel", FAULTS, ids=lambda kernel: kernel.py_func.__name__)
def test_named_on_its_line(kernel):
    with wb.sanitize() as findings:
        run(kernel)
    assert findings
    assert all(FAULTS[kernel] in finding.kind for finding in findings)
    assert wrong_line(kernel) in {line for f in findings for line in (f.line, f.other_line)}
    assert all(kernel.py_func.__name__ in str(finding) for finding in findings)


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
