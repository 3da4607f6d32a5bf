"""The patterns against truths to 50 digits, where they are hard to compute, and by hand."""

import mpmath
import pytest
import torch
from cases import FLOATS
from formulas import value_and_gradients

from workbench import patterns

WAYS = ("kernel", "torch", "vjp")
LARGE = [0.0, 1e-4, 0.5, 1.0, 3.0, 10.0, 17.0, 36.5, 80.25, 100.0, 700.0, 1000.0, 1400.0, 1e4]
POINTS = [*LARGE, *(-x for x in LARGE[1:])]


def true(function, *points):
    """The values of an mpmath function at floats, as float64."""
    with mpmath.workdps(50):
        return torch.tensor([float(function(*map(mpmath.mpf, at))) for at in zip(*points, strict=True)]).double()


def assert_true(found, truth, ulps):
    """To some ulps of each element, one number or one each; next to the smallest normal number, to some of that."""
    limits = torch.finfo(found.dtype)
    truth = truth.to(found.dtype).double()
    allowed = ulps * (limits.eps * truth.abs() + limits.tiny)
    error = torch.where(found.double() == truth, 0.0, (found.double() - truth).abs())
    assert (error <= allowed).all(), f"{(error / allowed).max()} times what is allowed, {found} for {truth}"


@pytest.fixture(autouse=True)
def _float64():
    """So that a list of floats becomes a tensor of all their digits."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def leaf(values, dtype):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_the_activation_from_minus_to_plus_ten_thousand(way, dtype):
    """eˣ overflows there, in float32 from 89 on; neither the value nor the gradient may notice."""
    x = leaf(POINTS, dtype)
    value, (gradient,) = value_and_gradients(patterns.activation, [x], derivative=way)

    def sigmoid(x):
        return 1 / (1 + mpmath.exp(-x))

    def f(x):
        return sigmoid(x) / mpmath.sqrt(1 + mpmath.exp(x))

    assert_true(value, true(f, x.tolist()), 16)
    assert_true(gradient, true(lambda x: f(x) * (1 - 1.5 * sigmoid(x)), x.tolist()), 16)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("way", ["torch", "vjp"])
def test_the_activations_second_derivative_stays_finite(way, dtype):
    x = leaf(POINTS, dtype)
    (gradient,) = torch.autograd.grad(patterns.activation(x, way).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)

    def f(x):
        s = 1 / (1 + mpmath.exp(-x))
        return s / mpmath.sqrt(1 + mpmath.exp(x)) * ((1 - 1.5 * s) ** 2 - 1.5 * s * (1 - s))

    # near x = 3 both 1 - 3/2 σ(x) and the difference of the two terms lose a factor of three
    assert_true(second, true(f, x.tolist()), 32)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_sine_squared_of_large_angles(way, dtype):
    x = leaf(POINTS, dtype)
    value, (gradient,) = value_and_gradients(patterns.sine_squared, [x], derivative=way)
    assert_true(value, true(lambda x: mpmath.sin(x) ** 2, x.tolist()), 4)
    assert_true(gradient, true(lambda x: mpmath.sin(2 * x), x.tolist()), 4)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_decay(way, dtype):
    y = [y for y in POINTS if y > -80]
    x, y = leaf([(-1) ** i * (0.5 + i) for i in range(len(y))], dtype), leaf(y, dtype)
    value, (by_x, by_y) = value_and_gradients(patterns.decay, [x, y], derivative=way)
    assert_true(value, true(lambda x, y: x * mpmath.exp(-y), x.tolist(), y.tolist()), 32)
    assert_true(by_x, true(lambda y: mpmath.exp(-y), y.tolist()), 32)
    assert_true(by_y, true(lambda x, y: -x * mpmath.exp(-y), x.tolist(), y.tolist()), 32)


def integral(x, a):
    return mpmath.sqrt(mpmath.pi / a) / 2 * mpmath.erf(mpmath.sqrt(a) * x)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("a", [1e-3, 0.7, 1.0, 50.0])
def test_the_integral_at_limits_of_any_size(a, dtype):
    """Also where it is much smaller, or the limit much farther, than the width of the integrand."""
    x = leaf(POINTS, dtype)
    a = leaf([a] * len(POINTS), dtype)
    value, (by_x, by_a) = value_and_gradients(patterns.gaussian_integral, [x, a])
    points = x.tolist(), a.tolist()
    assert_true(value, true(integral, *points), 8)
    # a x² is rounded twice before the exponential is taken of it, and each costs up to ½ a x² ulps
    ulps = 2 + a.double() * x.double() ** 2
    assert_true(by_x, true(lambda x, a: mpmath.exp(-a * x * x), *points), ulps.detach())

    def derivative(x, a):
        return x * mpmath.exp(-a * x * x) / (2 * a) - integral(x, a) / (2 * a)

    assert_true(by_a, true(derivative, *points), 16)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_integral_where_the_parameter_is_zero_or_negative(dtype):
    x, a = leaf([2.0, -2.0, 0.0, 2.0], dtype), leaf([0.0, 0.0, -1.0, -4.0], dtype)
    value, (_, by_a) = value_and_gradients(patterns.gaussian_integral, [x, a])
    expected = true(lambda x: mpmath.sqrt(mpmath.pi) / 4 * mpmath.erfi(2 * x), [2.0])
    assert_true(value, torch.cat([torch.tensor([2.0, -2.0, 0.0]), expected]), 128)
    assert_true(by_a[:3], torch.tensor([-8 / 3, 8 / 3, 0.0]), 8)


HALVES = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, -0.2, 7.0, -7.0, 8388609.0, 1e30, -1e30, float("inf"), float("nan")]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_rounding_is_torchs(dtype):
    """Halves go to the even side; so do the neighbours of a half on the side that they are on."""
    x = torch.tensor(HALVES, dtype=dtype)
    x = torch.cat([x, torch.nextafter(x, x + 1), torch.nextafter(x, x - 1), 5 * torch.randn(999, dtype=dtype)])
    x.requires_grad_()
    value = patterns.straight_through_round(x)
    torch.testing.assert_close(value, torch.round(x), rtol=0, atol=0, equal_nan=True)
    value.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1.0, 1e3])
def test_soft_rounding_at_temperatures(temperature, dtype):
    """Cold, it is rounding; hot, it is x; at every multiple of a half it is x at any temperature."""
    x = leaf([-1.3, -0.5, 0.0, 0.2, 0.49, 0.5, 1.0, 1.7, 100.25], dtype)
    value, (gradient,) = value_and_gradients(patterns.soft_round, [x], temperature=temperature)

    def f(x):
        middle = mpmath.floor(x) + mpmath.mpf(0.5)
        return middle + mpmath.tanh((x - middle) / temperature) / (2 * mpmath.tanh(0.5 / mpmath.mpf(temperature)))

    def derivative(x):
        r = (x - mpmath.floor(x) - mpmath.mpf(0.5)) / temperature
        return 1 / (2 * temperature * mpmath.tanh(0.5 / mpmath.mpf(temperature)) * mpmath.cosh(r) ** 2)

    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(value.double(), true(f, x.tolist()), rtol=2 * eps, atol=4 * eps)
    # a derivative that falls off as exp(-2 r / T) feels the rounding of r / T, and most where it is next to nothing
    torch.testing.assert_close(gradient.double(), true(derivative, x.tolist()), rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_penalty_by_hand(reduction):
    """|0.4 - 1| + ½ · 0.4 = 0.8, pulled up by the target and down by 0; |1.8 - 1| + ½ · 0.2 = 0.9, and the reverse."""
    x, target = leaf([0.4, 1.8], torch.float64), leaf([1.0, 1.0], torch.float64)
    value, (by_x, by_target) = value_and_gradients(patterns.rounding_penalty, [x, target], reduction=reduction)
    share = 0.5 if reduction == "mean" else 1.0
    each = torch.tensor([0.8, 0.9])
    torch.testing.assert_close(value, each if reduction == "none" else share * each.sum())
    torch.testing.assert_close(by_x, share * torch.tensor([-0.5, 0.5]))
    torch.testing.assert_close(by_target, share * torch.tensor([1.0, -1.0]))


def test_the_penalty_at_its_kinks_is_torchs():
    x, target = leaf([1.0, 0.5, 1.5, 0.3], torch.float64), leaf([1.0, 0.0, 0.0, 0.3], torch.float64)
    found = value_and_gradients(patterns.rounding_penalty, [x, target], weight=0.75)
    expected = value_and_gradients(patterns.references.rounding_penalty, [x, target], weight=0.75)
    torch.testing.assert_close(found, expected)


def test_the_positive_part_by_hand():
    """1 + 2 = 3; the mask (0, 1, 0, 1, 0) times the upstream gradient -2; zero and NaN as torch's relu has them."""
    x = leaf([-1.0, 1.0, 0.0, 2.0, -float("inf")], torch.float64)
    value, (gradient,) = value_and_gradients(patterns.positive_part, [x], torch.tensor(-2.0))
    assert value.item() == 3
    assert gradient.tolist() == [0, -2, 0, -2, 0]
    assert patterns.positive_part(torch.tensor([1.0, float("nan")])).isnan()


def test_the_positive_part_of_more_than_all_blocks_hold_at_once():
    """64 blocks of 256 threads, five rounds and a rest; float32 keeps its digits, as the sum is made in float64."""
    x = torch.rand(5 * 64 * 256 + 77, dtype=torch.float32) - 0.25
    exact = x.double().clamp_min(0).sum()
    assert patterns.positive_part(x).item() == exact.float().item()
    assert patterns.positive_part(x).dtype == torch.float32


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match=r"temperature=.* must be positive and finite"):
        patterns.soft_round(torch.zeros(3), temperature)


def test_a_tensor_that_would_get_no_gradient_is_refused():
    one = torch.ones((), requires_grad=True)
    with pytest.raises(ValueError, match=r"temperature is a tensor.*temperature.item\(\)"):
        patterns.soft_round(torch.zeros(3), one)
    with pytest.raises(ValueError, match=r"weight is a tensor.*weight.item\(\)"):
        patterns.rounding_penalty(torch.zeros(3), torch.zeros(3), one)


def test_another_reduction_is_refused():
    with pytest.raises(ValueError, match="'average' is none of"):
        patterns.rounding_penalty(torch.zeros(3), torch.zeros(3), reduction="average")
