"""What `workbench report NAME` reports: the kernels of a loss or pattern, or those of a file."""

from __future__ import annotations

import difflib
import runpy
import sys
from pathlib import Path
from typing import Any

from workbench import numba_cuda
from workbench.executors import best_device
from workbench.inspection.report import CompileReport, report
from workbench.kernel import describe
from workbench.recording import Launch, distinct, launches_of


class NotFound(ValueError):
    """There is no such loss, file or kernel. The message says what there is."""


def reports_of(name: str, arch: str) -> list[CompileReport]:
    """A report for each kernel that ``name`` stands for.

    ``name`` is a loss or pattern, whose example is run forward and backward to see what it launches, or
    ``path/to/file.py:NAME``. There NAME is a kernel, whose arguments ``example()`` of that file returns, or a function
    or autograd.Function, whose inputs it returns. Raises NotFound, and what report raises.
    """
    if ".py:" in name:
        return _of_file(name, arch)
    from workbench import losses, patterns

    known = {**losses.ALL, **patterns.ALL}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        there_are = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise NotFound(f"there is no loss or pattern {name!r}; {there_are}")
    one = known[name]
    return _of_launches(launches_of(one.function, *one.example(best_device())), arch)


def _of_launches(launches: list[Launch], arch: str) -> list[CompileReport]:
    from tqdm.auto import tqdm

    found = distinct(launches)
    steps = tqdm(found, desc="compiling", unit="kernel", leave=False, disable=len(found) < 2 or None)
    return [report(one.configured, *one.arguments, arch=arch) for one in steps]


def _of_file(place: str, arch: str) -> list[CompileReport]:
    path, _, title = place.rpartition(":")
    if not Path(path).is_file():
        raise NotFound(f"there is no file {path}")
    sys.path.insert(0, str(Path(path).resolve().parent))
    names = runpy.run_path(str(Path(path).resolve()), run_name="reported")
    if title not in names:
        there = [name for name, value in names.items() if _is_kernel(value)]
        raise NotFound(f"{path} has no {title!r}; its kernels are {', '.join(there) or 'none'}")
    if not callable(names.get("example")):
        raise NotFound(
            f"{path} has no example(); write one that returns the arguments for {title}, such as\n"
            "    def example():\n        return torch.randn(100), torch.empty(100)"
        )
    inputs = names["example"]()
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    chosen = names[title]
    if numba_cuda.is_kernel(chosen) or numba_cuda.configuration(chosen):
        return [_of_kernel(chosen, title, inputs, arch)]
    found = _of_launches(launches_of(getattr(chosen, "apply", chosen), *inputs), arch)
    if not found:
        raise NotFound(f"{title} of {path} launched no kernel with the inputs that example() returns")
    return found


def _is_kernel(value: Any) -> bool:
    return numba_cuda.is_kernel(value) and not numba_cuda.is_device_function(value)


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
