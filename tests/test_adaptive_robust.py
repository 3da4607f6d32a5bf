"""adaptive_robust: its named cases, beside its formula, near the shapes where that is 0/0, and by differences."""

import math

import formulas
import mpmath
import pytest
import torch
from cases import FLOATS, SHAPES
from formulas import assert_as_formula, value_and_gradients

import workbench as wb
from workbench.losses import adaptive_robust, references

INF = math.inf
TINY = {torch.float32: 1e-36, torch.float64: 1e-90}
"""Below this, numbers of the dtype have few digits, and differences of 100 digits none."""

ALPHAS = [-INF, -1e30, -1e6, -10.0, -2.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 1.5, 1.999, 2.0, 3.0]

NAMED = {
    "squared": (2.0, lambda x: x**2 / 2),
    "Charbonnier": (1.0, lambda x: (x**2 + 1).sqrt() - 1),
    "Cauchy": (0.0, lambda x: (x**2 / 2 + 1).log()),
    "Geman-McClure": (-2.0, lambda x: 2 * x**2 / (x**2 + 4)),
    "Welsch": (-INF, lambda x: 1 - (-(x**2) / 2).exp()),
}


def residuals(dtype=torch.float64, device="cpu"):
    x = torch.tensor([-100.0, -5, -1, -0.1, 0, 1e-3, 0.3, 1, 2, 30], dtype=dtype, device=device)
    return x.requires_grad_()


@pytest.mark.parametrize(("alpha", "form"), NAMED.values(), ids=NAMED)
def test_the_named_losses(alpha, form, device):
    """At scale 1; to rounding of 1, which the written-out forms lose near 0."""
    x = residuals(device=device)
    found = value_and_gradients(lambda x: adaptive_robust(x, alpha, reduction="none"), (x,))
    torch.testing.assert_close(found, value_and_gradients(form, (x,)), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_element_by_element(shape, dtype, device):
    x = 3 * torch.randn(shape, dtype=dtype, device=device)
    alpha, scale = torch.rand(2, *shape, dtype=dtype, device=device)
    alpha = (alpha + 0.5).where(x > 0, -alpha - 0.5)  # next to 0 the formula loses digits
    batch = (x.requires_grad_(), alpha.requires_grad_(), (scale + 0.5).requires_grad_())
    upstream = torch.randn(shape, dtype=dtype, device=device)
    options = {"reduction": "none"}
    assert_as_formula(adaptive_robust, formulas.adaptive_robust, batch, upstream, ulps=32, scale=1.0, **options)


def in_many_digits(x, alpha, scale):
    """ρ of numbers, by cases, in mpmath's arithmetic."""
    u = (x / scale) ** 2
    if alpha == 2:
        return u / 2
    if alpha == 0:
        return mpmath.log(u / 2 + 1)
    if alpha == -INF:
        return 1 - mpmath.exp(-u / 2)
    b = abs(alpha - 2)
    return b / alpha * ((u / b + 1) ** (alpha / 2) - 1)


def by_alpha_in_many_digits(x, alpha, scale):
    """∂ρ/∂α, for finite α other than 2; at 0, where it is 0/0, its limit."""
    u, b, sign = (x / scale) ** 2, abs(alpha - 2), mpmath.sign(alpha - 2)
    length = mpmath.log(u / b + 1)
    if alpha == 0:
        return (length**2 / 2 - length + u / (u + 2)) / 2
    power = mpmath.exp(alpha / 2 * length)
    by_power = power * (length / 2 - alpha / 2 * u / (u + b) * sign / b)
    return (sign / alpha - b / alpha**2) * (power - 1) + b / alpha * by_power


SCALES = {"1.7": 1.7, "1e-10": 1e-10, "so small that the square overflows": None, "large": 1e10}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_special_shapes_and_those_beside_them(alpha, dtype, scale, device):
    """To some ulps of each element, large or small, of the value and of the gradients by x and by the scale.

    Beside 100 digits: in float64 the formulas themselves lose what is tested here. An exponential exp(t) is as many
    times further off, in ulps, than its exponent as t says; (u / b + 1)^(α / 2) is one, of t = α / 2 · log(u / b + 1).
    The gradients have one of α / 2 - 1, and where its root underflows they may be 0. What overflows, or comes within a
    factor of a thousand of that, may be infinite.
    """
    limits = torch.finfo(dtype)
    if scale is None:
        scale = limits.max**-0.5 / 10
    batch = [residuals(dtype, device), torch.tensor(alpha, dtype=dtype, device=device).expand(10)]
    batch.append(torch.full((10,), scale, dtype=dtype, device=device, requires_grad=True))
    value, gradients = value_and_gradients(adaptive_robust, batch, reduction="none")
    found = torch.stack([value, *gradients], 1).tolist()
    with mpmath.workdps(100):
        for got, point in zip(found, zip(*(part.tolist() for part in batch), strict=True), strict=True):
            x, shape, scale = map(mpmath.mpf, point)
            u, b = (x / scale) ** 2, abs(shape - 2)
            true = [in_many_digits(x, shape, scale), x / scale**2]
            if mpmath.isinf(b):
                true[1] *= mpmath.exp(-u / 2)
            elif b:
                true[1] *= (u / b + 1) ** (shape / 2 - 1)
            true.append(-x / scale * true[1])
            length = 0 if b == 0 or mpmath.isinf(b) else mpmath.log(u / b + 1)
            exponent = u / 2 if mpmath.isinf(b) else (abs(shape) / 2 + 1) * length
            vanishes = bool(length) and mpmath.exp((shape - 2) / 4 * length) < limits.tiny
            for name, one, other in zip(("value", "by x", "by scale"), got, true, strict=True):
                if abs(other) > limits.max / 1000 and math.isinf(one):
                    assert one * other > 0, (name, point)
                elif vanishes and name != "value":
                    assert abs(one - other) <= abs(other), (name, point)
                else:
                    tolerance = (16 + 2 * exponent) * limits.eps
                    assert abs(one - other) <= tolerance * abs(other) + TINY[dtype], (name, point)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("alpha", [-100.0, -10.0, -2.0, -1.0, -1e-3, -1e-9, 0.0, 1e-9, 0.5, 1.0, 1.5, 3.0, 6.0])
def test_the_gradient_by_alpha_of_residuals_large_and_small(alpha, dtype, device):
    """To a thousand ulps of each element: where the series ends, terms cancel by two digits, and more for large α."""
    x = residuals(dtype, device).detach()
    shape = torch.full((10,), alpha, dtype=dtype, device=device, requires_grad=True)
    for scale in (1.7, 1e-4, 100.0):
        scales = torch.full_like(x, scale)
        _, (gradient,) = value_and_gradients(adaptive_robust, (x, shape, scales), reduction="none")
        with mpmath.workdps(200):
            for got, *point in zip(gradient.tolist(), x.tolist(), shape.tolist(), scales.tolist(), strict=True):
                true = by_alpha_in_many_digits(*map(mpmath.mpf, point))
                exponent = abs(alpha) / 2 * mpmath.log((point[0] / point[2]) ** 2 / abs(alpha - 2) + 1)
                tolerance = (1000 + 4 * exponent) * torch.finfo(dtype).eps
                assert abs(got - true) <= tolerance * abs(true) + TINY[dtype], point


@pytest.mark.parametrize("alpha", [-10.0, -2.0, -1.0, -1e-3, 1e-3, 0.5, 1.0, 1.5, 1.9999, 2.0001, 3.0])
def test_the_gradient_by_alpha(alpha, device):
    """Of float32, to some ulps of 1: for small residuals it falls as x⁶, which its terms cancel down to."""
    shape = torch.full((10,), alpha, device=device, requires_grad=True)
    batch = (residuals(torch.float32, device), shape, torch.full((10,), 1.7, device=device))
    assert_as_formula(adaptive_robust, formulas.adaptive_robust, batch, ulps=32, scale=1.0, reduction="none")


@pytest.mark.parametrize(("alpha", "limits"), [(0.0, (-1e-6, 1e-6)), (-INF, (-1e15,))], ids=["0", "-inf"])
def test_the_gradient_by_alpha_at_a_special_shape_is_its_limit(alpha, limits):
    def gradient(alpha):
        shape = torch.full((10,), alpha, dtype=torch.float64, requires_grad=True)
        loss = adaptive_robust(residuals().detach(), shape, reduction="sum")
        return torch.autograd.grad(loss, shape)[0]

    for beside in limits:
        torch.testing.assert_close(gradient(alpha), gradient(beside), rtol=1e-5, atol=1e-12)


def test_the_gradient_by_alpha_at_2_is_infinite_except_where_the_residual_is_0():
    shape = torch.tensor(2.0, dtype=torch.float64).expand(10).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(adaptive_robust(residuals().detach(), shape, reduction="sum"), shape)
    assert gradient.tolist() == [INF] * 4 + [0.0] + [INF] * 5


BROADCAST = {
    "one for all": ((), ()),
    "one for each channel": ((4,), (1,)),
    "one for each row": ((3, 1), ()),
    "one for each element": ((3, 4), (3, 4)),
}


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(("alphas", "scales"), BROADCAST.values(), ids=BROADCAST)
def test_alpha_and_scale_expand_and_their_gradients_are_summed(alphas, scales, reduction):
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    alpha = (torch.rand(alphas, dtype=torch.float64) - 0.3).requires_grad_()
    scale = (torch.rand(scales, dtype=torch.float64) + 0.5).requires_grad_()
    options = {"reduction": reduction}
    assert_as_formula(adaptive_robust, formulas.adaptive_robust, (x, alpha, scale), ulps=32, scale=1.0, **options)


MEMORY = {
    "transposed": lambda x: x.t(),
    "every second": lambda x: x[:, ::2],
    "expanded": lambda x: x[:1].expand(6, 8),
    "with an offset": lambda x: x[1:],
}


@pytest.mark.parametrize("view", MEMORY.values(), ids=MEMORY)
def test_inputs_that_are_not_contiguous(view, device):
    batch = [view(torch.rand(6, 8, device=device) + offset).requires_grad_() for offset in (0.0, -0.5, 0.5)]
    upstream = torch.randn(batch[0].shape[::-1], device=device).t()
    options = {"reduction": "none"}
    assert_as_formula(adaptive_robust, formulas.adaptive_robust, batch, upstream, ulps=32, scale=1.0, **options)


def third_derivative(x, alpha, scale):
    """|∂³ρ/∂x³| of each element, by autograd of the formula."""
    x = x.clone().requires_grad_()
    found = formulas.adaptive_robust(x, alpha, scale, reduction="sum")
    for _ in range(3):
        (found,) = torch.autograd.grad(found.sum(), x, create_graph=True)
    return found.detach().abs()


@pytest.mark.parametrize("alpha", [-INF, -2.0, 0.0, 1.0, 1.5])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_differences_err_by_as_much_as_theory_allows(dtype, alpha, device):
    """Over a step h a central difference loses h² / 6 · |ρ‴|, and two losses, each right to 4 ulps, 8 ε ρ / (2 h).

    The largest ρ and |ρ‴| are looked for at 9 points from x - h to x + h. A tenth is for what lies between those.
    """
    x = 4 * torch.randn(1000, dtype=dtype, device=device)
    scale = torch.rand(1000, dtype=dtype, device=device) + 0.5
    shape = torch.full((1000,), alpha, dtype=dtype, device=device)
    gradients = [
        value_and_gradients(adaptive_robust, (x.requires_grad_(), shape, scale), reduction="sum", by_differences=b)[1][
            0
        ]
        for b in (False, True)
    ]
    x, shape, scale = x.detach().double(), shape.double(), scale.double()
    epsilon = torch.finfo(dtype).eps
    step = epsilon ** (1 / 3) * x.abs().maximum(scale)
    near = [x + k / 4 * step for k in range(-4, 5)]
    cut_off = step**2 / 6 * torch.stack([third_derivative(p, shape, scale) for p in near]).amax(0)
    largest = torch.stack([formulas.adaptive_robust(p, shape, scale, "none") for p in near]).amax(0)
    (true,) = value_and_gradients(formulas.adaptive_robust, (x.requires_grad_(), shape, scale), reduction="sum")[1]
    allowed = 1.1 * (cut_off + 4 * epsilon * largest / step + 4 * epsilon * true.abs())
    analytical, by_differences = ((gradient.double() - true).abs() for gradient in gradients)
    assert (by_differences <= allowed).all()
    assert by_differences.max() > 30 * analytical.max()  # it is a difference, and the analytical gradient is not


def test_differences_give_a_gradient_for_x_alone_and_no_second_one():
    x, alpha = residuals(), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match=r"gradient for x alone; pass alpha.detach\(\)"):
        adaptive_robust(x, alpha, by_differences=True)
    (gradient,) = torch.autograd.grad(adaptive_robust(x, by_differences=True), x, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.sum().backward()


def test_learned_shapes_pass_the_audit(device):
    x = 3 * torch.randn(100, device=device)
    alpha, scale = torch.tensor([0.7, 1.3], device=device).requires_grad_().unbind()
    audit = wb.audit(adaptive_robust, x, alpha, scale, reference=references.adaptive_robust)
    assert {check.verdict for check in audit.checks} == {"right"}, str(audit)


def test_a_scale_in_a_tensor_of_no_use_shows():
    x, scale = torch.tensor([1.0, 2, 2]), torch.tensor([0.0, math.nan, -1])
    assert adaptive_robust(x, 1.0, scale, "none").isnan().tolist() == [True, True, False]


def test_it_is_free_of_races():
    with wb.sanitize() as findings:
        x = torch.randn(300, requires_grad=True)
        adaptive_robust(x).backward()
        adaptive_robust(x, by_differences=True).backward()
    assert findings == []


X = torch.zeros(3, 4)
BAD = {
    "integers": ((X.long(),), "x is torch.int64"),
    "float64 alpha": ((X, X.double()), "alpha is torch.float64 on cpu, and x is torch.float32"),
    "scale elsewhere": ((X, 1.0, X.to("meta")), "scale is torch.float32 on meta"),
    "alpha of another shape": ((X, X[:, :3]), "alpha has shape (3, 3), which does not expand to (3, 4)"),
    "scale of 0": ((X, 1.0, 0.0), "scale=0.0 is not positive"),
    "scale of NaN": ((X, 1.0, math.nan), "scale=nan is not positive"),
}


@pytest.mark.parametrize(("arguments", "fragment"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(arguments, fragment):
    with pytest.raises(ValueError, match=r"this loss|positive|shape") as refused:
        adaptive_robust(*arguments)
    assert fragment in str(refused.value)
