"""squared_distance: by hand, beside torch's own, over many blocks, and what its order does to its last bits."""

import formulas
import pytest
import torch
from cases import FLOATS, SHAPES, SIZES
from formulas import assert_as_formula, value_and_gradients
from torch.nn import functional

import workbench as wb
from workbench.losses import references, squared_distance
from workbench.losses.squared_distance import BLOCK, MOST_BLOCKS

MANY = 1 << 20
each_form = pytest.mark.parametrize("deterministic", [False, True], ids=["atomics", "deterministic"])


def inputs(*shape, dtype=torch.float32, device="cpu"):
    return [torch.randn(shape, dtype=dtype, device=device, requires_grad=True) for _ in range(2)]


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def workers(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@each_form
def test_by_hand(deterministic, device):
    """x - y = (-2, 0, 3); squared (4, 0, 9), their sum 13; derivative of the sum by x 2 (x - y) = (-4, 0, 6)."""
    x = torch.tensor([1.0, 2.0, 4.0], device=device, requires_grad=True)
    y = torch.tensor([3.0, 2.0, 1.0], device=device, requires_grad=True)
    loss = squared_distance(x, y, "sum", deterministic)
    assert loss.item() == 13
    loss.backward()
    assert x.grad.tolist() == [-4, 0, 6]
    assert y.grad.tolist() == [4, 0, -6]
    assert squared_distance(x, y, deterministic=deterministic).item() == pytest.approx(13 / 3)


@each_form
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", [*SIZES, BLOCK * MOST_BLOCKS + 1])
def test_numbers_of_elements(n, dtype, deterministic, device):
    """A sum of n squares in a tree: some ulps, of the sum, and no more for many elements than for few."""
    batch = inputs(n, dtype=dtype, device=device)
    options = {"reduction": "sum", "deterministic": deterministic}
    assert_as_formula(squared_distance, formula, batch, torch.tensor(-1.5, dtype=dtype, device=device), 8, **options)


def formula(x, y, reduction, deterministic):
    return formulas.squared_distance(x, y, reduction)


@each_form
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_beside_torch(shape, reduction, deterministic):
    """The mean of no element is NaN there, and here."""
    batch = inputs(*shape)
    found = value_and_gradients(squared_distance, batch, reduction=reduction, deterministic=deterministic)
    expected = value_and_gradients(functional.mse_loss, batch, reduction=reduction)
    torch.testing.assert_close(found, expected, equal_nan=True)


MEMORY = {
    "transposed": lambda x: x.t(),
    "every second": lambda x: x[:, ::2],
    "expanded": lambda x: x[:1].expand(6, 8),
    "with an offset": lambda x: x[1:],
}


@each_form
@pytest.mark.parametrize("view", MEMORY.values(), ids=MEMORY)
def test_inputs_that_are_not_contiguous(view, deterministic, device):
    batch = [view(x.detach()).requires_grad_() for x in inputs(6, 8, device=device)]
    assert_as_formula(squared_distance, formula, batch, ulps=8, reduction="sum", deterministic=deterministic)


@each_form
def test_the_audit_passes(deterministic, device):
    x, y = inputs(4096, device=device)
    audit = wb.audit(
        lambda x, y: squared_distance(x, y, "sum", deterministic),
        x,
        y,
        reference=lambda x, y: references.squared_distance(x, y, "sum"),
    )
    assert {check.verdict for check in audit.checks} == {"right"}, str(audit)


def test_in_order_every_run_gives_the_same_bits(workers, device):
    """Two blocks' sums may meet in either order where blocks run at the same time; a fixed order knows none of that."""
    x, y = inputs(MANY, device=device)
    values = {squared_distance(x, y, "sum", deterministic=True).item() for _ in range(30)}
    assert len(values) == 1


def test_the_number_of_workers_does_not_change_the_bits():
    x, y = inputs(MANY)
    before, values = torch.get_num_threads(), set()
    for workers in (1, 2, 3):
        torch.set_num_threads(workers)
        values.add(squared_distance(x, y, "sum", deterministic=True).item())
    torch.set_num_threads(before)
    assert len(values) == 1


def test_atomics_differ_from_run_to_run_by_last_bits_and_no_more(workers):
    """One worker takes the blocks in turn and gives the same bits; of two, the sums spread over some ulps.

    1024 additions, each rounded to half an ulp of a sum that is no larger than the last: at most 512 ulps in all, and
    about √1024 / 2 = 16 where their signs are random.
    """
    x, y = inputs(MANY)
    true = references.squared_distance(x.double(), y.double(), "sum").item()
    values = [squared_distance(x, y, "sum").item() for _ in range(30)]
    ulp = torch.finfo(torch.float32).eps * true
    assert max(abs(value - true) for value in values) <= 16 * ulp
    if workers == 1:
        assert len(set(values)) == 1


def test_the_forms_are_free_of_races():
    x, y = inputs(1000)
    with wb.sanitize() as findings:
        for deterministic in (False, True):
            squared_distance(x, y, deterministic=deterministic).backward()
    assert findings == []


X = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("x", "y", "options", "fragment"),
    [
        (X, X[0], {}, "x has shape (3, 4) and y has shape (4,)"),
        (X, X.double(), {}, "x has dtype torch.float32 and y has dtype torch.float64"),
        (X, X.to("meta"), {}, "x has device cpu and y has device meta"),
        (X.long(), X.long(), {}, "x is torch.int64"),
        (X, X, {"reduction": "none"}, "squared_error gives each element's"),
    ],
    ids=["shape", "dtype", "device", "integers", "none"],
)
def test_bad_inputs_are_refused(x, y, options, fragment):
    with pytest.raises(ValueError, match="this loss") as refused:
        squared_distance(x, y, **options)
    assert fragment in str(refused.value)
