"""Switch the sanitizer on: for one launch, for a block of code, or for a whole process.

On a GPU nobody says when threads race for an element, or when one reads what none has written. The CPU executor can: a
sanitized launch checks every access of the kernel, names the line, the element and the two threads, and takes its time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_collecting: ContextVar[list[Any] | None] = ContextVar("workbench_sanitizer", default=None)


@contextlib.contextmanager
def sanitize() -> Iterator[list[Any]]:
    """Within this, every launch is sanitized; its findings go into the list that this gives, and nothing is raised."""
    found: list[Any] = []
    token = _collecting.set(found)
    try:
        yield found
    finally:
        _collecting.reset(token)


def is_wanted() -> bool:
    """Whether launches are to be sanitized without being asked: within :func:`sanitize`, or by WORKBENCH_SANITIZE=1."""
    return _collecting.get() is not None or os.environ.get("WORKBENCH_SANITIZE", "0") not in ("", "0")


def report(findings: list[Any]) -> None:
    """Put findings into the surrounding :func:`sanitize`; raise KernelFault with them if there is none."""
    from workbench.errors import KernelFault

    found = _collecting.get()
    if found is not None:
        found.extend(findings)
    elif findings:
        raise KernelFault(findings)
