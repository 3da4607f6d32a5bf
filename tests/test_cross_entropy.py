"""cross_entropy: by hand, by its formula, beside torch's own, and at the extremes of its logits."""

import math

import formulas
import pytest
import torch
from cases import FLOATS, SIZES
from everyday import everyday
from formulas import assert_as_formula, value_and_gradients
from torch.nn import functional

import workbench as wb
from workbench.losses import cross_entropy, references

INF = math.inf
REDUCTIONS = ("none", "sum", "mean")


def inputs(n, classes=5, dtype=torch.float32, device="cpu"):
    logits = 3 * torch.randn(n, classes, dtype=dtype, device=device)
    target = torch.randint(classes, (n,), device=device)
    weight = torch.rand(classes, dtype=dtype, device=device) + 0.5
    return logits.requires_grad_(), target, weight


def test_by_hand(device):
    """Row 0: softmax (1/2, 1/2), target 0, weight 1: loss log 2, gradient 1 (1/2 - 1, 1/2) = (-1/2, 1/2).
    Row 1: softmax (3/4, 1/4), target 1, weight 2: loss 2 log 4 = 4 log 2, gradient 2 (3/4, 1/4 - 1) = (3/2, -3/2).
    The sum is 5 log 2. The mean divides it by the weights' sum, 3.
    """
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]], dtype=torch.float64, device=device, requires_grad=True)
    target = torch.tensor([0, 1], device=device)
    weight = torch.tensor([1.0, 2.0], dtype=torch.float64, device=device)
    loss = cross_entropy(logits, target, weight, reduction="sum")
    assert loss.item() == pytest.approx(5 * math.log(2), rel=1e-14)
    assert cross_entropy(logits, target, weight).item() == pytest.approx(5 * math.log(2) / 3, rel=1e-14)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.flatten().tolist() == pytest.approx([-0.5, 0.5, 1.5, -1.5], rel=1e-14)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", SIZES)
def test_row_by_row(n, dtype, device):
    upstream = torch.randn(n, dtype=dtype, device=device)
    batch = inputs(n, dtype=dtype, device=device)
    assert_as_formula(cross_entropy, formulas.cross_entropy, batch, upstream, ulps=8, scale=8.0, reduction="none")


@pytest.mark.parametrize("classes", [1, 2, 31, 32, 33, 257])
def test_numbers_of_classes(classes, device):
    batch = inputs(20, classes, device=device)
    assert_as_formula(cross_entropy, formulas.cross_entropy, batch, ulps=16, scale=8.0, reduction="sum")


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("n", [0, 1, 33, 257])
def test_beside_torch(n, reduction, weighted):
    """The mean is the weighted one, as torch defines it; of no row it is NaN there, and here."""
    logits, target, weight = inputs(n)
    batch = (logits, target, weight if weighted else None)
    found = value_and_gradients(cross_entropy, batch, reduction=reduction)
    expected = value_and_gradients(functional.cross_entropy, batch, reduction=reduction)
    torch.testing.assert_close(found, expected, equal_nan=True)


def ignoring(target, ignored, ignore_index):
    """The targets with none, every third, or all of them ignored."""
    every = {"none": len(target) + 1, "some": 3, "all": 1}[ignored]
    return target.where((torch.arange(len(target)) + 1) % every != 0, ignore_index)


def torchs(logits, target, weight, reduction, sample_weight=None, **options):
    """torch's cross entropy, each row times its sample weight, and the mean divided by what torch divides by."""
    if sample_weight is None:
        return functional.cross_entropy(logits, target, weight, reduction=reduction, **options)
    loss = sample_weight * functional.cross_entropy(logits, target, weight, reduction="none", **options)
    weight = logits.new_ones(logits.shape[1]) if weight is None else weight
    counted = weight[target[target != options["ignore_index"]]].sum()
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.sum() / counted


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("ignored", everyday(["some", "none", "all"], 3))
@pytest.mark.parametrize("sampled", [False, True], ids=["samples alike", "samples weighted"])
@pytest.mark.parametrize("weighted", [False, True], ids=["classes alike", "classes weighted"])
def test_every_combination_beside_torch(weighted, sampled, ignored, label_smoothing, reduction, dtype):
    """For 1, 2, 10 and 1000 classes, no row, one and more; an ignored index that is no class, and one that is."""
    for n, classes, ignore_index in [(7, 1, -100), (0, 2, -100), (1, 2, -7), (33, 10, 4), (5, 1000, -100)]:
        logits, target, weight = inputs(n, classes, dtype)
        sample_weight = torch.rand(n, dtype=dtype) if sampled else None
        batch = (logits, ignoring(target, ignored, ignore_index), weight if weighted else None)
        options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": reduction}
        upstream = torch.randn(n if reduction == "none" else (), dtype=dtype)
        found = value_and_gradients(cross_entropy, batch, upstream, sample_weight=sample_weight, **options)
        expected = value_and_gradients(torchs, batch, upstream, sample_weight=sample_weight, **options)
        atol = 32 * torch.finfo(dtype).eps
        torch.testing.assert_close(found, expected, rtol=atol, atol=atol, equal_nan=True)


def test_by_hand_smoothed_sampled_and_ignored(device):
    """Softmax (3/4, 1/4), target 1, ε = 1/2, weights (1, 2), sample weight 10: keep = (1/2, 1), spread = (1/4, 1/2), so
    10 (log 4 + 1/4 log 4/3 + 1/2 log 4); by the logits 10 (7/4 · 3/4 - 1/4, 7/4 · 1/4 - 1 - 1/2) = ±10 · 17/16.
    The mean divides by the weight 2 of that target; the other row is ignored, and has NaN for a logit.
    """
    rows = [[math.log(3), 0.0], [math.nan, 1.0]]
    logits = torch.tensor(rows, dtype=torch.float64, device=device, requires_grad=True)
    target = torch.tensor([1, -100], device=device)
    weight, sample_weight = torch.tensor([[1.0, 2.0], [10.0, 5.0]], dtype=torch.float64, device=device)
    loss = cross_entropy(logits, target, weight, sample_weight=sample_weight, label_smoothing=0.5)
    assert loss.item() == pytest.approx(5 * (1.75 * math.log(4) - 0.25 * math.log(3)), rel=1e-14)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.flatten().tolist() == pytest.approx([5 * 17 / 16, -5 * 17 / 16, 0, 0], rel=1e-14)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_large_logits_smoothed(dtype):
    """No exponential overflows: the loss is the distance of the logits, to some ulps of itself."""
    logits = torch.tensor([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype=dtype, requires_grad=True)
    options = {"label_smoothing": 0.25, "reduction": "none"}
    batch = (logits, torch.tensor([1, 1]))
    assert_as_formula(cross_entropy, references.cross_entropy, batch, ulps=8, scale=1.0, **options)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_audit_passes_with_everything_on(label_smoothing, device):
    logits, target, weight = inputs(100, device=device)
    sample_weight = torch.rand(100, device=device)

    def given(function):
        return lambda z, t, w, s: function(z, t, w, sample_weight=s, label_smoothing=label_smoothing, ignore_index=2)

    batch = (logits.requires_grad_(), target, weight, sample_weight)
    audit = wb.audit(given(cross_entropy), *batch, reference=given(references.cross_entropy))
    assert {check.verdict for check in audit.checks} == {"right"}, str(audit)


@pytest.mark.parametrize("weight", [[0.0, 1, 0, 2, 3], [0.0] * 5], ids=["some", "all"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_zero(weight, reduction):
    """A mean with no weight at all is 0/0 there, and here."""
    logits, target, _ = inputs(33)
    batch = (logits, target, torch.tensor(weight))
    found = value_and_gradients(cross_entropy, batch, reduction=reduction)
    expected = value_and_gradients(functional.cross_entropy, batch, reduction=reduction)
    torch.testing.assert_close(found, expected, equal_nan=True)


EXTREMES = {
    "equal": [[0.0, 0, 0], [7, 7, 7]],
    "equal and large": [[1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]],
    "far apart": [[1e4, -1e4, 0], [-1e4, 1e4, 0]],
    "close and large": [[10003.0, 10000, 10001], [-10003, -10000, -10001]],
    "at the end of float32": [[3e38, 3e38, 3e38], [-3e38, 3e38, -3e38]],
    "a class ruled out": [[-INF, 0, 1], [0, 1, -INF]],
}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("rows", EXTREMES.values(), ids=EXTREMES)
def test_extreme_logits(rows, dtype, device):
    """To some ulps of 1 and not of the logits: a loss takes the largest logit out before anything is rounded."""
    logits = torch.tensor(rows, dtype=dtype, device=device, requires_grad=True)
    target = torch.tensor([1, 1], device=device)
    assert_as_formula(cross_entropy, formulas.cross_entropy, (logits, target), ulps=8, scale=1.0, reduction="none")


@pytest.mark.parametrize("row", [[INF, 0.0], [-INF, -INF], [math.nan, 0.0], [0.0, math.nan]], ids=str)
def test_infinity_and_nan_show(row):
    assert cross_entropy(torch.tensor([row]), torch.tensor([0])).isnan()


MEMORY = {
    "transposed": lambda x: x.reshape(5, 6).t(),
    "every second": lambda x: x.repeat(2, 2)[::2, ::2],
    "expanded": lambda x: x[:1].expand(6, 5),
    "with an offset": lambda x: x[1:],
}


@pytest.mark.parametrize("view", MEMORY.values(), ids=MEMORY)
def test_inputs_that_are_not_contiguous(view, device):
    logits, target, weight = inputs(6, device=device)
    logits = view(logits.detach()).requires_grad_()
    target = target.repeat_interleave(2)[::2][: len(logits)]
    weight = weight.repeat_interleave(3)[::3]
    before = [x.clone() for x in (logits, target, weight)]
    batch = (logits, target, weight)
    assert_as_formula(cross_entropy, formulas.cross_entropy, batch, ulps=16, scale=8.0, reduction="none")
    options = {"sample_weight": torch.rand(len(logits), 2, device=device).t()[1], "reduction": "none"}
    weighted = value_and_gradients(cross_entropy, batch, options["sample_weight"].flip(0), **options)
    torch.testing.assert_close(
        weighted, value_and_gradients(references.cross_entropy, batch, options["sample_weight"].flip(0), **options)
    )
    assert all(torch.equal(x, old) for x, old in zip(batch, before, strict=True))


Z, T, W = torch.zeros(3, 4), torch.tensor([0, 3, 1]), torch.ones(4)


BAD = {
    "one dimension": ((Z.double()[0], T), ValueError, ("logits has shape (4,)", "[n, classes]")),
    "no class": ((Z[:, :0], T), ValueError, ("logits has shape (3, 0)", "at least one class")),
    "integers": ((Z.long(), T), ValueError, ("logits is torch.int64", "logits.float()")),
    "fewer targets": ((Z, T[:2]), ValueError, ("target is torch.int64 of shape (2,)", "of shape (3,)")),
    "two-dimensional target": ((Z, T[:, None]), ValueError, ("of shape (3, 1)", "of shape (3,)")),
    "int32 target": ((Z, T.int()), ValueError, ("target is torch.int32", "must be torch.int64")),
    "target elsewhere": ((Z, T.to("meta")), ValueError, ("on meta", "on cpu")),
    "weights of samples": (
        (Z, T, W[:3]),
        ValueError,
        ("weight is torch.float32 of shape (3,)", "classes, not samples", "(4,)"),
    ),
    "float64 weights": ((Z, T, W.double()), ValueError, ("weight is torch.float64", "must be torch.float32")),
    "weights elsewhere": ((Z, T, W.to("meta")), ValueError, ("weight", "on meta", "on cpu")),
    "weights with grad": ((Z, T, W.clone().requires_grad_()), ValueError, ("weight requires grad", "weight.detach()")),
    "target past the classes": ((Z, torch.tensor([0, 4, -1])), IndexError, ("target[1] is 4", "classes 0 to 3")),
    "negative target": ((Z, torch.tensor([0, 1, -1])), IndexError, ("target[2] is -1,", "ignore_index is -100")),
}


@pytest.mark.parametrize(("arguments", "error", "fragments"), BAD.values(), ids=BAD)
def test_bad_inputs_are_refused(arguments, error, fragments):
    with pytest.raises(error) as refused:
        cross_entropy(*arguments)
    for fragment in fragments:
        assert fragment in str(refused.value)


BAD_OPTIONS = {
    "weights of classes": (
        {"sample_weight": W},
        ("sample_weight is torch.float32 of shape (4,)", "samples, not classes"),
    ),
    "float64 sample weights": ({"sample_weight": W[:3].double()}, ("must be torch.float32",)),
    "sample weights with grad": ({"sample_weight": torch.ones(3, requires_grad=True)}, ("sample_weight.detach()",)),
    "negative smoothing": ({"label_smoothing": -0.1}, ("label_smoothing=-0.1 is not between 0 and 1",)),
    "smoothing over one": ({"label_smoothing": 1.5}, ("label_smoothing=1.5",)),
    "smoothing of NaN": ({"label_smoothing": math.nan}, ("label_smoothing=nan",)),
}


@pytest.mark.parametrize(("options", "fragments"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(options, fragments):
    with pytest.raises(ValueError, match=r"weight|smoothing") as refused:
        cross_entropy(Z, T, **options)
    for fragment in fragments:
        assert fragment in str(refused.value)


@pytest.mark.gpu
def test_on_a_gpu_a_target_that_is_no_class_gives_nan_in_its_row():
    logits, target, weight = inputs(3, device="cuda")
    target[1] = 5
    loss = cross_entropy(logits, target, weight, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert loss.isnan().tolist() == [False, True, False]
    assert gradient.isnan().all(1).tolist() == [False, True, False]
    assert gradient.isnan().any(1).tolist() == [False, True, False]
