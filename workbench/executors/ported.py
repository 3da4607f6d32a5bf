"""A port put back under its prototype: a launch of a kernel runs what an extension has for it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from workbench import numba_cuda
from workbench.errors import LaunchError
from workbench.executors import Executor
from workbench.numba_cuda import Configuration

_ports: list[dict[str, dict[str, Any]]] = []
"""For each package, by a kernel's qualified name: the port of each fingerprint."""


@contextlib.contextmanager
def ported(package: ModuleType) -> Iterator[None]:
    """Within this, kernels that ``package`` was ported from run as its C++ operators; all others run as ever.

    ``package`` is an extension that ``workbench.port`` wrote, built and imported. So the same audit, tests and
    benchmark that were made for the prototype try the port. It holds for all Python threads.

    Raises LaunchError for a package that is no port, and at the launch of a kernel that has changed since.
    """
    kernels = vars(getattr(package, "kernels", None) or object) if isinstance(package, ModuleType) else {}
    found: dict[str, dict[str, Any]] = {}
    for port in kernels.values():
        if hasattr(port, "fingerprints"):
            found.setdefault(port.prototype.partition(":")[2], {}).update(dict.fromkeys(port.fingerprints, port))
    if not found:
        raise LaunchError(f"{package!r} is not an extension that workbench.port wrote; import one and pass the module")
    _ports.append(found)
    try:
        yield
    finally:
        _ports[:] = [port for port in _ports if port is not found]


def of(kernel: Any) -> Executor | None:
    """The executor of a kernel that has a port now, or None. Raises LaunchError if the kernel has changed since."""
    if not _ports:
        return None
    name = numba_cuda.python_function(kernel).__qualname__
    known = next((found[name] for found in reversed(_ports) if name in found), None)
    if known is None:
        return None
    port = known.get(_fingerprint(kernel))
    if port is None:
        raise LaunchError(f"{name} is not what was ported: it has changed since, or has other constants; port it again")
    return Executor("ported", f"{port.prototype} was ported to C++", functools.partial(_launch, port))


def _launch(port: Any, configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    _, grid, block, _, shared_bytes = configuration
    port.operator(*(a.detach() if hasattr(a, "detach") else a for a in arguments), grid, block, shared_bytes)


@functools.lru_cache
def _fingerprint(kernel: Any) -> str:
    from workbench.porting.fingerprint import fingerprint

    return fingerprint(kernel)
