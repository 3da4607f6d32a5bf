"""The mistakes of the documents that this project grew out of, as they occur there, and what the audit says of each."""

import pytest
import torch
import torch.nn.functional as F
from wrong_gradients import values, with_backward

import workbench as wb

X, Y = values(50), values(50).flip(0) + 0.25
LOGITS, TARGET = values(3, 3), torch.tensor([2, 0, 2])
WEIGHTS = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64)


def squared_distance(x, y):
    return (x - y) ** 2


def total(x, y):
    return ((x - y) ** 2).sum()


def differenced(u, x, y):
    """Forward differences over 1e-6, whatever the dtype is, each from two values of the whole loss."""
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        moved = x.clone()
        moved[i] += 1e-6
        gradient[i] = (total(moved, y) - total(x, y)) / 1e-6
    return u * gradient


def weighted(logits):
    return F.cross_entropy(logits, TARGET, weight=WEIGHTS.to(logits))


def weights_by_target(logits):
    return F.cross_entropy(logits, TARGET, weight=WEIGHTS.to(logits)[TARGET])


def positive_sum(x):
    return x.clamp_min(0).sum()


def softened(x):
    return x.sigmoid() * (1 + x.exp()).rsqrt()


def sine_squared(x):
    return x.sin() ** 2


# function, reference, inputs, what the audit says
MISTAKES = {
    "000: the upstream gradient and the second input forgotten": (
        with_backward("a", squared_distance, lambda u, x, y: 2 * (x - y), lambda u, x, y: None).apply,
        squared_distance, (X, Y), ["the upstream gradient is ignored", "it is zero everywhere"],
    ),
    "000: forward differences over 1e-6 in float32": (
        with_backward("b", total, differenced, lambda u, x, y: -2 * u * (x - y)).apply,
        total, (X, Y), ["gradient by input 0, float32, against torch: 50 of 50 elements are wrong"],
    ),
    "001: a weight for each sample handed over as one for each class": (
        weights_by_target, weighted, (LOGITS,), ["value, float64 and float32, against torch: "],
    ),
    "002: a number for the gradient of a vector": (
        with_backward("c", positive_sum, lambda u, x: u).apply,
        positive_sum, (X[:5],), ["the backward raises RuntimeError", "got [] but expected shape compatible with [5]"],
    ),
    "003: a formula that is not the derivative": (
        with_backward(
            "d", softened, lambda u, x: u * (1 - x.sigmoid() ** 2) * 0.5 * (x.exp() + 1) ** -1.5 * (1 + 3 * x.exp())
        ).apply,
        softened, (X,), ["50 of 50 elements are wrong", "along a random direction"],
    ),
    "003: the cosine of the saved sine": (
        with_backward("e", sine_squared, lambda u, x: u * 2 * x.sin() * x.sin().cos()).apply,
        sine_squared, (X,), ["50 of 50 elements are wrong", "along a random direction"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_caught_and_told(mistake):
    function, reference, inputs, words = mistake
    audit = wb.audit(function, *inputs, reference=reference)
    assert not audit.passed
    said = " ".join(str(audit).split())
    for some in words:
        assert some in said


def test_how_wrong_differences_over_1e_6_are_in_float32():
    x, y = X.float().requires_grad_(), Y.float()
    truth = 2 * (x - y).detach()
    relative = (differenced(torch.ones(()), x.detach(), y) - truth).norm() / truth.norm()
    assert relative > 0.5


def test_more_samples_than_classes_is_what_the_function_itself_raises():
    with pytest.raises(RuntimeError, match="weight tensor should be defined"):
        wb.audit(lambda z: F.cross_entropy(z, TARGET.repeat(3), weight=WEIGHTS[TARGET.repeat(3)]), LOGITS.repeat(3, 1))
