"""What an audit says in sentences, each of them once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from workbench.gradients.check import Check

_NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")
_PRECISIONS = ("float64", "float32")


def notes(checks: Iterable[Check]) -> list[str]:
    """A sentence for each answer that says one; what holds in both precisions alike is said of both together."""
    told: list[tuple[str, str]] = []
    for check in checks:
        if not check.said:
            continue
        before = next((k for k, (question, said) in enumerate(told) if _in_both(question, said, check)), None)
        if before is None:
            told.append((check.question, check.said))
        else:
            question, said = told[before]
            told[before] = (question.replace("float64", " and ".join(_PRECISIONS)), said)
    return [f"{question}: {said}{'' if said.endswith('?') else '.'}" for question, said in told]


def _in_both(question: str, said: str, check: Check) -> bool:
    """Whether ``check`` says in float32 what was said in float64, but for the last digits of a number."""
    same_question = "float64" in question and question.replace(*_PRECISIONS) == check.question
    if not same_question or _NUMBER.sub("#", said) != _NUMBER.sub("#", check.said):
        return False
    pairs = zip(_NUMBER.findall(said), _NUMBER.findall(check.said), strict=True)
    return all(one == other or _are_close(one, other) for one, other in pairs)


def _are_close(one: str, other: str) -> bool:
    """Whether two numbers that are no counts are the same in float32."""
    if not ("." in one and "." in other):
        return False
    return math.isclose(float(one.replace(",", "")), float(other.replace(",", "")), rel_tol=1e-4)
