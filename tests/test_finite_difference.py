"""A derivative from values alone is right to within the error that it states."""

import math

import pytest
import torch

from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.step_sweep import step_sweep

FUNCTIONS = {
    "x²": (torch.square, lambda x: 2 * x),
    "exp": (torch.exp, torch.exp),
    "sin": (torch.sin, torch.cos),
    "sqrt": (torch.sqrt, lambda x: 0.5 / x.sqrt()),
    "constant": (lambda x: 0 * x + 3, torch.zeros_like),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("function", "derivative"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_error_bounds_the_error(function, derivative, dtype):
    x = torch.linspace(0.5, 3.0, 11, dtype=dtype)
    direction = torch.linspace(-1.0, 1.0, 11, dtype=dtype)
    found = finite_difference(function, x, scheme="richardson", direction=[direction])
    truth = float((derivative(x.double()) * direction.double()).sum())
    assert abs(found.value - truth) <= found.error
    assert found.error < (1e-5 if dtype == torch.float64 else 1e-1)


def test_an_extrapolated_difference_is_good_to_twelve_digits():
    x = torch.linspace(0.5, 3.0, 11, dtype=torch.float64)
    found = finite_difference(torch.exp, x, scheme="richardson", direction=[torch.ones_like(x)])
    assert found.value == pytest.approx(float(x.exp().sum()), rel=1e-12)


def test_only_the_inputs_with_a_direction_move():
    x, y = torch.tensor([2.0, 3.0], dtype=torch.float64), torch.tensor([5.0, 7.0], dtype=torch.float64)
    found = finite_difference(
        lambda x, y: x * y, x, y, scheme="richardson", direction=[None, torch.tensor([1.0, 0.0], dtype=torch.float64)]
    )
    assert found.value == pytest.approx(2.0, rel=1e-10)


def test_a_sweep_is_best_at_a_step_in_the_middle():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    steps = [10.0**-k for k in range(15)]
    sweep = step_sweep(lambda x: x.exp().sum(), x, gradient=[x.exp()], steps=steps)
    assert sweep.steps == tuple(steps)
    assert set(sweep.errors) == {"float32", "float64"}
    for name, digits in (("float32", 23), ("float64", 52)):
        errors = sweep.errors[name]
        best = steps[errors.index(min(errors))]
        assert 0.01 < best / 2.0 ** (-digits / 3) < 100
        assert min(errors) < 1e-3 * min(errors[0], errors[-1])
    assert math.isclose(sweep.errors["float64"][0], math.sinh(1) - 1, rel_tol=1e-12)
