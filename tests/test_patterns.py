"""What every pattern keeps to: value and gradient, memory of any layout, no wasted launch, transforms, refusals."""

import importlib
import itertools
from types import SimpleNamespace

import pytest
import torch
from cases import FLOATS
from formulas import assert_as_formula, value_and_gradients
from launches import count_launches

import workbench as wb
from workbench import patterns
from workbench.patterns import ALL

decay = importlib.import_module("workbench.patterns.decay")  # the name in the package is the function's

SIZES = (0, 1, 31, 32, 33, 257, 1025)
OF_TWO_INPUTS = [name for name in ALL if name.startswith("decay")]
OF_TWO_INPUTS += ["two_outputs", "gaussian_integral", "rounding_penalty"]
ONCE = [name for name, pattern in ALL.items() if pattern.derivatives == 1]
OFTEN = [name for name in ALL if name not in ONCE]
HONEST = [name for name, pattern in ALL.items() if not pattern.stand_in]

each_pattern = pytest.mark.parametrize("pattern", ALL.values(), ids=ALL)


def some(names):
    return pytest.mark.parametrize("pattern", [ALL[name] for name in names], ids=names)


def one(function):
    """The function with its outputs, where they are several, stacked into one."""

    def of(*inputs, **options):
        output = function(*inputs, **options)
        return torch.stack(output) if isinstance(output, tuple) else output

    return of


def inputs_of(pattern, n, dtype=torch.float64, device="cpu"):
    return [x.detach()[:n].to(dtype).requires_grad_() for x in pattern.example(torch.device(device))]


def assert_right(pattern, inputs, upstream=None, ulps=24):
    """Sums over some terms err by the largest of them, so an element is allowed the ulps of 1 as well."""
    if upstream is None:
        upstream = torch.randn_like(one(pattern.reference)(*inputs).detach())
    assert_as_formula(one(pattern.function), one(pattern.reference), inputs, upstream, ulps=ulps, scale=1.0)


@each_pattern
def test_the_example_is_float32_and_the_same_each_time(pattern, device):
    for a, b in zip(pattern.example(device), pattern.example(device), strict=True):
        assert torch.equal(a, b)
        assert a.device == device
        assert a.dtype == torch.float32
        assert a.requires_grad


@each_pattern
def test_the_audit_passes_and_finds_each_stand_in(pattern, device):
    """A gradient that claims another thing than the derivative is wrong by differences, and by them alone."""
    audit = wb.audit(pattern.function, *pattern.example(device), reference=pattern.reference, name=pattern.name)
    wrong = [check.question for check in audit.wrong]
    assert all(question.endswith("against differences") for question in wrong), str(audit)
    assert len(wrong) == pattern.stand_in, str(audit)
    assert {check.verdict for check in audit.checks if check not in audit.wrong} == {"right"}, str(audit)
    assert pattern.is_as_claimed(audit)


@each_pattern
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_value_and_gradient_at_each_size(pattern, dtype, device):
    for n in SIZES:
        assert_right(pattern, inputs_of(pattern, n, dtype, device))


@some(HONEST)
@pytest.mark.parametrize("n", [1, 33])
def test_gradcheck(pattern, n):
    assert torch.autograd.gradcheck(pattern.function, inputs_of(pattern, n))


@some(OFTEN)
def test_second_derivatives(pattern):
    assert torch.autograd.gradgradcheck(pattern.function, inputs_of(pattern, 9))


@some([name for name in OFTEN if name in HONEST])
def test_a_gradient_penalty_is_differentiated(pattern):
    def penalty(function, x, *others):
        (gradient,) = torch.autograd.grad(function(x, *others).square().sum(), x, create_graph=True)
        return gradient.square().sum()

    inputs = inputs_of(pattern, 33)
    found = torch.autograd.grad(penalty(pattern.function, *inputs), inputs)
    expected = torch.autograd.grad(penalty(pattern.reference, *inputs), inputs)
    torch.testing.assert_close(found, expected)


@some(ONCE)
def test_a_second_derivative_is_refused(pattern):
    first, *others = inputs_of(pattern, 9)
    value = one(pattern.function)(first, *others)
    (gradient,) = torch.autograd.grad(value.square().sum(), first, create_graph=True)
    with pytest.raises(RuntimeError, match="has no second derivative: its gradient comes from a kernel"):
        gradient.sum().backward()


@some(ONCE)
def test_a_gradient_penalty_is_refused_and_not_ignored(pattern):
    first, *others = inputs_of(pattern, 9)
    value = one(pattern.function)(first, *others).sum()
    (gradient,) = torch.autograd.grad(value, first, create_graph=True)
    with pytest.raises(RuntimeError, match="has no second derivative"):
        (value + gradient.square().sum()).backward()


MEMORY = {
    "transposed": lambda x: x.t(),
    "every second": lambda x: x[:, ::2],
    "expanded": lambda x: x[:1].expand(6, 8),
    "with an offset": lambda x: x[1:],
    "no dimension": lambda x: x[2, 3],
}


@each_pattern
@pytest.mark.parametrize("view", MEMORY.values(), ids=MEMORY)
def test_inputs_and_upstreams_that_are_not_contiguous(pattern, view):
    inputs = [view(x.detach().view(6, 8)).requires_grad_() for x in inputs_of(pattern, 48)]
    before = [x.clone() for x in inputs]
    value = one(pattern.reference)(*inputs)
    upstream = torch.randn(value.shape[::-1], dtype=value.dtype).permute(tuple(reversed(range(value.dim()))))
    assert_right(pattern, inputs, upstream)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


@each_pattern
def test_an_upstream_gradient_that_is_expanded(pattern):
    inputs = inputs_of(pattern, 37)
    shape = one(pattern.reference)(*inputs).shape
    assert_right(pattern, inputs, torch.tensor(-1.5, dtype=torch.float64).expand(shape))


@some(OF_TWO_INPUTS)
def test_the_same_tensor_for_both_inputs(pattern):
    x = (torch.rand(37, dtype=torch.float64) + 0.6).requires_grad_()
    found, expected = (
        value_and_gradients(lambda x, f=f: one(f)(x, x), [x]) for f in (pattern.function, pattern.reference)
    )
    torch.testing.assert_close(found, expected)


@each_pattern
def test_buffers_that_arrive_full_of_nan_are_written_over(pattern, monkeypatch):
    inputs = inputs_of(pattern, 300)
    expected = value_and_gradients(one(pattern.function), inputs)
    made = []

    def poisoned(make):
        def make_poisoned(*arguments, **options):
            made.append(make(*arguments, **options).fill_(float("nan")))
            return made[-1]

        return make_poisoned

    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    value, gradients = value_and_gradients(one(pattern.function), inputs)
    assert made
    assert torch.equal(value, expected[0])
    assert all(torch.equal(a, b) for a, b in zip(gradients, expected[1], strict=True))


@some(OF_TWO_INPUTS)
@pytest.mark.parametrize("requiring", [(0,), (1,), (0, 1)], ids=["first", "second", "both"])
def test_no_launch_is_wasted(pattern, requiring, monkeypatch):
    inputs = [x.detach() for x in inputs_of(pattern, 37)]
    wanted = [inputs[i].requires_grad_() for i in requiring]
    expected = torch.autograd.grad(one(pattern.reference)(*inputs).sum(), wanted)
    launched = count_launches(monkeypatch)
    value = one(pattern.function)(*inputs).sum()
    assert len(launched) == 1
    value.backward()
    by_kernel = pattern.derivatives == 1
    assert len(launched) == 1 + len(wanted) * by_kernel
    torch.testing.assert_close([x.grad for x in wanted], list(expected))
    assert all((x.grad is None) != (i in requiring) for i, x in enumerate(inputs))


@pytest.mark.parametrize("way", [decay.Decay, decay.DecayByTorch, decay.DecayByVjp])
@pytest.mark.parametrize("needs", [(False, True), (True, False)], ids=str)
def test_a_gradient_that_nobody_wants_is_not_made(way, needs):
    x, y, upstream = torch.randn(3, 5)
    gradients = way.backward(SimpleNamespace(saved_tensors=(x, y), needs_input_grad=needs), upstream)
    assert tuple(gradient is not None for gradient in gradients) == needs


USES = [use for size in (1, 2) for use in itertools.combinations(range(2), size)]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("used", USES, ids=str)
def test_outputs_that_go_unused(used, dtype, monkeypatch):
    """None reaches backward for an output that is unused, and the kernel launched is the one that needs no more."""
    inputs = inputs_of(ALL["two_outputs"], 37, dtype)
    upstreams = torch.randn(2, 37, dtype=dtype)

    def through(function):
        outputs = function(*inputs)
        return torch.autograd.grad([outputs[i] for i in used], inputs, [upstreams[i] for i in used])

    expected = through(patterns.references.two_outputs)
    launched = count_launches(monkeypatch)
    torch.testing.assert_close(through(patterns.two_outputs), expected)
    kernel = {(0,): "squares_gradient_kernel", (1,): "product_gradient_kernel", (0, 1): "both_gradient_kernel"}[used]
    assert launched == ["two_outputs_kernel", kernel, kernel]


def test_both_outputs_one_backward_after_the_other():
    x, y = inputs_of(ALL["two_outputs"], 5)
    squares, product = patterns.two_outputs(x, y)
    squares.sum().backward(retain_graph=True)
    product.sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach() + y.detach())


@each_pattern
def test_a_backward_twice_gives_the_same_twice(pattern):
    first, *others = inputs_of(pattern, 37)
    value = one(pattern.function)(first, *others).sum()
    value.backward(retain_graph=True)
    once = first.grad.clone()
    value.backward()
    assert torch.equal(first.grad, once + once)


@each_pattern
def test_without_grad_no_graph_is_made(pattern):
    assert not one(pattern.function)(*(x.detach() for x in inputs_of(pattern, 5))).requires_grad
    with torch.no_grad():
        assert not one(pattern.function)(*inputs_of(pattern, 5)).requires_grad


SAVES_ITS_OUTPUT = ("exponential", "activation_torch")


@some([name for name in ALL if name != "two_outputs"])  # torch lets nobody change one of several outputs in place
def test_a_result_changed_in_place(pattern):
    """Where backward needs the output, torch refuses; elsewhere the gradient is right."""
    inputs = inputs_of(pattern, 5)
    value = pattern.function(*inputs)
    value.mul_(3.0)
    if pattern.name in SAVES_ITS_OUTPUT:
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            value.sum().backward()
    else:
        found = torch.autograd.grad(value.sum(), inputs)
        torch.testing.assert_close(found, torch.autograd.grad(3.0 * pattern.function(*inputs).sum(), inputs))


def test_exponential_saves_its_output_and_not_its_input():
    value = patterns.exponential(torch.randn(5, requires_grad=True))
    (saved,) = value.grad_fn.saved_tensors
    assert saved.data_ptr() == value.data_ptr()


@each_pattern
def test_vmap(pattern):
    """The batch in front, at the end, and missing from the second input."""
    inputs = [x.detach() for x in inputs_of(pattern, 30)]
    front = [x.view(5, 6) for x in inputs]
    end = [x.view(6, 5) for x in inputs]
    for in_dims, batch in ((0, front), (1, end), ((0, None)[: len(inputs)], [front[0], *(x[:6] for x in inputs[1:])])):
        found = torch.func.vmap(pattern.function, in_dims)(*batch)
        torch.testing.assert_close(found, torch.func.vmap(pattern.reference, in_dims)(*batch))


@each_pattern
def test_grad_of_each_sample(pattern):
    inputs = [x.detach().view(5, 6) for x in inputs_of(pattern, 30)]
    every = tuple(range(len(inputs)))

    def gradients(function, *batch):
        return torch.func.vmap(torch.func.grad(lambda *x: one(function)(*x).sum(), every))(*batch)

    torch.testing.assert_close(gradients(pattern.function, *inputs), gradients(pattern.reference, *inputs))


@each_pattern
def test_jacrev(pattern):
    inputs = [x.detach() for x in inputs_of(pattern, 4)]
    found = torch.func.jacrev(one(pattern.function))(*inputs)
    torch.testing.assert_close(found, torch.func.jacrev(one(pattern.reference))(*inputs))


@some(OFTEN)
def test_jacrev_twice(pattern):
    def twice(function):
        return torch.func.jacrev(torch.func.jacrev(function))(*(x.detach() for x in inputs_of(pattern, 4)))

    torch.testing.assert_close(twice(pattern.function), twice(pattern.reference))


@some(ONCE)
def test_grad_twice_is_refused_by_func_too(pattern):
    inputs = [x.detach() for x in inputs_of(pattern, 4)]
    every = tuple(range(len(inputs)))
    gradients = torch.func.grad(lambda *x: one(pattern.function)(*x).sum(), every)
    with pytest.raises(RuntimeError, match="has no second derivative"):
        torch.func.grad(lambda *x: sum(gradient.sum() for gradient in gradients(*x)), every)(*inputs)


@each_pattern
def test_another_dtype_is_refused(pattern):
    for dtype in (torch.float16, torch.int64, torch.complex64):
        inputs = [x.detach().to(dtype) for x in inputs_of(pattern, 5)]
        with pytest.raises(ValueError, match=f"x is {dtype}; this function takes torch.float32 or torch.float64"):
            pattern.function(*inputs)


@some(OF_TWO_INPUTS)
def test_nothing_is_broadcast_or_converted(pattern):
    x, y = inputs_of(pattern, 6)
    with pytest.raises(
        ValueError, match=r"x has shape \(6,\) and \w+ has shape \(1,\); this function wants them equal"
    ):
        pattern.function(x, y[:1])
    with pytest.raises(ValueError, match=r"x has dtype torch.float64 and \w+ has dtype torch.float32"):
        pattern.function(x, y.float())


@pytest.mark.parametrize("function", [patterns.activation, patterns.sine_squared])
def test_another_way_is_refused(function):
    with pytest.raises(ValueError, match="derivative='sympy' is none of 'kernel', 'torch', 'vjp'"):
        function(torch.zeros(3), derivative="sympy")
    with pytest.raises(ValueError, match="derivative='sympy' is none of 'kernel', 'torch', 'vjp'"):
        patterns.decay(torch.zeros(3), torch.zeros(3), derivative="sympy")
