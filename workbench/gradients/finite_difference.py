"""Gradients from values alone: ``finite_difference``, for any function of torch tensors.

What it costs is counted in evaluations of the function. An input of n elements takes n times what one element takes,
unless the function treats elements, or rows, apart from each other: then all of them move at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm.auto import tqdm

from workbench.gradients.independence import independent_dimensions
from workbench.gradients.schemes import SLOPES, check_scheme, chosen_step, complex_difference, difference

PATIENCE = 2.0
"""Seconds after which a progress bar appears."""

NOT_ANALYTIC = {"abs", "angle", "sgn", "real", "imag", "view_as_real", "_conj", "conj_physical", "linalg_vector_norm"}
"""What torch calls the operations that take complex numbers and are not analytic."""


@dataclass(frozen=True)
class FiniteDifference:
    """What ``finite_difference`` found: tuples with a tensor for each differentiable input, of its shape and dtype.

    ``errors`` bounds the error of each element of ``gradients`` (None if it was not asked for); ``step`` is how far
    each element moved; ``evaluations`` counts the calls of the function.
    """

    gradients: tuple[torch.Tensor, ...]
    errors: tuple[torch.Tensor, ...] | None
    step: tuple[torch.Tensor, ...]
    scheme: str
    evaluations: int


@dataclass(frozen=True)
class DirectionalDerivative:
    """A derivative along a direction: its value, a bound of its error (or None), and the step that gave it.

    The inputs moved by ``step`` times the direction.
    """

    value: float
    error: float | None
    step: float
    scheme: str
    evaluations: int


def finite_difference(
    function: Callable[..., torch.Tensor],
    *inputs: Any,
    scheme: str = "central",
    step: float | None = None,
    upstream: torch.Tensor | None = None,
    direction: Sequence[torch.Tensor | None] | None = None,
    independent: int | None = None,
    errors: bool = True,
    ulps: float = 4.0,
) -> FiniteDifference | DirectionalDerivative:
    """The gradient of ``function(*inputs).sum()``, or of ``(upstream * function(*inputs)).sum()``, from values.

    ``function`` returns one tensor of any shape; ``upstream`` has that shape. The gradient is taken by the inputs that
    require grad, or by every floating-point input if none does; others are passed as they are. ``scheme`` is
    ``"forward"``, ``"central"``, ``"richardson"`` or ``"complex"`` (see ``workbench.gradients.schemes``); the last is
    right to rounding for an analytic function that torch can evaluate at complex numbers. ``step`` is one distance for
    every element; without it each element's is chosen from the dtype, the scheme and the element's magnitude.

    ``independent`` says how many leading dimensions of an input and the output the function treats apart: ``x.dim()``
    if it is element-wise, 1 if it treats a batch's rows apart, 0 if all depends on all. All that is treated apart is
    moved in one evaluation. Without it this is found out, in at most 2 log₂ n + 1 evaluations for an element-wise
    function; given, it is believed.

    With ``direction``, a tensor of its input's shape for each input that moves and None for each other input, the
    derivative along it: a DirectionalDerivative. An evaluation takes a copy of what moves.

    ``errors=False`` leaves out the bound of the error and what it costs. An element, or a direction, then takes 1
    evaluation (forward, and 1 for all; complex), 2 (central) or 4 (richardson), and with it 2, 4, or 6, and 1 for all;
    a direction takes one more.

    The bound holds for a function that is smooth on the scale of the step, and whose value is wrong by no more than
    ``ulps`` ε of its size. Four are what a formula loses that cancels nothing: torch's own functions lose one or two.
    A function that cancels inside itself, such as x³ - x near 1 or the cross entropy of a row that is almost sure,
    loses more, and its values do not tell: hold it against float64, or 50 digits, and give what it loses. A kink
    within the step is noticed by ``"central"`` and ``"richardson"``, and by ``"forward"``, which looks to one side,
    perhaps not.

    Writes nothing: inputs stay as they are. A progress bar appears when it takes long. Raises ValueError for inputs
    without a floating-point tensor, a function that does not return one tensor, shapes that do not fit, a step that
    is not positive or does not move some element, ``ulps`` that are negative, and for ``"complex"`` a function that
    cannot be evaluated so.
    """
    check_scheme(scheme)
    if step is not None and not (isinstance(step, (int, float)) and 0 < step < math.inf):
        raise ValueError(f"step={step!r} is not a positive number; leave it out to have it chosen by theory")
    if not ulps >= 0:
        raise ValueError(f"ulps={ulps!r} says how wrong the function's value may be; it is zero or more")
    moving = [i for i, x in enumerate(inputs) if _is_floating(x) and x.requires_grad]
    moving = moving or [i for i, x in enumerate(inputs) if _is_floating(x)]
    if not moving:
        raise ValueError("finite_difference needs at least one floating-point tensor to differentiate by")
    subject = _Subject(function, inputs, upstream, scheme, errors, ulps)
    if direction is not None:
        return _along(subject, direction, step)
    found = [_gradient(subject, i, step, independent) for i in moving]
    gradients, bounds, steps = zip(*found, strict=True)
    return FiniteDifference(gradients, bounds if errors else None, steps, scheme, subject.evaluations)


def _is_floating(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


class _Subject:
    """The function that is differenced: its inputs, what weighs its output, and how often it was called."""

    def __init__(
        self,
        function: Callable,
        inputs: Sequence,
        upstream: torch.Tensor | None,
        scheme: str,
        errors: bool,
        ulps: float,
    ) -> None:
        self.function, self.upstream, self.scheme, self.errors = function, upstream, scheme, errors
        self.ulps = ulps + (upstream is not None) / 2  # the product with the upstream gradient is rounded
        self.inputs = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]
        self.evaluations = 0
        self._here: torch.Tensor | None = None

    def here(self) -> torch.Tensor:
        """The function at its inputs as they are, evaluated once."""
        if self._here is None:
            self._here = self.value({})
        return self._here

    def value(self, moved: dict[int, torch.Tensor]) -> torch.Tensor:
        """The function with the inputs in ``moved`` in place of its own."""
        self.evaluations += 1
        with torch.no_grad():
            value = self.function(*(moved.get(i, x) for i, x in enumerate(self.inputs)))
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"finite_difference needs a function that returns one tensor; this one returned {type(value).__name__}"
            )
        return value

    def weighted(self, moved: dict[int, torch.Tensor]) -> torch.Tensor:
        """The function's value times the upstream gradient; of nothing moved, the real value."""
        if not moved:
            value = self.here()
        else:
            value = self.value(moved) if self.scheme != "complex" else self.complex_value(moved)
        if self.upstream is None:
            return value
        if self.upstream.shape != value.shape:
            raise ValueError(
                f"upstream has shape {tuple(self.upstream.shape)} and the function's value {tuple(value.shape)}; "
                "they must be equal"
            )
        return self.upstream.detach() * value

    def complex_value(self, moved: dict[int, torch.Tensor]) -> torch.Tensor:
        every = {i: torch.complex(x, torch.zeros_like(x)) for i, x in enumerate(self.inputs) if _is_floating(x)}
        try:
            with _Analytic():
                value = self.value(every | moved)
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            raise ValueError(
                "scheme='complex' needs a function that torch can evaluate at complex numbers, and this one raised "
                f"{type(error).__name__}: {error}. scheme='richardson' is the most accurate of the others"
            ) from error
        if not value.is_complex():
            raise ValueError(
                "scheme='complex' needs an analytic function, and this one returned real numbers for complex ones. "
                "scheme='richardson' is the most accurate of the others"
            )
        return value

    def difference(self, sample: Callable, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
        epsilon = torch.finfo(dtype).eps
        if self.scheme == "complex":
            return complex_difference(sample, epsilon, self.errors, self.ulps)
        return difference(sample, self.scheme, epsilon, self.errors, self.ulps)


class _Analytic(TorchDispatchMode):
    """Refuses what drops or turns the imaginary part: a function that has it somewhere inside would come out wrong."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = operation.overloadpacket.__name__
        if name in NOT_ANALYTIC and any(isinstance(a, torch.Tensor) and a.is_complex() for a in args):
            raise ValueError(f"{name.strip('_')} is not analytic: it drops or turns the imaginary part")
        return operation(*args, **(kwargs or {}))


def _gradient(
    subject: _Subject, i: int, step: float | None, independent: int | None
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """The gradient by input ``i``, its error and its steps."""
    x = subject.inputs[i]
    _check_complex_dtype(subject, x)
    steps = _steps(x, step, subject.scheme)
    if x.numel() == 0:
        return torch.zeros_like(x), torch.zeros_like(x), steps
    if independent is None:
        probe = x + (steps if subject.scheme != "complex" else chosen_step(x, "central"))
        independent = independent_dimensions(lambda moved: subject.value({i: moved}), x, probe, subject.here())
    if not 0 <= independent <= x.dim():
        raise ValueError(
            f"independent={independent} is not a number of dimensions of an input of shape {tuple(x.shape)}"
        )
    rows = math.prod(x.shape[:independent])
    points, distances = x.reshape(rows, -1), steps.reshape(rows, -1)
    found = torch.empty(2, *points.shape, dtype=torch.float64, device=x.device)

    def sample(multiple: float) -> tuple[torch.Tensor, torch.Tensor]:
        position = points[:, column]
        moved = {}
        if multiple:
            shift = multiple * distances[:, column]
            imaginary = subject.scheme == "complex"
            shifted = torch.complex(points, torch.zeros_like(points)) if imaginary else points.clone()
            shifted[:, column] += 1j * shift if imaginary else shift
            position = shift if imaginary else shifted[:, column]
            moved[i] = shifted.view(x.shape)
        value = subject.weighted(moved)
        if value.shape[:independent] != x.shape[:independent]:
            raise ValueError(
                f"independent={independent} needs an output that begins with {tuple(x.shape[:independent])}, and the "
                f"function returned shape {tuple(value.shape)}"
            )
        return value.reshape(rows, -1), position.double()

    columns = points.shape[1]
    one = columns == 1  # a bar of one step tells nothing
    for column in tqdm(range(columns), desc="finite difference", delay=PATIENCE, leave=False, disable=one):
        gradient, error = subject.difference(sample, x.dtype)
        found[0, :, column] = gradient
        found[1, :, column] = 0 if error is None else error
    gradient, error = found.to(x.dtype).view(2, *x.shape)
    return gradient, error, steps


def _along(subject: _Subject, direction: Sequence[torch.Tensor | None], step: float | None) -> DirectionalDerivative:
    if len(direction) != len(subject.inputs):
        raise ValueError(
            f"direction has {len(direction)} entries for {len(subject.inputs)} inputs; give each one or None"
        )
    moving = {}
    for i, (x, along) in enumerate(zip(subject.inputs, direction, strict=True)):
        if along is None:
            continue
        if not _is_floating(x) or along.shape != x.shape:
            what = f"shape {tuple(x.shape)}" if _is_floating(x) else "no floating-point tensor"
            raise ValueError(f"direction[{i}] has shape {tuple(along.shape)}, and input {i} has {what}")
        _check_complex_dtype(subject, x)
        moving[i] = (x, along.detach())
    moving = {i: (x, along) for i, (x, along) in moving.items() if x.numel() and along.abs().max() > 0}
    if not moving:
        return DirectionalDerivative(0.0, 0.0 if subject.errors else None, 0.0, subject.scheme, 0)
    # the largest element sets the step, in the least precise dtype
    dtype = max((x.dtype for x, _ in moving.values()), key=lambda d: torch.finfo(d).eps)
    largest = torch.tensor(max(float(x.abs().max()) for x, _ in moving.values()), dtype=dtype)
    longest = max(float(along.abs().max()) for _, along in moving.values())
    distance = float(chosen_step(largest, subject.scheme)) / longest if step is None else float(step)

    def moved(multiple: float) -> dict[int, torch.Tensor]:
        shift = multiple * distance * (1j if subject.scheme == "complex" else 1)
        return {i: x + shift * along for i, (x, along) in moving.items()} if multiple else {}

    def sample(multiple: float) -> tuple[torch.Tensor, torch.Tensor]:
        value = subject.weighted(moved(multiple))
        return value[None], torch.tensor([multiple * distance], dtype=torch.float64, device=value.device)

    value, error = subject.difference(sample, dtype)
    if error is not None and subject.scheme != "complex":
        error = error + _astray(subject, moving, moved, distance)
    return DirectionalDerivative(
        float(value), None if error is None else float(error), distance, subject.scheme, subject.evaluations
    )


def _astray(
    subject: _Subject, moving: dict[int, tuple], moved: Callable[[float], dict[int, torch.Tensor]], distance: float
) -> float:
    """What it does to the derivative that the moved points were rounded, each element by itself.

    The points lie along another direction than was asked for. The derivative along the difference of the two, as a
    forward difference over the same distance finds it, and that twice.
    """
    here = {i: x for i, (x, _) in moving.items()}
    astray = {i: -along.double() for i, (_, along) in moving.items()}
    for weight, right, left in SLOPES[subject.scheme]:
        one, other = here | moved(right), here | moved(left)
        for i in astray:
            astray[i] += weight * (one[i].double() - other[i].double()) / ((right - left) * distance)
    farthest = max(float(a.abs().max()) for a in astray.values())
    if not farthest:
        return 0.0
    reach = distance * max(float(along.abs().max()) for _, along in moving.values()) / farthest
    there = subject.weighted({i: (x.double() + reach * astray[i]).to(x.dtype) for i, x in here.items()})
    return 2 * abs(float((there - subject.weighted({})).sum(dtype=torch.float64))) / reach


def _check_complex_dtype(subject: _Subject, x: torch.Tensor) -> None:
    if subject.scheme == "complex" and x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"scheme='complex' needs torch.float32 or torch.float64, and an input is {x.dtype}")


def _steps(x: torch.Tensor, step: float | None, scheme: str) -> torch.Tensor:
    """The steps of each element, made such that x + step is a number."""
    steps = chosen_step(x, scheme) if step is None else torch.full_like(x, step)
    if scheme == "complex":
        return steps
    exact = (x + steps) - x
    stuck = exact == 0
    if stuck.any():
        value = float(x[stuck].flatten()[0])
        raise ValueError(
            f"step={step!r} does not move {value!r} in {x.dtype}: the next number is "
            f"{torch.finfo(x.dtype).eps * abs(value):.1g} or so away; choose a larger step, or leave it out"
        )
    return exact
