"""Where an axis of threads or elements is numbered."""

from __future__ import annotations

import math


def apart(size: int) -> int:
    """How far apart the numbers stand, about eight of them: a power of two, to keep in step with warps and blocks."""
    return 1 << max(0, math.ceil(math.log2(size / 8)))
