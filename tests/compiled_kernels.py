"""The kernels of every loss and pattern, as compiled for five architectures: a table that is held in tests/golden.

``python tests/compiled_kernels.py`` writes the table anew, after a change that is meant or with another compiler.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import itertools
import pkgutil
import sys
from pathlib import Path
from unittest import mock

from workbench import losses, numba_cuda, patterns
from workbench.executors import Executor
from workbench.inspection.compiled import compiler_version
from workbench.inspection.report import CompileReport, reports
from workbench.recording import Launch, launches_of

GOLDEN = Path(__file__).parent / "golden" / "compiled_kernels.txt"
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")


def versions() -> str:
    """What the figures depend on besides the kernels."""
    return f"compiler {compiler_version()}, numba-cuda {importlib.metadata.version('numba-cuda')}"


def declared_kernels() -> set[str]:
    """The names of all kernels that the modules of losses and patterns define."""
    found = set()
    for package in (losses, patterns):
        for module in pkgutil.iter_modules(package.__path__):
            home = importlib.import_module(f"{package.__name__}.{module.name}")
            for value in vars(home).values():
                if numba_cuda.is_kernel(value) and not numba_cuda.is_device_function(value):
                    function = numba_cuda.python_function(value)
                    found.add(f"{function.__module__.split('.')[-1]}.{function.__name__}")
    return found


def launches() -> list[Launch]:
    """Each kernel once, as the example of its loss or pattern launches it, forward and backward; none of them runs."""
    found = []
    idle = Executor("idle", "only the launches matter here", lambda configuration, arguments: None)
    with mock.patch.object(sys.modules["workbench.launch"], "executor", return_value=idle):
        for one in (*losses.ALL.values(), *patterns.ALL.values()):
            inputs = one.example("cpu")
            found += launches_of(one.function, *inputs)
            outputs = one.function(*inputs)
            if isinstance(outputs, tuple):  # a backward may have a kernel of its own for each
                for k in range(len(outputs)):
                    found += launches_of(lambda *given, f=one.function, k=k: f(*given)[k], *inputs)
    seen: dict[int, Launch] = {}
    for launch in found:
        seen.setdefault(id(launch.kernel), launch)
    return list(seen.values())


def name_of(launch: Launch) -> str:
    function = numba_cuda.python_function(launch.kernel)
    return f"{function.__module__.split('.')[-1]}.{function.__name__}"


@functools.cache
def compiled() -> dict[str, tuple[CompileReport, ...]]:
    """The reports of every kernel, by its name, numbered where several share it, for the five architectures."""
    found: dict[str, tuple[CompileReport, ...]] = {}
    for one in launches():
        numbered = (f"{name_of(one)}{f' ({k})' if k > 1 else ''}" for k in itertools.count(1))
        name = next(name for name in numbered if name not in found)
        found[name] = reports(one.configured, *one.arguments, architectures=ARCHITECTURES)
    return found


def table() -> str:
    """A line for each kernel and architecture."""
    width = max(map(len, compiled()))
    lines = [
        versions(),
        "",
        f"{'kernel':{width}}  architecture  registers  shared  local  spilled  warps  instructions",
    ]
    for name, found in sorted(compiled().items()):
        lines += [_row(f"{name:{width}}", one) for one in found]
    return "\n".join(lines) + "\n"


def _row(name: str, one: CompileReport) -> str:
    own = one.occupancies[0]
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(one.mix.items()))
    verdicts = sorted({each.verdict for each in one.float64})
    return (
        f"{name}  {one.architecture:12}  {one.resources.registers:9}  {one.resources.shared:6}  {one.resources.local:5}"
        f"  {one.resources.spills:7}  {f'{own.warps}/{own.most_warps}':5}  {kinds}; float64: "
        f"{', '.join(verdicts) or 'none'}"
    )


if __name__ == "__main__":
    GOLDEN.write_text(table())
    print(f"wrote {GOLDEN}")
