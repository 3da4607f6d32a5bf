"""Of many cases that take long to compile, some for every day; the others are for ``pytest -m long``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def everyday(cases: Iterable[Any], every: int) -> list:
    """The cases as parameters, every n-th as it is, beginning with the first, and the others marked long."""
    return [case if k % every == 0 else pytest.param(case, marks=pytest.mark.long) for k, case in enumerate(cases)]
