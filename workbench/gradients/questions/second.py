"""Second derivatives: right, or refused loudly, but never silently wrong."""

from __future__ import annotations

import math

import torch

from workbench.gradients.check import Check
from workbench.gradients.finite_difference import finite_difference
from workbench.gradients.subject import Subject

QUESTION = "second derivative, right or refused"


def ask(subject: Subject) -> list[Check]:
    """Whether the gradient, differentiated by autograd, says how the gradient itself changes along a direction."""
    inputs = subject.inputs(torch.float64)
    values = subject.values(subject.function, inputs)
    if not any(value.requires_grad for value in values) or not any(inputs[i].numel() for i in subject.moving):
        return []
    weights = [
        torch.rand(inputs[i].shape, generator=subject.generator, dtype=torch.float64) + 0.5 for i in subject.moving
    ]
    weights = [w.to(inputs[i].device) for w, i in zip(weights, subject.moving, strict=True)]

    def turned(*moved: torch.Tensor) -> torch.Tensor:
        points = [
            x.detach().requires_grad_(k in subject.moving) if k in subject.moving else x for k, x in enumerate(moved)
        ]
        with torch.enable_grad():
            values = subject.values(subject.function, points)
            gradients = subject.pull_back(values, points, subject.upstream)
        return sum((w * g).sum() for w, g in zip(weights, gradients, strict=True))

    try:
        found = subject.pull_back(values, inputs, subject.upstream, create_graph=True)
        along = sum((w * g).sum() for w, g in zip(weights, found, strict=True))
        moving = [inputs[i] for i in subject.moving]
        curved = [torch.zeros_like(x) for x in moving]
        if along.requires_grad:
            second = torch.autograd.grad(along, moving, allow_unused=True)
            curved = [torch.zeros_like(x) if g is None else g.detach() for x, g in zip(moving, second, strict=True)]
    except (RuntimeError, NotImplementedError) as refusal:
        # torch adds how to look for the operation, which is advice for another problem
        said = f"refused: {str(refusal).splitlines()[0].split(' Hint:')[0].rstrip('.')}"
        return [Check(QUESTION, "right", 0.0, 0.0, "relative", said=said)]
    direction = [torch.where(c < 0, -1.0, 1.0).to(c) for c in curved]
    claimed = float(sum((c * d).sum() for c, d in zip(curved, direction, strict=True)))
    points = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]
    moved = dict(zip(subject.moving, direction, strict=True))
    along = [moved.get(k) for k in range(len(points))]
    truth = finite_difference(turned, *points, scheme="richardson", direction=along)
    size = max(abs(claimed), abs(truth.value))
    error = abs(claimed - truth.value) / size if size > truth.error else 0.0
    allowed = truth.error / size if size else 0.0
    if error <= allowed:
        return [Check(QUESTION, "right", error, allowed, "relative")]
    if not allowed < 1e-3 and not error > 10 * allowed:
        said = f"the difference itself is uncertain by {allowed:.1g}; is there a kink or a step near this point?"
        if math.isnan(allowed):
            said = "the gradient is not finite, so that it has no differences"
        return [Check(QUESTION, "unclear", error, allowed, "relative", said=said)]
    what = "autograd takes it for zero" if claimed == 0 else f"autograd says {claimed:.6g} along a direction"
    said = (
        f"{what}, and the gradient changes by {truth.value:.6g}: refuse it by @wb.once_differentiable, or make "
        "backward differentiable; both take what they need from ctx.saved_tensors"
    )
    return [Check(QUESTION, "wrong", error if math.isfinite(error) else math.inf, allowed, "relative", said=said)]
