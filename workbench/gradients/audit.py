"""audit: is a function's value right, and its gradient, in float64 and in float32?

Three witnesses are asked about every gradient: the function's own backward, autograd of a reference in plain torch,
and central differences of the function's value. The upstream gradient is random, so that a backward which ignores it
is found out. No tolerance is folklore: an error in float32 is held against the error that the reference makes in
float32 against itself in float64.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from workbench.executors import executor
from workbench.gradients.diagnosis import diagnose, ulps
from workbench.gradients.finite_difference import finite_difference
from workbench.tables import Table

MARGIN = 4
"""How many times the reference's own error, and how many ulps at least, an error may be."""

UNCLEAR = 5e-4
"""A finite difference that is itself less certain than this decides nothing: a gradient 0.1 % off would pass."""


@dataclass(frozen=True)
class Check:
    """One question of an audit and its answer.

    ``verdict`` is ``"right"``, ``"wrong"`` or ``"unclear"``; ``error`` and ``allowed`` are in ``unit`` (``"ulp"`` or
    ``"relative"``); ``reference_error`` is the reference's own error in ulps, where it was measured; ``said`` is a
    sentence about what is wrong, or empty.
    """

    question: str
    verdict: str
    error: float
    allowed: float
    unit: str
    reference_error: float | None = None
    said: str = ""


class WrongGradient(AssertionError):
    """Raised by ``raise_if_wrong`` with the audit's table and what it found."""


@dataclass(frozen=True)
class GradientAudit:
    """The answers of an audit. ``passed`` is whether none of them is "wrong"."""

    name: str
    where: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def wrong(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == "wrong")

    def raise_if_wrong(self) -> None:
        """Raise WrongGradient unless the audit passed."""
        if not self.passed:
            raise WrongGradient(str(self))

    @property
    def table(self) -> Table:
        rows = []
        for check in self.checks:
            own = "" if check.reference_error is None else f"{check.reference_error:.2g} ulp"
            unit = " ulp" if check.unit == "ulp" else ""
            error, allowed = f"{check.error:.2g}{unit}", f"{check.allowed:.2g}{unit}"
            rows.append((check.question, check.verdict, error, allowed, own))
        notes = [f"{check.question}: {check.said}." for check in self.checks if check.said]
        outcome = "passed" if self.passed else f"{len(self.wrong)} of {len(self.checks)} answers are wrong"
        columns = ("question", "verdict", "error", "allowed", "torch, float32")
        return Table(f"audit of {self.name} on the {self.where}: {outcome}", columns, tuple(rows), notes)

    def __str__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def audit(
    function: Callable[..., torch.Tensor],
    *inputs: torch.Tensor,
    reference: Callable[..., torch.Tensor] | None = None,
    name: str | None = None,
    seed: int = 0,
) -> GradientAudit:
    """Ask whether ``function(*inputs)`` and its gradient are right, in float64 and in float32.

    ``function`` takes tensors and returns one tensor; ``reference`` computes the same in plain torch. The gradient is
    audited for the inputs that require grad, or for every floating-point input if none does. The inputs' values are
    taken in both precisions whatever their dtype; integer tensors are passed as they are. Without a reference only
    the central differences are asked. ``seed`` fixes the random upstream gradient and direction.

    Writes nothing: the inputs, and their ``.grad``, stay as they are. Raises ValueError if no input is a
    floating-point tensor; what the function itself raises passes through.
    """
    moving = [i for i, x in enumerate(inputs) if _is_floating(x) and x.requires_grad]
    moving = moving or [i for i, x in enumerate(inputs) if _is_floating(x)]
    if not moving:
        raise ValueError("audit needs at least one floating-point tensor to differentiate by")
    subject = _Subject(function, inputs, moving, seed)
    checks = [*_against_reference(subject, reference)] if reference else []
    checks += _against_differences(subject)
    return GradientAudit(name or _name(function), executor(inputs[moving[0]].device).name, tuple(checks))


def _is_floating(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


class _Subject:
    """The function under audit, and its inputs and upstream gradient in whatever dtype is asked for."""

    def __init__(self, function: Callable, inputs: Sequence, moving: list[int], seed: int) -> None:
        self.function, self.given, self.moving = function, inputs, moving
        self.generator = torch.Generator().manual_seed(seed)
        self.names = _names(function, inputs)
        output = self.value(function, self.inputs(torch.float64))
        # of both signs, and never close to one, so that a backward which ignores it is wrong by a clear factor
        self.upstream = 1.25 + torch.rand(output.shape, generator=self.generator, dtype=torch.float64)
        self.upstream[torch.rand(output.shape, generator=self.generator) < 0.5] *= -1
        self.upstream = self.upstream.to(output.device)
        first = inputs[moving[0]]
        self.counts = {"the output's elements": output.numel(), "the input's elements": first.numel()}
        self.counts |= {f"dimension {d}": size for d, size in enumerate(first.shape)}

    def inputs(self, dtype: torch.dtype, through: torch.dtype | None = None) -> list:
        """The inputs in ``dtype``, rounded to ``through`` before if that is given."""
        made = []
        for i, x in enumerate(self.given):
            if _is_floating(x):
                x = x.detach().to(through or dtype).to(dtype).clone().requires_grad_(i in self.moving)
            made.append(x)
        return made

    def value(self, function: Callable, inputs: Sequence) -> torch.Tensor:
        output = function(*inputs)
        if not isinstance(output, torch.Tensor):
            raise ValueError(f"audit needs a function that returns one tensor; this one returned {type(output)}")
        return output

    def gradients(
        self, function: Callable, inputs: Sequence, upstream: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The value, and the gradient by each moving input (zeros where the function does not depend on it)."""
        output = self.value(function, inputs)
        wanted = [inputs[i] for i in self.moving]
        found: Sequence[torch.Tensor | None] = [None] * len(wanted)
        if output.requires_grad:
            found = torch.autograd.grad(output, wanted, upstream.to(output.dtype), allow_unused=True)
        return output.detach(), [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, found, strict=True)]


def _owner(function: Callable) -> type[torch.autograd.Function] | None:
    """The autograd.Function whose ``apply`` this is."""
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, type) and issubclass(owner, torch.autograd.Function) else None


def _name(function: Callable) -> str:
    owner = _owner(function)
    return owner.__name__ if owner else getattr(function, "__qualname__", type(function).__name__)


def _names(function: Callable, inputs: Sequence) -> list[str]:
    """The parameters' names, for as many inputs as have one."""
    owner = _owner(function)
    try:
        parameters = inspect.signature(owner.forward if owner else function).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "ctx"]
    return [names[i] if i < len(names) else f"input {i}" for i in range(len(inputs))]


def _against_reference(subject: _Subject, reference: Callable) -> list[Check]:
    float64, float32 = torch.float64, torch.float32
    upstream, ones = subject.upstream, torch.ones_like(subject.upstream)
    shape = subject.value(reference, subject.inputs(float64)).shape
    if shape != upstream.shape:
        said = f"its shape is {tuple(upstream.shape)} and should be {tuple(shape)}"
        return [Check("value, float64, against torch", "wrong", math.inf, MARGIN, "ulp", said=said)]
    # the truth for float32 is float64 arithmetic on the inputs and upstream gradient that float32 can hold
    upstream32 = upstream.to(float32).to(float64)
    truth32 = subject.gradients(reference, subject.inputs(float64, float32), upstream32)
    torch32 = subject.gradients(reference, subject.inputs(float32), upstream32)
    truth64 = subject.gradients(reference, subject.inputs(float64), upstream)
    plain64 = subject.gradients(reference, subject.inputs(float64), ones)
    got64 = subject.gradients(subject.function, subject.inputs(float64), upstream)
    got32 = subject.gradients(subject.function, subject.inputs(float32), upstream32)

    def flat(result: tuple[torch.Tensor, list[torch.Tensor]]) -> list[torch.Tensor]:
        return [result[0], *result[1]]

    labels = ["value", *(f"gradient by {subject.names[i]}" for i in subject.moving)]
    checks = []
    for dtype, got, truth in ((float64, got64, truth64), (float32, got32, truth32)):
        rows = zip(labels, flat(got), flat(truth), flat(truth32), flat(torch32), flat(plain64), strict=True)
        for label, mine, true, true32, theirs32, plain in rows:
            # rounding costs as many ulps in one precision as in the other, so the float32 figure serves both
            own = float(ulps(theirs32, true32, float32).max()) if true.numel() else 0.0
            unscaled = None if label == "value" else plain
            checks.append(_check(f"{label}, {_short(dtype)}, against torch", mine, true, dtype, own, subject, unscaled))
    return checks


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check(
    question: str,
    got: torch.Tensor,
    truth: torch.Tensor,
    dtype: torch.dtype,
    own: float,
    subject: _Subject,
    unscaled: torch.Tensor | None,
) -> Check:
    allowed = MARGIN * max(own, 1.0)
    error = ulps(got, truth, dtype)
    wrong = error > allowed
    worst = float(error.max()) if error.numel() else 0.0
    if not wrong.any():
        return Check(question, "right", worst, allowed, "ulp", own)
    return Check(question, "wrong", worst, allowed, "ulp", own, diagnose(got, truth, wrong, subject.counts, unscaled))


def _against_differences(subject: _Subject) -> list[Check]:
    """The backward against the function's own value, moved along each input's gradient with random weights."""
    inputs = subject.inputs(torch.float64)
    _, gradients = subject.gradients(subject.function, inputs, subject.upstream)
    points = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]

    def weighted(*moved: torch.Tensor) -> torch.Tensor:
        return subject.upstream * subject.value(subject.function, moved)

    checks = []
    for i, gradient in zip(subject.moving, gradients, strict=True):
        question = f"gradient by {subject.names[i]}, float64, against differences"
        weights = 0.5 + torch.rand(gradient.shape, generator=subject.generator, dtype=torch.float64)
        # along the gradient's own signs nothing cancels, so an error of any kind shows at its full size
        signs = torch.where(gradient < 0, -1.0, 1.0)
        direction = signs * weights.to(gradient.device)
        along = [direction if j == i else None for j in range(len(points))]
        claimed = float((gradient * direction).sum())
        if gradient.numel() == 0:
            checks.append(Check(question, "right", 0.0, 0.0, "relative"))
            continue
        if not math.isfinite(claimed):
            said = "the gradient holds NaN or infinity"
            checks.append(Check(question, "wrong", math.inf, 0.0, "relative", said=said))
            continue
        found = finite_difference(weighted, *points, scheme="richardson", direction=along)
        size = max(abs(claimed), abs(found.value))
        error = abs(claimed - found.value) / size if size else 0.0
        allowed = found.error / size if size else 0.0
        verdict = "right" if error <= allowed else "wrong"
        said = ""
        if not allowed <= UNCLEAR and not error > 10 * allowed:
            verdict = "unclear"
            said = f"the difference itself is uncertain by {allowed:.1g}; is there a kink or a step near this point?"
        elif verdict == "wrong":
            said = (
                f"the backward says {claimed:.8g} along a random direction, and differences of the value say "
                f"{found.value:.8g}: {claimed / found.value if found.value else math.inf:.6g} times that"
            )
        checks.append(Check(question, verdict, error, allowed, "relative", said=said))
    return checks
