"""An exercise whose answer is a number or a word: a prediction, before a cell shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.course.exercise import Exercise, Wrong


@dataclass(frozen=True, kw_only=True, repr=False)
class ValueExercise(Exercise):
    """The answer is ``value``: a number, which need not be right in its last digits, or a word.

    ``because`` says why, once it is found. ``mistakes`` has for a wrong value what it comes from.
    """

    value: float | str | tuple
    because: str
    mistakes: Mapping[Any, str] = field(default_factory=dict)
    tolerance: float = 1e-6

    def _try(self, answer: Any) -> str:
        if answer is None or answer is ...:
            raise Wrong("there is no answer yet.")
        if self._is(answer, self.value):
            return self.because
        named = [said for value, said in self.mistakes.items() if self._is(answer, value)]
        raise Wrong(*(named[:1] or [self._not_it(answer)]))

    def _not_it(self, answer: Any) -> str:
        if not isinstance(self.value, tuple):
            return f"it is not {answer!r}."
        if not isinstance(answer, (tuple, list)) or len(answer) != len(self.value):
            return f"the answer is {len(self.value)} values, in the order that they are asked for."
        right = list(map(self._is, answer, self.value))
        first = right.index(False)
        which = f"the first that is not is number {first + 1}, {answer[first]!r}"
        return f"{sum(right)} of {len(right)} are right; {which}."

    def _is(self, answer: Any, value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(answer, str) and answer.strip().lower() == value.lower()
        if isinstance(value, tuple):
            is_like = isinstance(answer, (tuple, list)) and len(answer) == len(value)
            return is_like and all(map(self._is, answer, value))
        try:
            return math.isclose(float(answer), value, rel_tol=self.tolerance)
        except (TypeError, ValueError):
            return False
