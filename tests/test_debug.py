"""A kernel as plain Python: print and breakpoint in it, faults in words, and the results of the launch."""

import inspect
import os
import re
import subprocess
import sys
import traceback

import numpy as np
import pytest
import test_random_kernels as random_kernels
import torch
from dialect import kernel
from launches import replace_launch
from numba import cuda, float32, int32
from planted_faults import FAULTS, N, inactive_lane
from random_kernels import random_case
from waiting_kernels import BEFORE, CASES, POSITIVE, X, votes

import workbench as wb

FACTOR = 3


@cuda.jit(device=True)
def block_sum(partial, value):
    """A device function in which threads wait."""
    t = cuda.threadIdx.x
    partial[t] = value
    cuda.syncthreads()
    total = float32(0)
    for k in range(cuda.blockDim.x):
        total += partial[k]
    if t == 2:
        breakpoint()
    return total


@cuda.jit
def stopped(x, out):
    partial = cuda.shared.array(4, float32)
    t = cuda.threadIdx.x
    value = x[t] * FACTOR
    if t == 1:
        breakpoint()
    total = block_sum(partial, value)
    out[t] = total


@cuda.jit
def printed(x):
    i, j = cuda.threadIdx.x, cuda.threadIdx.y
    print(f"({i}, {j}): {x[j, i]:.2f} {cuda.threadIdx.x=}", end=";\n")
    print("sum %d" % (i + j), max(i, j))  # noqa: UP031


def line_with(function, code):
    lines, first = inspect.getsourcelines(function.py_func)
    (found,) = [first + k for k, line in enumerate(lines) if code in line]
    return found


def test_a_breakpoint_sees_the_kernel_s_own_frame(monkeypatch):
    seen = []

    def hook():
        frame = inspect.currentframe().f_back
        values = {n: v for n, v in frame.f_locals.items() if isinstance(v, (int, float, np.generic))}
        place = eval("cuda.threadIdx.x, cuda.grid(1), cuda.blockDim.x", frame.f_globals, frame.f_locals)
        array = next(iter(frame.f_locals.values()))
        seen.append((frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno, values, place, repr(array)))

    monkeypatch.setattr(sys, "breakpointhook", hook)
    wb.debug(stopped[1, 4], np.arange(4, dtype=np.float32), np.zeros(4, np.float32))
    first, second = seen
    assert first[:2] == ("stopped", __file__)
    assert second[:2] == ("block_sum", __file__)
    assert first[2] == line_with(stopped, "breakpoint()")
    assert second[2] == line_with(block_sum, "breakpoint()")
    assert first[3] == {"t": 1, "value": 3.0}
    assert second[3] == {"t": 2, "value": 6.0, "total": 18.0, "k": 3}
    assert first[4:] == ((1, 1, 4), "global array([0., 1., 2., 3.], dtype=float32)")
    assert second[4:] == ((2, 2, 4), "shared array([0., 3., 6., 9.], dtype=float32)")


def test_python_s_debugger_steps_through_the_kernel_s_lines_only(tmp_path):
    """From the kernel into the device function, across its barrier, and back, and no line of the executor's."""
    file = tmp_path / "stepped.py"
    source = "".join(inspect.getsource(f.py_func).replace("t == 2", "t > 4") for f in (block_sum, stopped))
    run = "wb.debug(stopped[1, 4], np.arange(4, dtype=np.float32), np.zeros(4, np.float32))\n"
    start = "import numpy as np\nimport workbench as wb\nfrom numba import cuda, float32\nFACTOR = 3\n"
    file.write_text(start + source + run, encoding="utf-8")
    commands = "p t, value\n" + "s\n" + "n\n" * 4 + "s\n" * 12 + "p total\nc\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONBREAKPOINT"}
    done = subprocess.run([sys.executable, file], input=commands, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    places = re.findall(r"> (\S+)\((\d+)\)(\w+)\(\)", done.stdout)
    assert {place for place, _, _ in places} == {str(file)}
    names = [name for _, _, name in places]
    assert names == ["stopped"] + ["block_sum"] * 17
    assert "(1, 3.0)" in done.stdout
    assert "np.float32(18.0)" in done.stdout


def test_print_is_python_s(capsys):
    wb.debug(printed[1, (2, 2)], np.arange(4.0).reshape(2, 2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["(0, 0): 0.00 cuda.threadIdx.x=0;", "sum 0 0"]
    assert lines[4:6] == ["(0, 1): 2.00 cuda.threadIdx.x=0;", "sum 1 1"]


# -- the results of the launch


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gives_what_the_launch_gives(case):
    kernel, grid, block, inputs, output, expected = case
    stepped, launched = output.copy(), output.copy()
    wb.debug(kernel[grid, block], *inputs, stepped, block=None)
    wb.launch(kernel[grid, block], *inputs, launched)
    np.testing.assert_allclose(stepped, expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(stepped, launched, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("seed", range(100, 112))
def test_random_kernels_give_what_cuda_gives(seed):
    case = random_case(seed)
    arguments = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in case.arguments.items()}
    configured = random_kernels.kernel_of(case.source)[case.grid, case.block, 0, case.shared_bytes]
    wb.debug(configured, *arguments.values(), block=None)
    assert not random_kernels.differences(arguments, random_kernels.expected(case)), case.source


def test_the_losses(monkeypatch):
    logits, labels = torch.randn(5, 7), torch.arange(5)

    def results():
        x = logits.clone().requires_grad_()
        loss = wb.losses.cross_entropy(x, labels) + wb.losses.squared_error(x, logits.flip(0))
        loss.backward()
        return loss.detach(), x.grad

    launched = results()
    replace_launch(monkeypatch, lambda *call: wb.debug(*call, block=None))
    for mine, theirs in zip(results(), launched, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


def test_votes():
    out, counts = np.zeros(64, np.int64), np.zeros(1, np.int64)
    wb.debug(votes[1, 45], X, out, counts)
    assert out[:45].tolist() == (BEFORE[:45] + 1000).tolist()
    assert counts[0] == POSITIVE[:45].sum()


ARITHMETIC = """
def arithmetic(n, f, u, d, out):
    i = cuda.grid(1)
    out[0, i] = n[i] * n[i]
    out[1, i] = f[i] * 2
    out[2, i] = f[i] * f[i] + f[i]
    out[3, i] = (n[i] > 0) - (n[i] < 0)
    out[4, i] = u[i] - 7
    out[5, i] = d[i] / (n[i] - n[i])
    out[6, i] = n[i] // 3 + n[i] % 3 - (n[i] << 2)
    out[7, i] = f[i] == 0.1
    out[8, i] = -(n[i] > 0) + ~n[i]
    out[9, i] = math.sqrt(f[i]) + max(f[i], d[i], 1) + math.floor(d[i])
    out[10, i] = int32(n[i] * n[i]) + int(d[i]) + float32(d[i])
    out[11, i] = d[i] ** n[i] + f[i] ** 2
    u[i] -= 300
    n[i] *= n[i]
"""


def test_numbers_have_the_compiled_kernel_s_types():
    table = kernel(ARITHMETIC, int32=int32, float32=float32)
    found = {}
    for run in (wb.launch, wb.debug):
        n, u = np.array([2**30, -7, 3], np.int32), np.array([250, 3, 0], np.uint8)
        f, d, out = np.array([0.1, 0.2, 0.3], np.float32), np.array([0.7, -0.2, np.nan]), np.zeros((12, 3))
        run(table[1, 3], n, f, u, d, out)
        found[run] = (n, u, out)
    for mine, theirs in zip(found[wb.debug], found[wb.launch], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7)


LEAVES = """
def leaves(x, out):
    mine = cuda.local.array(2, np.int64)
    tail = cuda.shared.array(0, np.float64)
    t = cuda.threadIdx.x
    if t >= x.size:
        return
    tail[t] = x[t]
    mine[0] = mine[1] = 0
    cuda.syncwarp()
    k = -1
    while True:
        k += 1
        if k % 2:
            continue
        if k > t:
            break
        mine[0] += k
    else:
        mine[1] = 5
    cuda.syncthreads()
    cuda.atomic.max(out, 1, mine[0])
    old = cuda.atomic.cas(out, 2, 0, t + 1)
    out[3 + t] = fibonacci(t) + tail[x.size - 1 - t] + (old > 0)
"""


@cuda.jit(device=True)
def fibonacci(n):
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)


def test_control_flow_local_and_dynamic_memory_atomics_and_recursion():
    out = np.zeros(10, np.int64)
    wb.debug(kernel(LEAVES, fibonacci=fibonacci)[1, 8, 0, 48], np.arange(6.0), out)
    assert out.tolist() == [0, 6, 1, 0 + 5, 1 + 4 + 1, 1 + 3 + 1, 2 + 2 + 1, 3 + 1 + 1, 5 + 0 + 1, 0]


def test_one_block_of_a_grid_writes_its_elements_only():
    def fill(block):
        out = torch.zeros(4, 6, dtype=torch.int64)
        wb.debug(
            kernel("def f(a):\n    i, j = cuda.grid(2)\n    a[i, j] = 10 * i + j\n")[(2, 3), (2, 2)], out, block=block
        )
        return out.nonzero()[:, 0].unique().tolist(), out.nonzero()[:, 1].unique().tolist(), int(out.sum())

    assert fill((1, 2)) == ([2, 3], [4, 5], 24 + 25 + 34 + 35)
    assert fill(1) == ([2, 3], [0, 1], 20 + 21 + 30 + 31)
    assert fill(None)[2] == sum(10 * i + j for i in range(4) for j in range(6))


def test_a_shuffle_from_a_lane_that_takes_no_part_gives_what_the_launch_gives():
    x, stepped, launched = torch.arange(float(N)), torch.zeros(N), torch.zeros(N)
    wb.debug(inactive_lane[1, N], x, stepped)
    wb.launch(inactive_lane[1, N], x, launched)
    assert torch.equal(stepped, launched)
    assert stepped[8:16].tolist() == list(range(8, 16))


# -- faults and refusals


SEEN = {name: f for name, f in FAULTS.items() if f.kind in ("out of bounds", "not written", "skipped barrier")}
del SEEN["syncwarp_between_warps"]  # which threads that take turns do not run into


@pytest.mark.parametrize("fault", SEEN.values(), ids=SEEN)
def test_a_fault_is_named_on_its_line(fault):
    with pytest.raises(wb.KernelFault) as raised:
        fault.launch(lambda *given: wb.debug(*given, block=None))
    (finding,) = raised.value.findings
    assert (finding.kind, finding.line) == (fault.kind, fault.line)
    assert str(raised.value).startswith(f"{fault.kernel.py_func.__name__}, line {finding.line}, `{finding.code}`: ")


def test_an_index_out_of_bounds_says_who_and_where():
    with pytest.raises(wb.KernelFault) as fault:
        wb.debug(kernel("def f(a):\n    i = cuda.grid(1)\n    a[3 * i - 4] = i\n")[2, 3], np.zeros(3), block=1)
    said = "index 5 is outside axis 0 of 'a', which has size 3; thread 0 of block 1 uses it"
    assert str(fault.value) == f"f, line 3, `a[3 * i - 4] = i`: out of bounds: {said}"
    frames = traceback.extract_tb(fault.value.__traceback__)
    assert any((frame.name, frame.lineno, frame.line) == ("f", 3, "a[3 * i - 4] = i") for frame in frames)


def test_a_negative_index_counts_from_the_end_once():
    a = np.arange(3.0)
    wb.debug(kernel("def f(a):\n    a[-1] = a[-3] + 7\n")[1, 1], a)
    assert a.tolist() == [0, 1, 7]
    with pytest.raises(wb.KernelFault, match="index -4 is outside"):
        wb.debug(kernel("def f(a):\n    a[-4] = 7\n")[1, 1], a)


def test_memory_that_was_not_written():
    text = "def f(a):\n    s = cuda.shared.array((2, 2), np.float32)\n    s[0, 1] = 1\n    a[0] = s[0, 1] + s[1, 0]\n"
    with pytest.raises(wb.KernelFault, match=r"thread 0 of block 0 reads element \(1, 0\) of 's', which no thread has"):
        wb.debug(kernel(text)[1, 1], np.zeros(3))


def test_shared_memory_begins_anew_in_each_block():
    text = """
    def f(a):
        s = cuda.shared.array(1, np.float32)
        if cuda.blockIdx.x == 0:
            s[0] = 1
        a[0] = s[0]
    """
    with pytest.raises(wb.KernelFault, match="thread 0 of block 1 reads element 0 of 's'"):
        wb.debug(kernel(text)[2, 1], np.zeros(1), block=None)


def test_a_barrier_that_some_pass_by():
    text = "def f(a):\n    if cuda.grid(1) < 2:\n        cuda.syncthreads()\n    a[0] = 1\n"
    with pytest.raises(
        wb.KernelFault, match=r"f, line 3, .*thread 0 waits here for the block, and thread 2 of block 0 has"
    ):
        wb.debug(kernel(text)[1, 4], np.zeros(3))


def test_lanes_that_wait_elsewhere():
    text = """
    def f(a):
        if 32 <= cuda.grid(1) < 34:
            cuda.syncwarp(0xF3)
        else:
            cuda.syncthreads()
    """
    said = r"thread 32 waits here for the lanes of mask 0xf3, and thread 36 of block 0 waits elsewhere, at line 6"
    with pytest.raises(wb.KernelFault, match=said):
        wb.debug(kernel(text)[1, 64], np.zeros(3))


@pytest.mark.parametrize("wait", ["a[0] == 0", "cuda.atomic.cas(a, 0, 1, 1) == 0"])
def test_an_endless_wait_ends(wait):
    text = f"def f(a):\n    if cuda.grid(1) == 0:\n        while {wait}:\n            pass\n    a[0] = 1\n"
    with pytest.raises(wb.KernelFault, match=r"line 3, .*endless wait: thread 0 of block 0 finds element 0 of 'a'"):
        wb.debug(kernel(text)[1, 2], np.zeros(1, np.int64))


@pytest.mark.parametrize("run", [wb.debug, wb.trace])
def test_what_a_launch_refuses_is_refused_before_anything_runs(run):
    fill = kernel("def f(a, value):\n    a[cuda.grid(1)] = value\n")
    a = torch.zeros(4)
    with pytest.raises(wb.LaunchError, match=r"f takes 2 arguments \(a, value\), and got 1"):
        run(fill[1, 4], a)
    with pytest.raises(wb.LaunchError, match="the block has 2,048 along x"):
        run(fill[1, 2048], a, 1)
    with pytest.raises(wb.LaunchError, match="elements share memory"):
        run(fill[1, 4], a[:1].expand(4), 1)
    with pytest.raises(wb.CompileError, match=r"line 2: .* a kernel has no lists"):
        run(kernel("def f(a):\n    b = [k for k in range(3)]\n    a[0] = 1\n")[1, 4], a)
    for block in (1, -1, (0, 1), (0, 0, 0, 0), 0.5, "all"):
        with pytest.raises(wb.LaunchError, match=r"there is no block .* in the grid of 1 x 1 x 1 blocks"):
            run(fill[1, 4], a, 1, block=block)
    assert not a.any()


def test_tensors_on_a_gpu_are_refused_with_advice(monkeypatch):
    from workbench import stepping

    monkeypatch.setattr(stepping, "executor", lambda device: wb.Executor("gpu", "", print))
    with pytest.raises(wb.LaunchError, match=r"only the CPU executor .* move the tensors with .cpu\(\)"):
        wb.debug(kernel("def f(a):\n    a[0] = 1\n")[1, 4], torch.zeros(4))


def test_autograd_notices_the_write():
    a = torch.zeros(4)
    wb.debug(kernel("def f(a):\n    a[0] = 1\n")[1, 1], a)
    assert a._version == 1
