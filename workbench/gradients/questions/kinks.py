"""Kinks and ties, where no derivative exists and torch has chosen one: the same choice, or it is wrong.

``kinks={"x": [0.0, "target"]}`` declares a kink where an element of x is 0, and one where it is equal to that of
target; an input's own name declares one where elements of it are equal to each other, as in a maximum. Differences
have nothing to say there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from workbench.gradients.check import Check
from workbench.gradients.questions.consistency import against, alike
from workbench.gradients.subject import Subject, is_floating

Kinks = Mapping[str, Sequence[float | str]]
"""For each input that has kinks, by name, where they are: numbers, or names of inputs."""


def at_kinks(subject: Subject, reference: Callable, kinks: Kinks) -> list[Check]:
    """Whether value and gradient are the reference's, in float64, with the declared values put in the inputs.

    Of elements that tie with each other, those above the median take its value, and then those below it. Any other
    value is taken by every second element, and then by all.
    """
    checks = []
    for name, values in kinks.items():
        for value in values:
            where, points = _points(subject, name, value)
            question = f"gradient {where}, as torch chooses"
            cases = [against(subject.at(subject.names.index(name), x), reference, done) for done, x in points.items()]
            asked = [case for case in cases if case]
            unasked = Check(question, "unclear", 0.0, 0.0, "ulp", said="the reference raises there")
            checks.append(alike(question, asked) if asked else unasked)
    return checks


def _points(subject: Subject, name: str, value: float | str) -> tuple[str, dict[str, torch.Tensor]]:
    """What is asked about, and the values of the input, by what was done to it; of float64."""
    inputs = dict(zip(subject.names, subject.inputs(torch.float64), strict=True))
    x = inputs[name].detach()
    if value == name:
        middle = x.median() if x.numel() else 0.0
        points = {
            "where the largest are equal": x.clamp(max=middle),
            "where the smallest are equal": x.clamp(min=middle),
        }
        return f"where elements of {name} are equal", points
    put = inputs[value].detach() if isinstance(value, str) else torch.full((), value, dtype=x.dtype, device=x.device)
    even = (torch.arange(x.numel(), device=x.device) % 2 == 0).view(x.shape)
    points = {"at every second element": torch.where(even, put, x), "at every element": put.expand(x.shape).clone()}
    return f"where {name} = {value}" if isinstance(value, str) else f"at the kink {name} = {value:g}", points


def check_kinks(subject: Subject, reference: Callable | None, kinks: Kinks) -> None:
    """Raise ValueError unless there is a reference, and each kink is a number or a floating-point input for another."""
    if reference is None:
        raise ValueError("kinks needs a reference: what is right at a kink is what torch chooses there")
    floating = {name: x for name, x in zip(subject.names, subject.given, strict=True) if is_floating(x)}
    known = f"the floating-point inputs are {', '.join(floating)}"
    for name, values in kinks.items():
        if name not in floating:
            raise ValueError(f"kinks has {name!r}; {known}")
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ValueError(f"kinks has {values!r} for {name!r}; give a list, as in {{{name!r}: [{values!r}]}}")
        for value in values:
            if not isinstance(value, str) and not (isinstance(value, (int, float)) and math.isfinite(value)):
                raise ValueError(f"kinks has {value!r} for {name!r}; give finite numbers, or names of inputs")
            if isinstance(value, str) and value not in floating:
                raise ValueError(f"kinks has {value!r} for {name!r}; {known}")
            if isinstance(value, str) and not _expands(floating[value].shape, floating[name].shape):
                shapes = f"{tuple(floating[value].shape)} and {tuple(floating[name].shape)}"
                raise ValueError(f"kinks wants {name!r} equal to {value!r}, and they have shapes {shapes}")


def _expands(shape: torch.Size, other: torch.Size) -> bool:
    try:
        return torch.broadcast_shapes(shape, other) == other
    except RuntimeError:
        return False
