"""squared_error: by hand, by its formula, and beside torch's own."""

import formulas
import pytest
import torch
from cases import FLOATS, SHAPES
from formulas import assert_as_formula, value_and_gradients
from torch.nn import functional

from workbench.losses import squared_error

REDUCTIONS = ("none", "sum", "mean")


def inputs(*shape, dtype=torch.float32, device="cpu"):
    return [torch.randn(shape, dtype=dtype, device=device, requires_grad=True) for _ in range(2)]


def test_by_hand(device):
    """x - y = (-2, 0, 3); squared (4, 0, 9), their sum 13; derivative of the sum by x 2 (x - y) = (-4, 0, 6)."""
    x = torch.tensor([1.0, 2.0, 4.0], device=device, requires_grad=True)
    y = torch.tensor([3.0, 2.0, 1.0], device=device, requires_grad=True)
    assert squared_error(x, y, reduction="none").tolist() == [4, 0, 9]
    loss = squared_error(x, y, reduction="sum")
    assert loss.item() == 13
    loss.backward()
    assert x.grad.tolist() == [-4, 0, 6]
    assert y.grad.tolist() == [4, 0, -6]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_element_by_element(shape, dtype, device):
    """Three roundings, of the difference, its square and the upstream gradient: under 4 ulps of the element itself."""
    x, y = inputs(*shape, dtype=dtype, device=device)
    upstream = torch.randn(shape, dtype=dtype, device=device)
    assert_as_formula(squared_error, formulas.squared_error, (x, y), upstream, ulps=4, reduction="none")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_beside_torch(shape, reduction):
    """The mean of no element is NaN there, and here."""
    x, y = inputs(*shape)
    found = value_and_gradients(squared_error, (x, y), reduction=reduction)
    expected = value_and_gradients(functional.mse_loss, (x, y), reduction=reduction)
    torch.testing.assert_close(found, expected, equal_nan=True)


MEMORY = {
    "transposed": lambda x: x.t(),
    "every second": lambda x: x[:, ::2],
    "expanded": lambda x: x[:1].expand(6, 8),
    "with an offset": lambda x: x[1:],
}


@pytest.mark.parametrize("view", MEMORY.values(), ids=MEMORY)
def test_inputs_that_are_not_contiguous(view, device):
    x, y = (view(t.detach()).requires_grad_() for t in inputs(6, 8, device=device))
    before = x.clone(), y.clone()
    upstream = torch.randn(x.shape[::-1], device=device).t()
    assert_as_formula(squared_error, formulas.squared_error, (x, y), upstream, ulps=4, reduction="none")
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_a_chain_of_operations_around_it():
    x, y = inputs(4, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, y: squared_error(x.exp().t(), (x * y).t()).sin(), (x, y))


def test_infinity_and_nan_stay():
    x, y = torch.tensor([float("inf"), float("nan"), 1e30]), torch.zeros(3)
    assert squared_error(x, y, reduction="none").isfinite().tolist() == [False] * 3
    assert squared_error(x, y, reduction="none").isnan().tolist() == [False, True, False]


X = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("x", "y", "fragments"),
    [
        (X, X[0], ("x has shape (3, 4) and y has shape (4,)",)),
        (X, X.double(), ("x has dtype torch.float32 and y has dtype torch.float64",)),
        (X, X.to("meta"), ("x has device cpu and y has device meta",)),
        (X.long(), X.long(), ("x is torch.int64", "x.float()")),
        (X.cfloat(), X.cfloat(), ("x is torch.complex64",)),
    ],
    ids=["shape", "dtype", "device", "integers", "complex"],
)
def test_bad_inputs_are_refused(x, y, fragments):
    with pytest.raises(ValueError, match="this loss") as refused:
        squared_error(x, y)
    for fragment in fragments:
        assert fragment in str(refused.value)
