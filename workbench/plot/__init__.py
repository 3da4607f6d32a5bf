"""Pictures of what the other tools found. Each function takes data, or a kernel to run, and returns a Picture.

A picture stands on white in a light and in a dark notebook alike, and its colours can be told apart by people who see
red and green the same (M. Okabe and K. Ito, 2008).

Names are imported on first use, so that matplotlib is loaded when the first picture is drawn.
"""

from __future__ import annotations

import importlib
from typing import Any

_LAZY = {
    "Picture": "picture",
    "backward_graph": "backward",
    "errors": "cells",
    "functions": "graphs",
    "lanes": "warp",
    "loss_curves": "curves",
    "predictions": "predicted",
    "roofline": "roof",
    "secant": "difference",
    "sectors": "fetched",
    "sizes": "scaling",
    "slider": "widget",
    "spread": "distribution",
    "step_sweep": "sweep",
    "threads": "accesses",
    "timeline": "barriers",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'workbench.plot' has no attribute {name!r}")
    return getattr(importlib.import_module(f"workbench.plot.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
