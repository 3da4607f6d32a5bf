"""An exercise: a task, and a check that tells a reader what is wrong with an answer, in a sentence."""

from __future__ import annotations

import abc
import html
from dataclasses import dataclass
from typing import Any

from workbench.course.verdict import Verdict
from workbench.errors import KernelFault
from workbench.named import nearest


class Wrong(Exception):
    """What is wrong with an answer, in sentences."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Exercise(abc.ABC):
    """A ``task`` under a ``name`` that no other exercise of the course has."""

    name: str
    task: str

    def check(self, answer: Any) -> Verdict:
        """Try an answer. Nothing that is wrong with it is raised: the verdict says it."""
        try:
            said = self._try(answer)
        except Wrong as wrong:
            return Verdict(self.name, False, wrong.args)
        except KernelFault as fault:
            return Verdict(self.name, False, tuple(map(str, fault.findings)))
        except Exception as problem:
            return Verdict(self.name, False, (f"it raises {type(problem).__name__}: {problem}",))
        return Verdict(self.name, True, (said,))

    @abc.abstractmethod
    def _try(self, answer: Any) -> str:
        """Say what a right answer was tried on; raise Wrong, or what the answer raises."""

    def __repr__(self) -> str:
        return f"{self.name}: {self.task}"

    def _repr_html_(self) -> str:
        pieces = html.escape(self.task).split("`")
        task = "".join(f"<code>{p}</code>" if k % 2 else p for k, p in enumerate(pieces))
        return f"<div><strong>{html.escape(self.name)}</strong>: {task}</div>"


def exercise(name: str) -> Exercise:
    """The exercise of that name: shown, it says its task; ``.check(answer)`` tries an answer.

    Raises ValueError for a name that no exercise has.
    """
    from workbench.course.exercises import ALL

    if name not in ALL:
        raise ValueError(f"there is no exercise {name!r}{nearest(name, tuple(ALL))}")
    return ALL[name]
