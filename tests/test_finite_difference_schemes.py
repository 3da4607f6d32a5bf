"""finite_difference: every scheme is right to what theory allows, and says by how much it may be wrong."""

import math
import time

import pytest
import torch

from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.independence import independent_dimensions
from workbench.gradients.schemes import SCHEMES, chosen_step
from workbench.losses import references

FLOATS = [torch.float32, torch.float64]

# relative to the size of the gradient: the truncation and rounding that ε^(1/2), ε^(1/3) and ε^(1/5) balance, and a few
# ε; times ten for functions whose scale is not one
ALLOWED = {"forward": 1 / 2, "central": 2 / 3, "richardson": 4 / 5, "complex": 1}


def _target(n):
    return torch.randint(10, (n,), generator=torch.Generator().manual_seed(n))


FUNCTIONS = {
    "exp": (lambda n: torch.exp, ()),
    "sin": (lambda n: torch.sin, ()),
    "squared error": (lambda n: lambda x: references.squared_error(x, torch.ones_like(x), "none"), ()),
    "cross entropy": (lambda n: lambda z: references.cross_entropy(z, _target(n), z.new_ones(10), "none"), (10,)),
}


def _truth(function, x, upstream=None):
    x = x.double().requires_grad_()
    value = function(x)
    return torch.autograd.grad(value, x, torch.ones_like(value) if upstream is None else upstream.double())[0]


def _allowed(scheme, dtype):
    return 10 * torch.finfo(dtype).eps ** ALLOWED[scheme]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", [0, 1, 33, 257])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_scheme_against_the_truth(name, scheme, n, dtype):
    make, rest = FUNCTIONS[name]
    function = make(n)
    x = torch.randn(n, *rest, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    before = x.clone()
    found = finite_difference(function, x, scheme=scheme)
    (gradient,), (error,) = found.gradients, found.errors
    assert torch.equal(x, before)
    assert (gradient.shape, gradient.dtype, error.shape, error.dtype) == (x.shape, dtype, x.shape, dtype)
    assert found.scheme == scheme
    truth = _truth(function, x)
    size = truth.norm() + n**0.5  # all four functions have scale one, whatever their slope here
    assert (gradient - truth).norm() <= _allowed(scheme, dtype) * size
    assert error.norm() <= 20 * _allowed(scheme, dtype) * size
    if name != "cross entropy":  # which cancels inside itself
        assert ((gradient - truth).abs() <= error).all()


def test_differences_worked_by_hand():
    # x² at 3 with a step of 1/2: (3.5² - 3²) / ½ = 6.5; (3.5² - 2.5²) / 1 = 6; the next steps give 7 and 6
    x = torch.tensor([3.0])
    forward = finite_difference(torch.square, x, scheme="forward", step=0.5)
    assert forward.gradients[0].tolist() == [6.5]
    assert forward.step[0].tolist() == [0.5]
    assert forward.errors[0].item() == pytest.approx(2 * (7 - 6.5), rel=1e-3)
    assert finite_difference(torch.square, x, scheme="central", step=0.5).gradients[0].tolist() == [6.0]
    # x³ at 0 with steps of 1 and 1/2: central 1 and ¼, extrapolated (4 · ¼ - 1) / 3 = 0
    zero = torch.zeros(1, dtype=torch.float64)
    assert finite_difference(lambda x: x**3, zero, scheme="central", step=1.0).gradients[0].tolist() == [1.0]
    assert finite_difference(lambda x: x**3, zero, scheme="richardson", step=1.0).gradients[0].tolist() == [0.0]
    # Im (1 + ih)³ / h = 3 - h²
    one = torch.ones(1, dtype=torch.float64)
    cube = finite_difference(lambda x: x * x * x, one, scheme="complex", step=0.5)
    assert cube.gradients[0].tolist() == [2.75]
    assert cube.errors[0].item() == pytest.approx(2.75 - (3 - 1.5**2), rel=1e-12)


def test_steps_are_those_of_theory():
    x = torch.tensor([0.0, -1.0, 4.0, -100.0], dtype=torch.float64)
    epsilon = 2.0**-52
    for scheme, root in (("forward", 2), ("central", 3), ("richardson", 5)):
        expected = epsilon ** (1 / root) * torch.tensor([1.0, 1.0, 2.0, 10.0], dtype=torch.float64)
        torch.testing.assert_close(chosen_step(x, scheme), expected, rtol=1e-14, atol=0)
        (step,) = finite_difference(torch.sin, x, scheme=scheme).step
        assert torch.equal((x + step) - x, step)
        torch.testing.assert_close(step, expected, rtol=1e-6, atol=0)
    # a step spans sixteen numbers at least: 16 · 2⁻²³ · 2³⁰ = 2048
    assert chosen_step(torch.tensor([2.0**30]), "forward").tolist() == [2048.0]


def test_complex_steps_are_powers_of_two():
    assert chosen_step(torch.ones(1, dtype=torch.float32), "complex").item() == 2.0**-63
    assert chosen_step(torch.ones(1, dtype=torch.float64), "complex").item() == 2.0**-511


@pytest.mark.parametrize(
    ("scheme", "bare", "bounded"),
    [("forward", (2, 51), (3, 101)), ("central", (2, 100), (5, 201)), ("richardson", (4, 200), (7, 301))],
)
def test_what_a_gradient_costs(scheme, bare, bounded):
    x = torch.linspace(0.1, 1, 50)

    def count(function, **options):
        calls = []
        found = finite_difference(lambda x: calls.append(1) or function(x), x, scheme=scheme, **options)
        assert found.evaluations == len(calls)
        return len(calls)

    assert count(torch.square, independent=1, errors=False) == bare[0]
    assert count(lambda x: x.square().sum(), independent=0, errors=False) == bare[1]
    assert count(torch.square, independent=1) == bounded[0]
    assert count(lambda x: x.square().sum(), independent=0) == bounded[1]
    # found out: the value as it is, and 6 bits of the number of an element, each set and not set
    assert count(torch.square) == bounded[0] + 12 + (bounded[0] % 2 == 0)
    assert count(lambda x: x.square().sum()) == bounded[1]


def test_a_complex_difference_costs_one_evaluation():
    x = torch.rand(50)
    assert finite_difference(torch.square, x, scheme="complex", independent=1, errors=False).evaluations == 1
    along = finite_difference(torch.sin, x, scheme="complex", direction=[torch.ones_like(x)], errors=False)
    assert along.evaluations == 1
    assert along.value == pytest.approx(float(x.double().cos().sum()), rel=1e-6)


@pytest.mark.parametrize(("scheme", "count"), [("forward", 2), ("central", 2), ("richardson", 4)])
def test_a_direction_takes_two_evaluations(scheme, count):
    x, y = torch.rand(2, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v, w = torch.randn(2, 200, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = finite_difference(lambda x, y: (x * y).sin().sum(), x, y, scheme=scheme, direction=[v, w], errors=False)
    assert found.evaluations == count
    assert found.error is None
    truth = float(((x * y).cos() * (y * v + x * w)).sum())
    assert found.value == pytest.approx(truth, rel=_allowed(scheme, torch.float64))


@pytest.mark.parametrize("scheme", ["central", "richardson"])
@pytest.mark.parametrize("beside", [0.0, 0.1, 0.3, 0.5, 0.9, -0.4])
def test_a_kink_is_noticed(scheme, beside):
    step = 1 / 64
    x = torch.tensor([beside * step, 2.0], dtype=torch.float64)
    found = finite_difference(torch.abs, x, scheme=scheme, step=step)
    slope = math.copysign(1.0, beside) if beside else 0.0
    (bound,), (gradient,) = found.errors, found.gradients
    assert abs(gradient[0].item() - slope) <= bound[0].item() + 1e-12
    assert bound[0] > 0.05
    assert gradient[1].item() == pytest.approx(1.0, rel=1e-12)
    assert bound[1] < 1e-10


def test_a_forward_difference_gives_the_slope_to_the_right_of_a_kink():
    assert finite_difference(torch.abs, torch.zeros(1), scheme="forward").gradients[0].tolist() == [1.0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_upstream_strides_and_inputs_that_do_not_move(scheme):
    x = torch.rand(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).T[::2].requires_grad_()
    k = torch.arange(6) % 3
    upstream = torch.linspace(-2, 2, 18, dtype=torch.float64).view(3, 6)
    other = torch.full((3, 6), 3.0, dtype=torch.float64)
    found = finite_difference(lambda x, k, y: x * x * y + k, x, k, other, scheme=scheme, upstream=upstream)
    assert len(found.gradients) == 1  # the others do not require grad
    torch.testing.assert_close(
        found.gradients[0], (6 * x * upstream).detach(), rtol=_allowed(scheme, torch.float64), atol=1e-7
    )
    assert x.grad is None


def test_every_floating_point_input_is_differentiated_when_none_requires_grad():
    x, y, n = torch.tensor([2.0, 3.0]), torch.tensor(5.0), torch.tensor([1, 2])
    found = finite_difference(lambda x, y, n: (x * y * n).sum(), x, y, n, scheme="complex")
    assert [g.tolist() for g in found.gradients] == [[5.0, 10.0], 8.0]


def test_what_does_not_move_cancels_exactly():
    # a sum of differences and not a difference of sums: 1e8 beside it does not drown x²
    x = torch.tensor([1e4, 1.0, 0.5])
    (gradient,) = finite_difference(torch.square, x, independent=0).gradients
    assert gradient[1:].tolist() == pytest.approx([2.0, 1.0], rel=1e-4)


INDEPENDENT = {
    "element-wise": (torch.exp, 2),
    "softmax of rows": (lambda x: torch.softmax(x, 1), 1),
    "sum of rows": (lambda x: x.sum(1), 1),
    "sum of columns": (lambda x: x.sum(0), 0),
    "sum": (torch.sum, 0),
    "one pair": (lambda x: x + torch.nn.functional.pad(x[6:7, 2:3], (2, 4, 3, 3)), 0),
    "one pair in a row": (lambda x: x + torch.nn.functional.pad(x[3:4, 2:3], (6, 0, 3, 3)), 1),
    "NaN": (lambda x: x * math.nan, 2),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_what_is_treated_apart_is_found_out(name):
    function, expected = INDEPENDENT[name]
    x = torch.rand(7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    assert independent_dimensions(function, x, x + 1e-3, function(x)) == expected
    if name != "NaN":
        torch.testing.assert_close(finite_difference(function, x).gradients[0], _truth(function, x))


def test_the_documents_difference_beside_each_scheme():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 50, generator=generator)

    def loss(x, y):
        return ((x - y) ** 2).sum()

    truth = 2 * (x.double() - y.double())
    relative = {}
    literal = torch.empty_like(x)
    for i in range(50):
        plus = x.clone()
        plus[i] += 1e-6
        literal[i] = (loss(plus, y) - loss(x, y)) / 1e-6
    x.requires_grad_()
    found = {scheme: finite_difference(loss, x, y, scheme=scheme).gradients[0] for scheme in SCHEMES}
    relative = {scheme: float((g - truth).norm() / truth.norm()) for scheme, g in found.items()}
    assert float((literal - truth).norm() / truth.norm()) > 0.5
    assert relative["complex"] < 1e-6 < relative["richardson"] < relative["central"] < relative["forward"] < 0.05


@pytest.mark.parametrize("step", [0.0, -1e-3, math.nan, math.inf, "small"])
def test_a_step_that_is_not_positive_is_refused(step):
    with pytest.raises(ValueError, match="is not a positive number; leave it out"):
        finite_difference(torch.exp, torch.ones(3), step=step)


def test_a_step_that_moves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"step=1e-06 does not move 100.0 in torch.float32: the next number is 1e-05"):
        finite_difference(torch.exp, torch.tensor([1.0, 100.0]), scheme="forward", step=1e-6)


REFUSED = {
    "no scheme": (dict(scheme="backward"), "'backward' is none of 'forward', 'central'"),
    "upstream": (dict(upstream=torch.ones(2)), r"upstream has shape \(2,\) and the function's value \(3,\)"),
    "independent": (dict(independent=2), "independent=2 is not a number of dimensions"),
    "direction": (dict(direction=[torch.ones(2)]), r"direction\[0\] has shape \(2,\), and input 0 has shape \(3,\)"),
    "directions": (dict(direction=[]), "direction has 0 entries for 1 inputs"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_do_not_fit_are_refused(name):
    options, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        finite_difference(torch.exp, torch.ones(3), **options)


def test_functions_and_inputs_that_do_not_fit_are_refused():
    x = torch.ones(3)
    with pytest.raises(ValueError, match="at least one floating-point tensor"):
        finite_difference(torch.exp, torch.arange(3))
    with pytest.raises(ValueError, match="this one returned tuple"):
        finite_difference(lambda x: (x, x), x)
    with pytest.raises(ValueError, match=r"output that begins with \(3,\), and the function returned shape \(\)"):
        finite_difference(torch.sum, x, independent=1)


def test_what_is_not_analytic_is_refused_for_complex_steps():
    x = torch.ones(3)
    with pytest.raises(ValueError, match="abs is not analytic: it drops or turns the imaginary part"):
        finite_difference(torch.abs, x, scheme="complex")
    for part in (lambda x: x * x.abs(), lambda x: x * x.conj(), lambda x: x + x.real, lambda x: x * x.norm()):
        with pytest.raises(ValueError, match="is not analytic"):
            finite_difference(part, x, scheme="complex")
    with pytest.raises(ValueError, match="returned real numbers for complex ones"):
        finite_difference(lambda x: torch.ones(3), x, scheme="complex")
    with pytest.raises(ValueError, match="at complex numbers, and this one raised NotImplementedError"):
        finite_difference(lambda x: x.clamp(min=0), x, scheme="complex")
    with pytest.raises(ValueError, match=r"needs torch\.float32 or torch\.float64"):
        finite_difference(torch.exp, x.half(), scheme="complex")


def test_a_progress_bar_appears_when_it_takes_long(capsys, monkeypatch):
    def slow(x):
        time.sleep(0.01)
        return x.sum()

    finite_difference(slow, torch.ones(10))
    assert "finite difference" not in capsys.readouterr().err
    monkeypatch.setattr("workbench.gradients.finite_difference.PATIENCE", 0.05)
    finite_difference(slow, torch.ones(10))
    assert "finite difference: " in capsys.readouterr().err


def test_no_progress_bar_of_one_step(capsys, monkeypatch):
    def slow(x):
        time.sleep(0.1)
        return x.exp()

    monkeypatch.setattr("workbench.gradients.finite_difference.PATIENCE", 0.05)
    finite_difference(slow, torch.ones(10), independent=1)
    assert capsys.readouterr().err == ""
