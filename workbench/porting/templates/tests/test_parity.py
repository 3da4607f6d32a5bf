"""The extension against the Numba kernels that it was ported from, on the same inputs, wherever it runs.

On a GPU where there is one, else on the CPU. What is compared may differ by a few roundings: each compiler has
functions such as exp of its own, and orders sums and products in its own way. Where a kernel makes more of roundings,
as one that divides a difference by a small step, float32 may differ by twice the prototype's own error in float32.
"""

import functools
import os
from pathlib import Path

import pytest
import torch

import PACKAGE
import workbench as wb
from prototype import prototype, reference
from workbench.porting.fingerprint import fingerprint
from workbench.recording import recorded

DEVICE = "cuda" if torch.cuda.is_available() and not os.environ.get("VARIABLE_CPU") else "cpu"
ROUNDINGS = 16
SIZES = (0, 1, 31, 32, 33, 257)

EXAMPLE = torch.load(Path(__file__).parent / "example.pt")
FLOATING = [k for k, x in enumerate(EXAMPLE) if isinstance(x, torch.Tensor) and x.is_floating_point()]
MOVING = [k for k in FLOATING if EXAMPLE[k].requires_grad] or FLOATING
ROWS = EXAMPLE[MOVING[0]].shape[0] if EXAMPLE[MOVING[0]].dim() else None

KERNELS = [kernel for kernel in vars(PACKAGE.kernels).values() if hasattr(kernel, "fingerprints")]

CALLS = [({}, MOVING)WITH_OPTIONS]
"""The keywords of each call, and the inputs that require grad in it."""

TAKEN = "HOW"
"""How torch.compile takes the function: whole, in parts or not."""

port = FUNCTION


def inputs(dtype, rows=None, strided=False, moving=MOVING):
    """The example in a dtype: its rows repeated or left out, or in memory that is not contiguous."""
    given = []
    for k, x in enumerate(EXAMPLE):
        if isinstance(x, torch.Tensor):
            x = x.detach().to(DEVICE, dtype if k in FLOATING else x.dtype)
            if rows is not None and x.dim() and x.shape[0] == ROWS:
                x = x[torch.arange(rows, device=DEVICE) % ROWS]
            if strided and x.dim():
                x = torch.stack([x, x], -1)[..., 0]
            x = x.requires_grad_(k in moving)
        given.append(x)
    return given


def outputs(function, given):
    """All outputs, as a tuple."""
    output = function(*given)
    return output if isinstance(output, tuple) else (output,)


def values_and_gradients(function, given):
    """The outputs, and the gradients for upstream gradients that are always the same."""
    found = outputs(function, given)
    generator = torch.Generator().manual_seed(0)
    upstream = [torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x) for x in found]
    pairs = [(x, u) for x, u in zip(found, upstream) if x.requires_grad]
    moving = [x for x in given if isinstance(x, torch.Tensor) and x.requires_grad]
    gradients = torch.autograd.grad([x for x, _ in pairs], moving, [u for _, u in pairs], allow_unused=True)
    return [x.detach() for x in found], list(gradients)


def assert_same(mine, theirs, errors=None):
    assert len(mine) == len(theirs)
    for k, (one, other) in enumerate(zip(mine, theirs)):
        assert (one is None) == (other is None)
        if one is not None and other.numel():
            allowed = ROUNDINGS * torch.finfo(other.dtype).eps
            largest = float(other.abs().nan_to_num(posinf=0).max())
            furthest = max(allowed * largest, 2 * errors[k] if errors else 0)
            torch.testing.assert_close(one, other, rtol=allowed, atol=furthest, equal_nan=True)


def largest_errors(found, precise):
    """Of each tensor the largest difference to what float64 gives; infinities and NaN aside."""
    return [
        0 if x is None or not x.numel() else float((x - y).abs().nan_to_num(posinf=0).max())
        for x, y in zip(found, precise)
    ]


def compare(given, **keywords):
    mine, theirs = (
        values_and_gradients(functools.partial(function, **keywords), given) for function in (port, prototype)
    )
    wide = [x.detach().double().requires_grad_(x.requires_grad) if k in FLOATING else x for k, x in enumerate(given)]
    precise = values_and_gradients(functools.partial(prototype, **keywords), wide)
    for found, expected, exact in zip(mine, theirs, precise):
        assert_same(found, expected, largest_errors(expected, exact))


@pytest.mark.parametrize(("keywords", "moving"), CALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_example(dtype, keywords, moving):
    compare(inputs(dtype, moving=moving), **keywords)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_sizes(dtype, rows):
    if ROWS is None:
        pytest.skip("the inputs are single numbers and have no rows")
    compare(inputs(dtype, rows))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_that_is_not_contiguous(dtype):
    compare(inputs(dtype, strided=True))


def test_gradient_against_differences():
    given = inputs(torch.float64, 5 if ROWS else None)

    def right(function):
        return torch.autograd.gradcheck(function, given, raise_exception=False)

    if not right(prototype):
        pytest.skip("the prototype's gradient is not the derivative of its value, so the port's is not either")
    assert right(port)


def test_audit_says_the_same_of_both():
    given = inputs(torch.float32, 300 if ROWS else None)
    mine, theirs = (wb.audit(function, *given, reference=reference) for function in (port, prototype))
    assert [(check.question, check.verdict) for check in mine.checks] == [
        (check.question, check.verdict) for check in theirs.checks
    ], f"{mine}\n\n{theirs}"


def test_prototype_with_the_ported_kernels():
    given = inputs(torch.float32)
    mine = values_and_gradients(port, given)
    with wb.ported(PACKAGE), recorded() as launches:
        theirs = values_and_gradients(prototype, given)
    assert launches
    for one, other in zip(mine, theirs):
        assert_same(one, other)


@pytest.mark.parametrize(("keywords", "moving"), CALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opcheck_of_each_kernel(dtype, keywords, moving):
    with recorded() as launches:
        given = inputs(dtype, 33 if ROWS else None, moving=moving)
        values_and_gradients(functools.partial(prototype, **keywords), given)
    for launch in launches:
        kernel = next(k for k in KERNELS if fingerprint(launch.kernel) in k.fingerprints)
        given = [x.detach() if isinstance(x, torch.Tensor) else x for x in launch.arguments]
        configured = kernel[launch.grid, launch.block]
        torch.library.opcheck(kernel.operator, (*given, configured.grid, configured.block, launch.shared_bytes))


@pytest.mark.parametrize("function", PACKAGE.operators.OF, ids=lambda function: function.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operator(monkeypatch, dtype, function):
    """The operator is the Function, and torch.compile takes it whole."""
    seen = []
    own = function.apply
    with monkeypatch.context() as patched:
        patched.setattr(function, "apply", lambda *given: seen.append(given) or own(*given))
        outputs(port, inputs(dtype, 33 if ROWS else None))
    operator = PACKAGE.operators.OF[function]
    for given in seen:
        given = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x for x in given]
        torch.library.opcheck(operator, given)
        expected = values_and_gradients(own, given)
        compiled = torch.compile(lambda *given: operator(*given), fullgraph=True, backend="aot_eager")
        for found in (values_and_gradients(operator, given), values_and_gradients(compiled, given)):
            for mine, theirs in zip(found, expected):
                assert_same(mine, theirs)


@pytest.mark.skipif(TAKEN == "not", reason="torch.compile does not take this function; README.md says why")
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_torch_compile(backend, dynamic):
    given = inputs(torch.float32)
    torch._dynamo.reset()
    compiled = torch.compile(port, fullgraph=TAKEN == "whole", backend=backend, dynamic=dynamic)
    for mine, theirs in zip(values_and_gradients(compiled, given), values_and_gradients(port, given)):
        assert_same(mine, theirs)
