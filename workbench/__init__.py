"""workbench: write a loss as a Numba CUDA kernel, run it anywhere, prove its gradient.

The public names are imported on first use, so that ``import workbench`` costs little more than ``import torch``.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from workbench.bench import bench
from workbench.errors import CompileError, KernelFault, LaunchError, PortError
from workbench.executors import Executor, best_device, executor
from workbench.executors.ported import ported
from workbench.launch import blocks, launch, on_cpu
from workbench.numba_cuda import let_compile_trace
from workbench.porting.port import port
from workbench.sanitizer import sanitize

_LAZY = {
    "audit": "workbench.gradients.audit",
    "GradientAudit": "workbench.gradients.audit",
    "compare": "workbench.inspection.compare",
    "debug": "workbench.stepping",
    "derive": "workbench.gradients.derive",
    "differenced": "workbench.gradients.in_kernel",
    "exercise": "workbench.course.exercise",
    "finite_difference": "workbench.gradients.finite_difference",
    "once_differentiable": "workbench.second_derivatives",
    "report": "workbench.inspection.report",
    "secant": "workbench.gradients.secant",
    "step_sweep": "workbench.gradients.step_sweep",
    "trace": "workbench.stepping",
    "translate": "workbench.porting.one_kernel",
    "losses": None,
    "patterns": None,
    "plot": None,
}

__all__ = [
    "CompileError",
    "Executor",
    "KernelFault",
    "LaunchError",
    "PortError",
    "bench",
    "best_device",
    "blocks",
    "executor",
    "launch",
    "on_cpu",
    "port",
    "ported",
    "sanitize",
    *_LAZY,
]

# Numba advises against small grids each time that one is configured; here they are launched on purpose, and
# mostly on machines without the GPU that the advice is about.
warnings.filterwarnings("ignore", message="Grid size .* will likely result in GPU under-utilization")

let_compile_trace()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    home = _LAZY[name]
    if home is None:
        return importlib.import_module(f"workbench.{name}")
    return getattr(importlib.import_module(home), name)
