"""One difference: its two points, the curve about them, and the error that it and other steps have."""

import math

import pytest
import torch

import workbench as wb


def raised(x):
    return 100 + torch.sin(x)


@pytest.mark.parametrize(("scheme", "low"), [("forward", 0), ("central", -1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_secant_goes_through_its_two_points(scheme, low, dtype):
    found = wb.secant(raised, 1.0, 0.25, scheme=scheme, dtype=dtype)
    assert found.across.tolist() == [low * 0.25, 0.25]
    rises = raised(torch.tensor([1 + low * 0.25, 1.25], dtype=dtype)) - raised(torch.tensor(1.0, dtype=dtype))
    assert found.rises.tolist() == rises.tolist()
    assert found.slope == pytest.approx(float(rises[1] - rises[0]) / (0.25 - low * 0.25), rel=1e-6)
    assert found.error == pytest.approx(abs(found.slope / math.cos(1) - 1), rel=1e-9)


def test_the_curve_and_what_the_dtype_holds_of_it():
    found = wb.secant(raised, 1.0, 1e-4)
    assert found.distance[[0, -1]].tolist() == pytest.approx([-3e-4, 3e-4])
    true = torch.sin(1 + found.distance) - math.sin(1)
    torch.testing.assert_close(found.curve, true, rtol=0, atol=1e-13)
    assert not torch.equal(found.held, found.curve)
    spacing = 2.0**-17  # of float32 between 64 and 128
    assert torch.equal(found.held, (found.held / spacing).round() * spacing)
    assert (found.held - true).abs().max() < 1.5 * spacing


def test_the_truth_is_at_the_number_that_the_dtype_holds():
    found = wb.secant(torch.exp, 0.1, 1e-2, dtype=torch.float32)
    assert found.x == float(torch.tensor(0.1))
    assert found.derivative == math.exp(found.x) != math.exp(0.1)


def test_the_errors_are_those_of_differences_over_each_step():
    found = wb.secant(torch.exp, 1.0, 0.003, scheme="forward", dtype=torch.float64)
    assert found.step in found.errors
    assert list(found.errors) == sorted(found.errors)
    for step, error in found.errors.items():
        gradient = wb.finite_difference(torch.exp, torch.tensor(1.0).double(), scheme="forward", step=step).gradients[0]
        assert error == pytest.approx(abs(float(gradient) / math.e - 1), abs=1e-15)


def test_it_reads_as_a_sentence():
    assert str(wb.secant(torch.square, 1.0, 0.5, scheme="forward")) == (
        "forward, float32, step 5.0e-01: slope 2.50000 for 2.00000, wrong by 2e-01"
    )


def test_a_parameter_inside_the_function_leaves_no_graph():
    weight = torch.tensor(3.0, requires_grad=True)
    found = wb.secant(lambda x: weight * x**2, 1.0, 0.5)
    assert not any(part.requires_grad for part in (found.rises, found.curve, found.held))


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (torch.sin, {"scheme": "richardson"}, "'richardson' is no single secant; 'forward' and 'central' are"),
        (torch.sin, {"step": -1.0}, "step=-1.0 is not a positive number"),
        (torch.sin, {"step": 1e-9}, "does not move 1.0"),
        (torch.square, {"x": 0.0}, "the derivative at 0.0 is zero"),
    ],
)
def test_refusals(function, options, said):
    with pytest.raises(ValueError, match=said):
        wb.secant(function, **{"x": 1.0, "step": 1e-3} | options)
