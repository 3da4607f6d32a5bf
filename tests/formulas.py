"""The losses from their formulas in plain torch, in float64: a second opinion that shares no line with the package."""

import torch


def squared_error(x, y, reduction="mean"):
    difference = x - y
    return reduce(difference * difference, reduction, x.numel())


squared_distance = squared_error


def cross_entropy(logits, target, weight=None, reduction="mean"):
    weight = torch.ones_like(logits[0]) if weight is None else weight
    shifted = logits - logits.detach().max(1, keepdim=True).values
    log_softmax = shifted - shifted.exp().sum(1, keepdim=True).log()
    loss = -weight[target] * log_softmax[torch.arange(len(target), device=target.device), target]
    return reduce(loss, reduction, weight[target].sum())


def adaptive_robust(x, alpha, scale, reduction="mean"):
    """By cases, each in its own closed form; every other shape by the general one."""
    u, b = (x / scale) ** 2, (alpha - 2).abs()
    loss = b / alpha * torch.expm1(alpha / 2 * torch.log1p(u / b))
    for shape, form in {2.0: u / 2, 0.0: torch.log1p(u / 2), -torch.inf: -torch.expm1(-u / 2)}.items():
        loss = form if alpha.numel() and bool((alpha == shape).all()) else loss
    return reduce(loss, reduction, x.numel())


def reduce(loss, reduction, count):
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.sum() / count


def value_and_gradients(function, inputs, upstream=None, **options):
    """The value, and the gradient of each input that requires grad, from leaves of their own."""
    leaves = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x for x in inputs]
    value = function(*leaves, **options)
    wanted = [x for x in leaves if isinstance(x, torch.Tensor) and x.requires_grad]
    upstream = torch.ones_like(value) if upstream is None else upstream.to(value.dtype)
    return value.detach(), torch.autograd.grad(value, wanted, upstream)


def in_float64(inputs):
    return [x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in inputs]


def assert_as_formula(function, formula, inputs, upstream=None, ulps=8, scale=0.0, **options):
    """That value and gradients are the formula's, to some ulps of each element or of ``scale`` where that is larger."""
    value, gradients = value_and_gradients(function, inputs, upstream, **options)
    true_value, true_gradients = value_and_gradients(formula, in_float64(inputs), upstream, **options)
    tolerance = ulps * torch.finfo(value.dtype).eps
    for found, true in zip((value, *gradients), (true_value, *true_gradients), strict=True):
        assert found.dtype == value.dtype
        torch.testing.assert_close(
            found.double(), true, rtol=tolerance, atol=tolerance * scale, equal_nan=True, check_device=True
        )
