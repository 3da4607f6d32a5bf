"""Launches under torch.compile: one operator in one graph, with the values and gradients of the launches themselves."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from kernels import copy, fill, square
from numba import cuda
from torch._dynamo.exc import TorchRuntimeError, Unsupported

import workbench as wb
from workbench import losses, operator, patterns

pytestmark = [
    # torch's own, of the base class of every autograd.Function that it traces
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    # torch's own as well, which it hides unless warnings are errors
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
]
FUNCTIONS = {**losses.ALL, **patterns.ALL}

FIRST = {*losses.ALL, "two_outputs", "positive_part", "decay_vjp"}
"""The others are compiled in the same way, and are tried with the long tests."""


@pytest.fixture(autouse=True)
def _nothing_compiled_before():
    torch._dynamo.reset()


def compiled(function, backend="aot_eager", **options):
    return torch.compile(function, fullgraph=True, backend=backend, **options)


def value_and_gradients(function, inputs):
    """The outputs, and the gradients by the inputs that require one, for upstream gradients from a fixed seed."""
    outputs = function(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    generator = torch.Generator().manual_seed(0)
    upstream = [torch.randn(x.shape, dtype=x.dtype, generator=generator).to(x.device) for x in outputs]
    leaves = [x for x in inputs if x.requires_grad]
    return *outputs, *torch.autograd.grad(outputs, leaves, upstream)


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FIRST else pytest.mark.long) for name in FUNCTIONS]
)
def test_every_function_is_one_graph_and_gives_the_same_bits(name, device):
    function, inputs = FUNCTIONS[name].function, FUNCTIONS[name].example(device)
    assert_equal(value_and_gradients(compiled(function), inputs), value_and_gradients(function, inputs))


@pytest.mark.parametrize("name", ["squared_distance", "two_outputs"])
def test_nothing_needs_a_gradient(name):
    function, inputs = FUNCTIONS[name].function, [x.detach() for x in FUNCTIONS[name].example("cpu")]
    torch.testing.assert_close(compiled(function)(*inputs), function(*inputs), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["squared_distance", "cross_entropy"])
def test_one_graph_serves_every_size(name):
    function, inputs = FUNCTIONS[name].function, FUNCTIONS[name].example("cpu")
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    for_any_size = compiled(function, dynamic=True)
    for n in (300, 301, 77):
        rows = [x.detach()[:n].requires_grad_(x.requires_grad) if len(x) > 10 else x for x in inputs]
        assert_equal(value_and_gradients(for_any_size, rows), value_and_gradients(function, rows))
    assert graphs["unique_graphs"] == before + 1


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("g++"), reason="inductor needs a C++ compiler, and g++ is not there")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor's own imports
def test_inductor(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    inputs = losses.ALL["squared_error"].example("cpu")

    def model(x, y):
        return losses.squared_error(2 * x, y, "sum") + losses.squared_error(y, x + 1, "none").mean()

    with torch._inductor.config.patch(compile_threads=1):
        found = value_and_gradients(compiled(model, backend="inductor"), inputs)
    torch.testing.assert_close(found, value_and_gradients(model, inputs), rtol=1e-6, atol=1e-6)


FIRST_IN_A_PROCESS = """
import torch
import workbench as wb
from numba import cuda

@cuda.jit
def square_kernel(x, y):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i] * x[i]

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        square = torch.empty_like(x)
        wb.launch(square_kernel[wb.blocks(x.numel()), 256], x, square)
        return square

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return 2 * x * upstream

x = torch.linspace(-1, 1, 1000, requires_grad=True)
square = torch.compile(Square.apply, fullgraph=True, backend="aot_eager")(x)
square.sum().backward()
assert torch.equal(square, x * x) and torch.equal(x.grad, 2 * x)
"""


def test_the_first_launch_of_a_process_may_be_compiled(tmp_path):
    """Here Numba is imported after workbench, and in this file before it."""
    file = tmp_path / "first.py"
    file.write_text(FIRST_IN_A_PROCESS)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_second_derivative_is_refused():
    x, y = (v.requires_grad_() for v in torch.rand(2, 5).unbind())
    (gradient,) = torch.autograd.grad(compiled(losses.squared_error)(x, y).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        torch.autograd.grad(gradient.sum(), x)


def test_a_target_that_is_no_class_is_nan_as_on_a_gpu():
    logits = torch.randn(3, 4)
    loss = compiled(losses.cross_entropy)(logits, torch.tensor([0, 7, 1]), reduction="none")
    assert loss.isnan().tolist() == [False, True, False]


@cuda.jit
def shift(x, y):
    """y[i] = x[i + 1] for one dimension, x beginning anew at its end. Updates: y."""
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[(i + 1) % x.size]


@cuda.jit
def split(x, y, value):
    """x = value and y = -value for one dimension. Updates: x, y."""
    i = cuda.grid(1)
    if i < x.size:
        x[i], y[i] = value, -value


@cuda.jit
def number(y):
    """y[i, j] = 10 i + j. Updates: y."""
    i, j = cuda.grid(2)
    if i < y.shape[0] and j < y.shape[1]:
        y[i, j] = 10 * i + j


def into_itself(x):
    y = x[0].sin()
    wb.launch(square[1, 32], y, y)
    return y + 1


def back_and_forth(x):
    for k in range(3):
        wb.launch(shift[1, 32], x[k % 2], x[1 - k % 2])
    return x + 1


def into_two_parts(x):
    wb.launch(split[1, 32], x[0], x[1], 2.5)
    return x + 1


def strided(x):
    wb.launch(number[(1, 1), (8, 8)], x.t())
    return x + 1


def between_uses(x):
    before = x + 1
    wb.launch(fill[1, 32], x[0], 3)
    return before, x + 1


configured = fill[1, 32]


def configured_outside(x):
    wb.launch(configured, x[1], 7)
    return x + 1


WRITES = (into_itself, back_and_forth, into_two_parts, strided, between_uses, configured_outside)


@pytest.mark.parametrize("function", WRITES)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_what_a_kernel_writes_is_seen(function, backend):
    x = torch.rand(2, 8)
    y = x.clone()
    found, expected = compiled(function, backend)(x), function(y)
    torch.testing.assert_close((found, x), (expected, y), rtol=0, atol=0)


def test_a_kernel_that_reads_what_it_writes_by_another_name_is_refused():
    def overlapping(x):
        wb.launch(copy[1, 32], x[1:], x[:-1])
        return x

    with pytest.raises(TorchRuntimeError, match=r"memory that it writes through another.*pass a clone"):
        compiled(overlapping)(torch.rand(4))


def test_scalars_keep_their_types(monkeypatch):
    launched = []
    monkeypatch.setattr(operator, "launch", lambda _, *arguments, sanitize: launched.append(arguments[2:]))

    def function(x, value):
        wb.launch(split[1, 32], x[0], x[1], value)
        return x + 1

    for value in (True, 3, 2.5, 1 + 2j):
        compiled(function)(torch.rand(2, 8), value)
    assert [(type(value), value) for (value,) in launched] == [(bool, True), (int, 3), (float, 2.5), (complex, 1 + 2j)]


def test_a_launch_is_checked_when_the_graph_runs():
    def too_large(x, y):
        wb.launch(copy[1, 2048], x, y)
        return y + 1

    with pytest.raises(wb.LaunchError, match="CUDA allows 1,024"):
        compiled(too_large)(torch.rand(4), torch.rand(4))


def test_a_launch_is_sanitized_when_the_graph_runs():
    def out_of_bounds(x, y):
        wb.launch(copy[1, 32], x, y, sanitize=True)
        return y + 1

    with pytest.raises(wb.KernelFault, match="out of bounds"):
        compiled(out_of_bounds)(torch.rand(3), torch.rand(4))


def launch_copy(x, y):
    wb.launch(copy[1, 32], x, y)
    return y


@cuda.jit
def look(x, y):
    """Writes nothing."""


def launch_look(x, y):
    wb.launch(look[1, 32], x, y)
    return y


def call_copy(x, y):
    copy[1, 32](x, y)
    return y


BREAKS = {
    "NumPy arrays": (launch_copy, np.arange(4.0), np.zeros(4)),
    "nothing that is written": (launch_look, torch.zeros(4), torch.arange(4.0)),
    "called as Numba does": (call_copy, torch.arange(4.0), torch.zeros(4)),
}


@pytest.mark.parametrize(("function", "x", "y"), BREAKS.values(), ids=BREAKS)
def test_what_a_graph_would_change_breaks_it(function, x, y):
    with wb.on_cpu():
        with pytest.raises(Unsupported, match=r"torch\.compiler\.disable"):
            compiled(function)(x, y)
        assert torch.compile(function, backend="aot_eager")(x, y).tolist() == [0, 1, 2, 3]


def test_an_output_that_requires_grad_is_refused():
    with pytest.raises(Unsupported, match=r"torch\.compiler\.disable"):
        compiled(launch_copy)(torch.rand(4), torch.zeros(4, requires_grad=True))
    with pytest.raises(wb.LaunchError, match="requires grad, and autograd would not see the write"):
        torch.compile(launch_copy, backend="aot_eager")(torch.rand(4), torch.zeros(4, requires_grad=True))


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.vmap, torch.func.jacrev])
def test_a_transform_breaks_the_graph(transform):
    x, y = torch.rand(2, 7, dtype=torch.float64)
    function = transform(losses.squared_error)
    with pytest.raises(Unsupported, match=r"torch\.compiler\.disable"):
        compiled(function)(x, y)
    assert torch.equal(torch.compile(function, backend="aot_eager")(x, y), function(x, y))


def test_a_kernel_that_is_gone():
    with pytest.raises(wb.LaunchError, match="kernel of this compiled launch is gone"):
        torch.ops.workbench.launch(-1, [1], [1], 0, False, "w", [torch.zeros(1)], [], [])
