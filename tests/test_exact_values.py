"""The truths that benchmarks/documents.py holds float64 against: exact, and quick to see what is wrong."""

import math
import sys
from pathlib import Path

import pytest
import torch

from workbench import losses, patterns

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from exact_values import CLAIMED, VALUES, errors

KNOWN = losses.ALL | patterns.ALL
EPS = torch.finfo(torch.float64).eps


def small(name):
    """The first nine rows of the example; weights of classes are not rows."""
    inputs = [x.detach() for x in KNOWN[name].example(torch.device("cpu"))]
    rows = inputs[0].shape[0]
    return [x[:9].requires_grad_(x.is_floating_point()) if len(x) == rows else x for x in inputs]


def test_every_loss_and_pattern_has_a_truth():
    assert all(any(name.startswith(base) for base in VALUES) for name in KNOWN)
    assert set(CLAIMED) == {name for name, pattern in patterns.ALL.items() if pattern.stand_in}


@pytest.mark.parametrize("name", KNOWN)
def test_torch_is_right_to_some_ulps(name):
    ((value, gradient),) = errors(name, small(name), [KNOWN[name].reference])
    assert value < 10
    assert gradient < 30


def test_by_hand():
    """sin² at π/6 as float32 has it; a value a few ulps too large, and a gradient twice as large, are found so."""
    x = torch.tensor([math.pi / 6], requires_grad=True)

    def larger(x):
        return torch.sin(x) ** 2 * (1 + 20 * EPS)

    def steeper(x):
        return 2 * torch.sin(x) ** 2 - torch.sin(x).detach() ** 2

    (value, gradient), (right, wrong) = errors("sine_squared_kernel", [x], [larger, steeper])
    assert value == pytest.approx(20, abs=2)
    assert gradient == pytest.approx(20, abs=2)
    assert right < 2
    assert wrong * EPS == pytest.approx(1)


def test_each_output_has_its_own_upstream_gradient():
    x, y = small("two_outputs")

    def one_forgotten(x, y):
        squares, product = patterns.references.two_outputs(x, y)
        return squares, product.detach() + 0 * x

    ((value, gradient),) = errors("two_outputs", [x, y], [one_forgotten])
    assert value < 2
    assert gradient > 1e10
