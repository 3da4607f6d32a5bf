"""The losses under torch.func: gradients, batches and Jacobians as the references have them, and refusals in words."""

import functools

import pytest
import torch
from launches import count_launches
from torch.func import grad, jacfwd, jacrev, vmap

from workbench import losses
from workbench.losses import references

B, N, CLASSES = 3, 7, 5
SUM = {"reduction": "sum"}


def numbers(count):
    """Tensors [B, N], away from 0, where the reference of adaptive_robust is 0/0."""
    return [torch.rand(B, N, dtype=torch.float64) + 0.5 for _ in range(count)]


def rows():
    logits = torch.randn(B, N, CLASSES, dtype=torch.float64)
    target = torch.randint(CLASSES, (B, N))
    target[1, 2] = -100
    return [logits, target, torch.rand(B, CLASSES, dtype=torch.float64), torch.rand(B, N, dtype=torch.float64)]


def cross_entropy(function, logits, target, weight, sample_weight, **options):
    return function(logits, target, weight, sample_weight=sample_weight, **options)


LOSSES = {
    "squared_error": ("squared_error", lambda: numbers(2), 2, {}),
    "squared_error sum": ("squared_error", lambda: numbers(2), 2, SUM),
    "squared_distance": ("squared_distance", lambda: numbers(2), 2, {}),
    "squared_distance sum": ("squared_distance", lambda: numbers(2), 2, SUM),
    "squared_distance in order": ("squared_distance", lambda: numbers(2), 2, {"deterministic": True}),
    "adaptive_robust": ("adaptive_robust", lambda: numbers(3), 3, {}),
    "cross_entropy": ("cross_entropy", rows, 1, {}),
    "cross_entropy smoothed": ("cross_entropy", rows, 1, {"label_smoothing": 0.1, **SUM}),
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES)
def loss(request):
    """The loss, its reference, batched inputs, and the numbers of those that are differentiated by."""
    name, inputs, moving, options = request.param
    functions = []
    for owner in (losses, references):
        function = getattr(owner, name)
        if name == "cross_entropy":
            function = functools.partial(cross_entropy, function)
        known = {key: value for key, value in options.items() if owner is losses or key != "deterministic"}
        functions.append(functools.partial(function, **known))
    return *functions, inputs(), tuple(range(moving))


def in_dims_of(inputs):
    """A batch of every input, of the first alone, and of all but one."""
    yield (0,) * len(inputs)
    for batched in ({0}, *({*range(len(inputs))} - {k} for k in range(len(inputs)))):
        yield tuple(0 if k in batched else None for k in range(len(inputs)))


def test_grad_is_the_references(loss):
    function, reference, inputs, moving = loss
    one = [x[1] for x in inputs]
    torch.testing.assert_close(grad(function, moving)(*one), grad(reference, moving)(*one))


def test_vmap_is_the_references(loss):
    function, reference, inputs, _ = loss
    for in_dims in in_dims_of(inputs):
        chosen = [x if d == 0 else x[0] for x, d in zip(inputs, in_dims, strict=True)]
        found, expected = vmap(function, in_dims)(*chosen), vmap(reference, in_dims)(*chosen)
        torch.testing.assert_close(found, expected)


def test_the_gradient_of_each_sample(loss):
    function, reference, inputs, moving = loss
    for in_dims in in_dims_of(inputs):
        chosen = [x if d == 0 else x[0] for x, d in zip(inputs, in_dims, strict=True)]
        found = vmap(grad(function, moving), in_dims)(*chosen)
        torch.testing.assert_close(found, vmap(grad(reference, moving), in_dims)(*chosen))


def test_a_batch_in_another_dimension_and_a_batch_of_batches(loss):
    function, reference, inputs, moving = loss
    last = [x.movedim(0, -1) for x in inputs]
    torch.testing.assert_close(vmap(grad(function, moving), -1)(*last), vmap(grad(reference, moving), -1)(*last))
    nested = [torch.stack([x, x.flip(0)]) for x in inputs]
    twice = vmap(vmap(grad(function, moving)))(*nested)
    torch.testing.assert_close(twice, vmap(vmap(grad(reference, moving)))(*nested))


def test_jacrev_of_each_element(loss):
    function, reference, inputs, moving = loss
    one = [x[1] for x in inputs]
    if "distance" not in str(function):
        function, reference = (functools.partial(f, reduction="none") for f in (function, reference))
    torch.testing.assert_close(jacrev(function, moving)(*one), jacrev(reference, moving)(*one))


def test_a_second_derivative_is_refused(loss):
    function, _, inputs, _ = loss
    first, *others = (x[1] for x in inputs)
    for of in (grad, jacrev):
        with pytest.raises(RuntimeError, match=r"has no second derivative: its gradient comes from a kernel"):
            grad(lambda x, of=of: of(function)(x, *others).sum())(first)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own, inside jacfwd
def test_forward_mode_is_refused_and_not_wrong(loss):
    function, _, inputs, _ = loss
    first, *others = (x[1] for x in inputs)
    with pytest.raises(NotImplementedError, match="implement the jvp"):
        jacfwd(lambda x: function(x, *others))(first)


def test_autograd_through_vmap(loss):
    function, reference, inputs, _ = loss
    first, *others = inputs
    first.requires_grad_()
    found, expected = (torch.autograd.grad(vmap(f)(first, *others).sum(), first) for f in (function, reference))
    torch.testing.assert_close(found, expected)


LAUNCHED = {
    "squared_error": (1, 2),
    "squared_distance": (B, 2),
    "adaptive_robust": (1, 3),
    "cross_entropy": (B, B),
}


@pytest.mark.parametrize("name", LAUNCHED)
def test_how_often_a_batch_launches(name, monkeypatch):
    """Once for element-wise losses; one by one for a sum in the kernel, and for class weights that differ."""
    _, make, moving, _ = LOSSES[name]
    function, inputs = getattr(losses, name), make()
    launched = count_launches(monkeypatch)
    vmap(function)(*inputs[:3])
    forward, backward = LAUNCHED[name]
    assert len(launched) == forward
    vmap(grad(function, tuple(range(moving))))(*inputs[:3])
    assert len(launched) == 2 * forward + backward


@pytest.mark.parametrize("weighted", [False, True], ids=["classes alike", "classes weighted"])
def test_rows_of_a_batch_are_one_launch(weighted, monkeypatch):
    logits, target, weight, sample_weight = rows()
    function = functools.partial(losses.cross_entropy, weight=weight[0] if weighted else None)
    launched = count_launches(monkeypatch)
    vmap(grad(lambda z, t, s: function(z, t, sample_weight=s)))(logits, target, sample_weight)
    vmap(grad(function))(logits, target)
    assert launched == ["cross_entropy_kernel", "cross_entropy_gradient_kernel"] * 2


def test_a_batch_of_none():
    for function, inputs in ((losses.squared_error, numbers(2)), (losses.cross_entropy, rows()[:2])):
        assert vmap(grad(function))(*(x[:0] for x in inputs)).shape == inputs[0][:0].shape
    with pytest.raises(ValueError, match="vmap over a batch of size 0"):
        vmap(losses.squared_distance)(*(x[:0] for x in numbers(2)))


def test_what_is_refused_outside_is_refused_inside():
    logits, target, weight, _ = rows()
    with pytest.raises(IndexError, match=r"is 99, and the logits have classes 0 to 4"):
        vmap(losses.cross_entropy)(logits, target.masked_fill(target == 0, 99))
    with pytest.raises(ValueError, match=r"weight requires grad.*weight.detach\(\)"):
        grad(losses.cross_entropy, 2)(logits[0], target[0], weight[0])
    x, alpha = numbers(2)
    with pytest.raises(ValueError, match="gives a gradient for x alone"):
        grad(functools.partial(losses.adaptive_robust, by_differences=True), 1)(x, alpha)
    with pytest.raises(ValueError, match=r"x has shape \(7,\) and y has shape \(3, 7\)"):
        vmap(losses.squared_error, (0, None))(x, x)


def test_by_differences_too():
    x, alpha, scale = numbers(3)
    found, exact = (
        vmap(grad(functools.partial(losses.adaptive_robust, by_differences=b)))(x, alpha, scale) for b in (True, False)
    )
    torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-9)
