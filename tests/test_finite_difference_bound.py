"""The stated error of a difference bounds its error, for functions whose own error is measured against 40 digits."""

import itertools
import math

import mpmath
import pytest
import torch

from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.schemes import SCHEMES, difference

FLOATS = [torch.float32, torch.float64]
REAL = [scheme for scheme in SCHEMES if scheme != "complex"]
THIRD = float(torch.tensor(1.3))
"""A number of float32, so that x - THIRD is the same function in every dtype."""


def expanded(x):
    """(x - 1)⁷ multiplied out, which cancels all its digits near 1."""
    return ((((((x - 7) * x + 21) * x - 35) * x + 35) * x - 21) * x + 7) * x - 1


# in torch, in mpmath, and between which x; those that cancel inside themselves say what
FUNCTIONS = {
    "log(1 + exp x), naive": (lambda x: (1 + x.exp()).log(), lambda x: mpmath.log(1 + mpmath.exp(x)), -10, 10),
    "(x - 1)⁷, multiplied out": (expanded, expanded, 0.9, 1.1),
    "x³ - x near 1": (lambda x: x**3 - x, lambda x: x**3 - x, 0.9, 1.1),
    "1 - cos x near 0": (lambda x: 1 - x.cos(), lambda x: 1 - mpmath.cos(x), 0.01, 0.3),
    "x² - 10⁴ near 100": (lambda x: x * x - 10000, lambda x: x * x - 10000, 99, 101),
    "√(x² + 1) - x": (lambda x: (x * x + 1).sqrt() - x, lambda x: mpmath.sqrt(x * x + 1) - x, 5, 30),
    "tan x towards its pole": (torch.tan, mpmath.tan, 0.9, 1.3),
    "1 / (x - 1)": (lambda x: 1 / (x - 1), lambda x: 1 / (x - 1), 1.5, 3),
    "exp(sin 3x)": (lambda x: (3 * x).sin().exp(), lambda x: mpmath.exp(mpmath.sin(3 * x)), -2, 2),
    "√x": (torch.sqrt, mpmath.sqrt, 0.5, 100),
    "atan x": (torch.atan, mpmath.atan, -3, 3),
    "x² tanh x": (lambda x: x * x * x.tanh(), lambda x: x * x * mpmath.tanh(x), -3, 3),
    "exp x": (torch.exp, mpmath.exp, -10, 10),
    "sin x / x": (lambda x: x.sin() / x, lambda x: mpmath.sin(x) / x, 0.1, 20),
    "(x - 1.3)² at 1.3": (lambda x: (x - THIRD) ** 2, lambda x: (x - mpmath.mpf(THIRD)) ** 2, THIRD, THIRD + 1e-6),
    "log x near 1": (torch.log, mpmath.log, 0.5, 1.5),
}


class Measured:
    """A function that keeps in ``ulps`` how wrong its values were, in ε of their size."""

    def __init__(self, function, exact):
        self.function, self.exact, self.ulps = function, exact, 0.0

    def __call__(self, x):
        values = self.function(x)
        if not values.is_complex():
            for point, value in zip(x.tolist(), values.tolist(), strict=True):
                truth = self.exact(mpmath.mpf(point))
                if value != truth:
                    wrong = abs((value - truth) / truth) / torch.finfo(x.dtype).eps
                    self.ulps = max(self.ulps, float(wrong))
        return values


def differenced(function, exact, x, scheme, **options):
    """The errors of a difference, their stated bounds given the function's own error, and the slopes themselves."""
    with mpmath.workdps(40):
        measured = Measured(function, exact)
        finite_difference(measured, x, scheme=scheme, independent=1, **options)
        truth = [float(mpmath.diff(exact, mpmath.mpf(point))) for point in x.tolist()]
    found = finite_difference(function, x, scheme=scheme, independent=1, ulps=measured.ulps, **options)
    truth = torch.tensor(truth, dtype=torch.float64)
    return (found.gradients[0] - truth).abs(), found.errors[0].double(), truth, measured.ulps


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("scheme", REAL)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bound_holds_given_the_functions_own_error(name, scheme, dtype):
    function, exact, low, high = FUNCTIONS[name]
    generator = torch.Generator().manual_seed(0)
    x = low + (high - low) * torch.rand(16, generator=generator, dtype=torch.float64)
    x[0] = low
    wrong, bound, _, _ = differenced(function, exact, x.to(dtype), scheme)
    assert (wrong <= bound).all()


def mixed(one, two, three, a, b, c):
    return lambda x: a * one(x) + b * two(x) * three(x) + c * one(two(x / 2))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_bound_holds_over_random_functions_and_is_not_absurd(scheme, dtype):
    generator = torch.Generator().manual_seed(3)
    parts = [
        (torch.sin, mpmath.sin),
        (torch.exp, mpmath.exp),
        (torch.tanh, mpmath.tanh),
        (lambda x: x * x, lambda x: x * x),
        (lambda x: 1 / (2 + torch.sin(x)), lambda x: 1 / (2 + mpmath.sin(x))),
        (lambda x: x**3 - x, lambda x: x**3 - x),
    ]
    loose = []
    for _ in range(30):
        chosen = [parts[int(k)] for k in torch.randint(len(parts), (3,), generator=generator)]
        a, b, c = torch.randn(3, generator=generator).tolist()
        function, exact = (mixed(*kind, a, b, c) for kind in zip(*chosen, strict=True))
        x = torch.randn(10, generator=generator, dtype=torch.float64).to(dtype)
        wrong, bound, truth, ulps = differenced(function, exact, x, scheme)
        assert (wrong <= bound).all()
        if ulps < 4:
            loose.append(float(bound.norm() / truth.norm()))
    order = {"forward": 1 / 2, "central": 2 / 3, "richardson": 4 / 5, "complex": 1}[scheme]
    assert len(loose) > 5
    assert sorted(loose)[len(loose) // 2] < 100 * torch.finfo(dtype).eps ** order


def test_without_the_functions_own_error_nothing_is_bounded_that_cancels():
    function, exact, _, _ = FUNCTIONS["(x - 1)⁷, multiplied out"]
    x = torch.linspace(0.9, 1.1, 16)
    wrong, bound, _, ulps = differenced(function, exact, x, "central")
    assert ulps > 1e4
    assert (wrong <= bound).all()
    unaware = finite_difference(function, x, scheme="central").errors[0]
    assert (wrong > unaware).any()


LOOKS_AT = {"forward": (0, 1, 2), "central": (-2, -1, 0, 1, 2), "richardson": (-2, -1, -0.5, 0, 0.5, 1, 2)}
TRUNCATED = {"forward": 2, "central": 3, "richardson": 5}
"""The least power of x that a scheme does not difference exactly."""


@pytest.mark.parametrize("scheme", REAL)
def test_the_bound_holds_against_every_way_to_be_wrong_by_so_many_ulps(scheme):
    # 1 + c xᵏ at 0, for truncation of every size, with each value wrong by as much as is allowed, up or down or not
    epsilon, ulps = 2.0**-52, 1024
    signs = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=len(LOOKS_AT[scheme]))), dtype=torch.float64)
    curves = torch.arange(-4096, 4097, 512, dtype=torch.float64)

    def sample(multiple):
        wrong = ulps * signs[:, LOOKS_AT[scheme].index(multiple), None]
        values = 1 + epsilon * (curves * multiple ** TRUNCATED[scheme] + wrong)
        return values.reshape(-1), torch.full((values.numel(),), multiple / 64, dtype=torch.float64)

    answer, bound = difference(sample, scheme, epsilon, True, ulps)
    assert (answer.abs() <= bound).all()
    assert (answer.abs() / bound).max() > 0.75  # and no bound that is smaller by a quarter would hold


@pytest.mark.parametrize("scheme", REAL)
def test_values_without_error_still_leave_the_roundings_of_the_difference(scheme):
    def sample(multiple):
        return torch.tensor([multiple], dtype=torch.float64), torch.tensor([3.0 * multiple], dtype=torch.float64)

    answer, bound = difference(sample, scheme, 2.0**-52, True, 0)
    with mpmath.workdps(40):
        wrong = float(abs(mpmath.mpf(float(answer)) - mpmath.mpf(1) / 3))
    assert 0 < wrong <= float(bound) < 16 * 2.0**-52


@pytest.mark.parametrize(
    ("scheme", "expected"), [("forward", 2 + 3 / 1), ("central", 1 + 1.5 / 3), ("richardson", 3 + 4.5 / 15)]
)
def test_the_rounding_of_values_worked_by_hand(scheme, expected):
    # two values over h; one over h; (4 · 2 + 1) / 3 over h; and half of each at twice the step, over growth less one
    def one(multiple):
        return torch.ones(1, dtype=torch.float64), torch.tensor([multiple / 4], dtype=torch.float64)

    _, bound = difference(one, scheme, 2.0**-52, True, 8)
    assert float(bound) == pytest.approx(expected * 8 * 2.0**-52 * 4, rel=1e-12)


@pytest.mark.parametrize("scheme", ["central", "richardson"])
def test_a_kink_worked_by_hand(scheme):
    def absolute(multiple):
        return torch.tensor([abs(multiple)], dtype=torch.float64), torch.tensor([multiple], dtype=torch.float64)

    answer, bound = difference(absolute, scheme, 0.0, True, 0)
    assert (float(answer), float(bound)) == (0.0, pytest.approx(2.0, rel=1e-12))  # the slope jumps by 2


@pytest.mark.parametrize("scheme", ["central", "richardson"])
def test_sides_that_came_out_unequal_are_allowed_for(scheme):
    # x² at 0, all points rounded to the right by a thousandth: neither another step nor the bend tells
    def square(multiple):
        x = torch.tensor([float(multiple) and multiple + 1e-3], dtype=torch.float64)
        return x * x, x

    answer, bound = difference(square, scheme, 0.0, True, 0)
    assert float(answer) == pytest.approx(2e-3, rel=1e-9)
    assert float(answer) <= float(bound) * (1 + 1e-9) < 5e-3


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("scheme", REAL)
def test_the_bound_along_a_direction_holds_where_the_derivative_cancels(scheme, dtype):
    # √x from 10 to 10⁴, along directions that sum up to a derivative near zero: what the points lose does not cancel
    generator = torch.Generator().manual_seed(4)
    x = (10 ** (1 + 3 * torch.rand(50, generator=generator, dtype=torch.float64))).to(dtype)
    slope = 0.5 / x.double().sqrt()
    inside = 0
    for _ in range(20):
        v = torch.randn(50, generator=generator, dtype=torch.float64)
        v -= slope * (slope @ v) / (slope @ slope)
        v = v.to(dtype)
        found = finite_difference(torch.sqrt, x, scheme=scheme, direction=[v], ulps=0.5)
        wrong = abs(found.value - math.fsum((slope * v.double()).tolist()))
        assert wrong <= found.error
        inside += wrong <= 0.01 * found.error
    assert inside < 20


@pytest.mark.parametrize("scheme", REAL)
def test_what_rounding_does_to_the_points_of_a_direction_is_allowed_for(scheme):
    # x - 1000 near 1000 loses nothing itself, so that all of the error is that of the moved points
    x = torch.tensor([1000.1, 1000.2, 999.9])
    for v in ([1.0, 0.0, 0.0], [1.0, -1.0, 0.3], [0.7, 0.7, -1.0]):
        v = torch.tensor(v)
        found = finite_difference(lambda x: x - 1000, x, scheme=scheme, direction=[v], ulps=0)
        wrong = abs(found.value - float(v.double().sum()))
        assert 1e-9 < wrong <= found.error < 1e-1


def test_the_longest_element_and_the_least_precise_dtype_set_the_step_of_a_direction():
    x, y = torch.tensor([4.0, 1.0]), torch.tensor([1.0, 1.0], dtype=torch.float64)
    v, w = torch.tensor([100.0, 1.0]), torch.tensor([1.0, 1.0], dtype=torch.float64)
    found = finite_difference(lambda x, y: x * y, x, y, direction=[v, w])
    assert found.step == pytest.approx(2 * (2.0**-23) ** (1 / 3) / 100, rel=1e-6)


def test_a_negative_error_of_the_function_is_refused():
    with pytest.raises(ValueError, match=r"ulps=-1 says how wrong the function's value may be; it is zero or more"):
        finite_difference(torch.exp, torch.ones(3), ulps=-1)


def test_the_product_with_the_upstream_gradient_is_rounded_too():
    one = finite_difference(torch.ones_like, torch.ones(1), scheme="forward", ulps=1)
    weighted = finite_difference(torch.ones_like, torch.ones(1), scheme="forward", ulps=1, upstream=torch.ones(1))
    assert weighted.errors[0].item() == pytest.approx(1.5 * one.errors[0].item(), rel=1e-6)
