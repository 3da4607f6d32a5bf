"""Switch the sanitizer on: for one launch, for a block of code, or for a whole process.

On a GPU nobody says when threads race for an element, or when one reads what none has written. The CPU executor can: a
sanitized launch checks every access of the kernel, names the line, the element and the two threads, and takes its time.

What it calls a fault is what CUDA leaves undefined, as far as this launch's inputs show it:

- **A race** is two accesses of one element by two threads, one of which writes, with nothing that orders them: no
  barrier that both came to, and for threads of one warp no ``syncwarp``, shuffle or vote either. Threads of a warp run
  in no order of their own. Atomic operations do not race with each other, and do with other accesses.
- Threads that all store **one constant** (``found[0] = 1``) do not race: one of the writes arrives, whichever. This
  goes by the kernel's text, a constant or a scalar argument, and not by the values that happen to be equal today.
- **Blocks** run in any order. They may hand over by ``threadfence`` and an atomic operation: what came before such an
  operation in this run is known to whoever does one on the same element later.
- **A barrier** must be come to by all threads of the block that have not returned: an early ``return`` is no fault, and
  a thread that runs to the end of the kernel past a barrier under ``if`` is. **A mask** must name the lanes that come,
  and a shuffle must read from one of them.

Not seen: what a kernel does not do with these inputs, shuffles from lanes past the end of the block (their values are
undefined, and commonly dropped), reads of whole slices, arrays behind ``x.T`` or ``x.view()`` that have no name of
their own, races within arrays of records, and what device functions do that call themselves. After an index out of
bounds the launch ends.
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
