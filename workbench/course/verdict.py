"""What an exercise says of an answer."""

from __future__ import annotations

import html
from dataclasses import dataclass

from workbench.tables import COLOURS


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is right, in sentences."""

    exercise: str
    passed: bool
    said: tuple[str, ...]

    @property
    def _head(self) -> str:
        return f"✓ {self.exercise}: right" if self.passed else f"✗ {self.exercise}: not yet"

    def __repr__(self) -> str:
        return "\n".join([self._head, *(f"  {sentence}" for said in self.said for sentence in said.splitlines())])

    def _repr_html_(self) -> str:
        colour = COLOURS["right" if self.passed else "wrong"]
        said = "".join(f'<div style="white-space:pre-wrap">{html.escape(sentence)}</div>' for sentence in self.said)
        return (
            f'<div style="border-left:4px solid {colour};padding:0.3em 0.9em;margin:0.5em 0">'
            f'<strong style="color:{colour}">{html.escape(self._head)}</strong>{said}</div>'
        )
