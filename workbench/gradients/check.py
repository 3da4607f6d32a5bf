"""One question of an audit and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.gradients.fault import Fault

MARGIN = 4
"""How many times the reference's own error, and how many ulps at least, an error may be."""


@dataclass(frozen=True)
class Check:
    """One question of an audit and its answer.

    ``verdict`` is ``"right"``, ``"wrong"`` or ``"unclear"``; ``error`` and ``allowed`` are in ``unit`` (``"ulp"`` or
    ``"relative"``); ``reference_error`` is the reference's own error in ulps, where it was measured; ``said`` is a
    sentence about what is wrong, or empty; ``fault`` holds the wrong tensor, where one tensor is.
    """

    question: str
    verdict: str
    error: float
    allowed: float
    unit: str
    reference_error: float | None = None
    said: str = ""
    fault: Fault | None = field(default=None, compare=False, repr=False)
