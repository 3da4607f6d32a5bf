"""Compiled kernels on disk, so that a second process need not compile them again.

A kernel has a folder of its own, named by a hash of all that decides its machine code: its statements with every
outside name resolved, its block shape and argument types, the versions of the compilers, and the source of this
package. In it are the emitted text and what Numba stores of the compiled function.

The folder ``workbench`` in the user's cache folder holds them, or the one that WORKBENCH_CACHE names; nothing is stored
where that is set to nothing. It may be deleted at any time.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
import platformdirs
from numba.core import types

from workbench import numba_cuda
from workbench.executors.cpu.thread import Thread
from workbench.numba_cuda import Dimensions

KEPT = 512
"""Kernels that are kept; beyond that those go that were stored first."""

FILE = "kernel.py"


def entry(thread: Thread, block: Dimensions, argument_types: tuple, several: bool) -> Path | None:
    """The folder of a kernel, which need not exist; None where it cannot be stored."""
    root = _root()
    if root is None:
        return None
    numba_cuda.number_functions_apart()
    try:
        said = [_of_thread(one) for one in thread.reachable]
    except _Unknown:
        return None
    said += [str((block, several)), *map(str, argument_types), str(thread.fastmath), _environment()]
    arrays: dict[str, str] = {}  # whose names tell the line that they are on, which may move
    text = re.sub(
        r"\b(shared|local)__\d+_\d+_\w+", lambda m: arrays.setdefault(m[0], f"array {len(arrays)}"), "\n".join(said)
    )
    return root / hashlib.sha256(text.encode()).hexdigest()[:32]


def load(folder: Path | None, options: dict[str, Any], signature: tuple) -> tuple[Callable, str] | None:
    """The compiled ``run`` function that is stored in a folder, and the emitted text beside it; None without one."""
    if folder is None or not (folder / FILE).is_file():
        return None
    try:
        source = (folder / FILE).read_text(encoding="utf-8")
        run = _jit(folder, source, {}, options)
        run.compile(signature)  # which finds what is stored, or fails, since the text alone cannot be compiled
    except Exception:  # whatever is wrong with a file, the kernel itself is at hand
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return run, source[: source.index(RUN)]


def store(folder: Path, block: str, run: str, namespace: dict[str, Any], options: dict[str, Any]) -> Any:
    """The ``run`` function, not compiled yet, which Numba stores in the folder once it is.

    ``block`` and ``run`` are texts of which the second is compiled; None where the folder cannot be written.
    """
    source = block.rstrip("\n") + "\n" + RUN + run
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _forget_the_oldest(folder.parent)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        (made / FILE).write_text(source, encoding="utf-8")
        try:
            made.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(made, ignore_errors=True)
    except OSError:
        return None
    return _jit(folder, source, namespace, options)


RUN = "\n\n# the loop over blocks, which is compiled with the above in it\n"


def _jit(folder: Path, source: str, namespace: dict[str, Any], options: dict[str, Any]) -> Any:
    namespace = {**namespace, "__name__": __name__}  # where a function that was stored looks for its globals
    text = source[source.index(RUN) :]
    exec(compile("\n" * source[: source.index(RUN)].count("\n") + text, folder / FILE, "exec"), namespace)
    return numba.njit(cache=True, **options)(namespace["run"])


def _root() -> Path | None:
    chosen = os.environ.get("WORKBENCH_CACHE")
    if chosen is None:
        return platformdirs.user_cache_path("workbench")
    return Path(chosen).absolute() if chosen else None


def _forget_the_oldest(root: Path) -> None:
    folders = [path for path in root.iterdir() if path.is_dir()]
    if len(folders) < KEPT:
        return
    for path in sorted(folders, key=lambda path: path.stat().st_mtime)[: KEPT // 2]:
        shutil.rmtree(path, ignore_errors=True)


class _Unknown(Exception):
    """An object without a name that another process would know it by."""


def _of_thread(thread: Thread) -> str:
    said = [thread.name, *thread.parameters, *map(ast.dump, thread.defaults), *map(ast.dump, thread.body)]
    said += [f"{k}={_of_value(v)}" for k, v in thread.origins.items()]
    said += [f"{k}={device.name}" for k, device in thread.devices.items()]
    said += [f"{k}={v}" for k, v in thread.allocations.items()]
    return "\n".join([*said, str(thread.fastmath)])


def _of_value(value: Any) -> str:
    if isinstance(value, (str, types.Type)):
        return str(value)
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_of_value, value))})"
    module = getattr(value, "__module__", None) or ("numpy" if isinstance(value, np.ufunc) else None)
    title = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    found = sys.modules.get(module) if isinstance(module, str) else None
    for part in (title or "").split("."):
        found = getattr(found, part, None)
    if found is None or found is not value:
        raise _Unknown
    return f"{module}.{title}"


@functools.cache
def _environment() -> str:
    """What a kernel's machine code depends on beside the kernel: versions, the processor, and this package's source."""
    said = [sys.version, numba.__version__, llvmlite.__version__, np.__version__]
    said += [numba.core.config.CPU_NAME or "", numba.core.config.CPU_FEATURES or "", str(numba.core.config.OPT)]
    said += [llvmlite.binding.get_host_cpu_name()]
    hashed = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        hashed.update(path.read_bytes())
    return "\n".join([*said, hashed.hexdigest()])
