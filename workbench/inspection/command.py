"""What `workbench report NAME` reports: the kernels of a loss or pattern, or those of a file."""

from __future__ import annotations

from typing import Any

from workbench import numba_cuda
from workbench.executors import best_device
from workbench.inspection.report import CompileReport, report
from workbench.kernel import describe
from workbench.named import Named, NotFound
from workbench.recording import Launch, distinct, launches_of


def reports_of(subject: Named, arch: str) -> list[CompileReport]:
    """A report for each kernel that a name stands for.

    Of a kernel ``example()`` returns the arguments. A function is run forward and backward on its inputs, to see what
    it launches. Raises NotFound where it launches nothing, and what report raises.
    """
    inputs = subject.example(best_device())
    chosen = subject.thing
    if numba_cuda.is_kernel(chosen) or numba_cuda.configuration(chosen):
        return [_of_kernel(chosen, subject.name, inputs, arch)]
    found = _of_launches(launches_of(subject.function, *inputs), arch)
    if not found:
        raise NotFound(f"{subject.name} launched no kernel with its example inputs")
    return found


def _of_launches(launches: list[Launch], arch: str) -> list[CompileReport]:
    from tqdm.auto import tqdm

    found = distinct(launches)
    steps = tqdm(found, desc="compiling", unit="kernel", leave=False, disable=len(found) < 2 or None)
    return [report(one.configured, *one.arguments, arch=arch) for one in steps]


def _of_kernel(kernel: Any, title: str, inputs: tuple, arch: str) -> CompileReport:
    """The kernel with the arguments that example() returned."""
    configuration = numba_cuda.configuration(kernel)
    bare = configuration.kernel if configuration else kernel
    described = describe(bare)
    if numba_cuda.is_device_function(bare) or described.required <= len(inputs) <= len(described.parameters):
        return report(kernel, *inputs, arch=arch)
    parameters = ", ".join(described.parameters)
    raise NotFound(
        f"example() returns {len(inputs)} values, and {title} takes {len(described.parameters)} arguments "
        f"({parameters}); return those, or name the Function that launches the kernel"
    )
