"""launch: check the call, choose the executor, run the kernel on the memory of torch tensors.

The launch is the only place that knows where a kernel runs. Tensors on a GPU launch it there; tensors on the CPU run
it through the CPU executor, or through Numba's simulator where that is switched on.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench import numba_cuda, recording, sanitizer
from workbench.errors import LaunchError
from workbench.executors import executor, ported
from workbench.kernel import Kernel, describe
from workbench.numba_cuda import Configuration
from workbench.tensors import overlaps_itself, refusal

# Limits of every GPU that CUDA 13 supports (CUDA C++ Programming Guide, technical specifications).
MAX_THREADS = 1024
MAX_BLOCK = (1024, 1024, 64)
MAX_GRID = (2**31 - 1, 65535, 65535)


def launch(configured: Any, *arguments: Any, sanitize: bool = False) -> None:
    """Run ``kernel[grid, block]`` on torch tensors and scalars.

    ``configured`` is a ``cuda.jit`` kernel with Numba's own launch syntax: ``kernel[grid, block]`` or
    ``kernel[grid, block, 0, shared_bytes]``. ``arguments`` are the kernel's, in order: torch tensors, NumPy arrays
    (on the CPU), and Python or NumPy scalars.

    Updates: whatever the kernel writes. The kernel sees each tensor's memory with the strides that it has; nothing is
    copied, cast or moved, and autograd sees nothing of it. On a GPU the kernel is queued on torch's current stream
    and not waited for.

    ``sanitize=True`` checks every access to memory while the kernel runs, on the CPU executor, and raises KernelFault
    with what it found; see :mod:`workbench.sanitizer` for whole programs.

    Raises LaunchError, before anything runs, for a call that cannot be right, and its subclass CompileError for a
    kernel that does not compile. Inside ``torch.compile`` it is one opaque operator, and checked when the graph runs.
    """
    if torch.compiler.is_compiling():
        from workbench import operator  # it imports torch's compiler, which takes seconds

        operator.trace(_configuration(configured), arguments, sanitize)
        return
    call = check(configured, arguments)
    recording.note(configured, arguments)
    chosen = ported.of(call.configuration.kernel) or executor(call.device)
    if sanitize or sanitizer.is_wanted():
        if chosen.sanitized is None:
            raise LaunchError(
                f"{call.kernel.name}: only the CPU executor can sanitize, and this call is for the {chosen.name}"
            )
        sanitizer.report(chosen.sanitized(call.configuration, arguments))
    else:
        chosen.launch(call.configuration, arguments)
    call.count_writes()


class Call(NamedTuple):
    """A call that was checked: the kernel and its launch, the device of its arrays, and those that it writes."""

    kernel: Kernel
    configuration: Configuration
    device: torch.device
    written: tuple[torch.Tensor | np.ndarray, ...]

    def count_writes(self) -> None:
        """Let autograd notice when a tensor saved for backward is written later. Updates: the tensors' versions."""
        for argument in self.written:
            if isinstance(argument, torch.Tensor) and not argument.is_inference():
                torch.autograd.graph.increment_version(argument)


def check(configured: Any, arguments: Sequence[Any]) -> Call:
    """Check a call as launch does, before anything runs. Raises LaunchError for one that cannot be right."""
    configuration = _configuration(configured)
    kernel = describe(configuration.kernel)
    _check_dimensions(kernel, "grid", configuration.grid, MAX_GRID)
    _check_dimensions(kernel, "block", configuration.block, MAX_BLOCK)
    threads = math.prod(configuration.block)
    if threads > MAX_THREADS:
        raise LaunchError(
            f"{kernel.name}: a block of {_product(configuration.block)} = {threads:,} threads; CUDA allows "
            f"{MAX_THREADS:,}; use a smaller block and more blocks, such as blocks(n, 256), 256"
        )
    _check_count(kernel, arguments)
    device = _common_device(kernel, arguments)
    written = []
    for name, argument in zip(kernel.parameters, arguments, strict=False):
        check_argument(kernel, name, argument)
        if name in kernel.written:
            _check_output(kernel, name, argument)
            written.append(argument)
    return Call(kernel, configuration, device, tuple(written))


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Within this, code that calls kernels the way Numba does runs them on the CPU: ``kernel[grid, block](*arrays)``.

    The arrays are NumPy arrays or CPU tensors; each call is a :func:`launch` and raises what that raises. In Numba's
    simulator, which runs such calls anyway, this changes nothing. It holds for all Python threads.
    """
    if numba_cuda.simulated():
        yield
        return
    with numba_cuda.redirected(launch):
        yield


def blocks(n: int, block: int = 256) -> int:
    """The number of blocks of ``block`` threads that cover ``n`` elements: ``n / block`` rounded up, at least one.

    At least one, so that an empty tensor launches too: every thread's ``if i < n`` then says no.
    Raises LaunchError for a negative ``n`` or a block that is not positive.
    """
    if n < 0 or block < 1:
        raise LaunchError(f"blocks(n={n}, block={block}): n must be at least 0 and block at least 1")
    return max(1, -(-n // block))


def _configuration(configured: Any) -> Configuration:
    found = numba_cuda.configuration(configured)
    if found is None and numba_cuda.is_kernel(configured):
        name = numba_cuda.python_function(configured).__name__
        raise LaunchError(f"{name} has no grid and block; write launch({name}[grid, block], ...)")
    if found is None:
        shown = getattr(configured, "__name__", None) or repr(configured)
        raise LaunchError(
            f"{shown} is a {type(configured).__name__}, not a configured cuda.jit kernel; decorate the kernel with "
            "@cuda.jit and write launch(kernel[grid, block], ...)"
        )
    if numba_cuda.is_device_function(found.kernel):
        name = numba_cuda.python_function(found.kernel).__name__
        raise LaunchError(
            f"{name} is a device function, which only a kernel can call; decorate it with @cuda.jit to launch it"
        )
    return found


def _product(dimensions: Sequence[int]) -> str:
    last = max((i for i, size in enumerate(dimensions) if size != 1), default=0)
    return " x ".join(f"{size:,}" for size in dimensions[: last + 1])


def _check_dimensions(kernel: Kernel, what: str, dimensions: Sequence[int], limits: Sequence[int]) -> None:
    for axis, size, limit in zip("xyz", dimensions, limits, strict=True):
        if size < 1:
            raise LaunchError(
                f"{kernel.name}: the {what} is {_product(dimensions)}, so no thread would run; every dimension must be "
                "at least 1 (blocks(n) gives at least one block, also for an empty tensor)"
            )
        if size > limit:
            advice = (
                "put the long dimension in x, or let each thread stride over several elements"
                if what == "grid"
                else "use a smaller block and more blocks, such as blocks(n, 256), 256"
            )
            raise LaunchError(f"{kernel.name}: the {what} has {size:,} along {axis}; CUDA allows {limit:,}; {advice}")


def _check_count(kernel: Kernel, arguments: Sequence[Any]) -> None:
    enough = len(arguments) >= kernel.required
    if not enough or (len(arguments) > len(kernel.parameters) and not kernel.variadic):
        raise LaunchError(
            f"{kernel.name} takes {len(kernel.parameters)} argument{'s' * (len(kernel.parameters) != 1)} "
            f"({', '.join(kernel.parameters)}), and got {len(arguments)}"
        )


def _common_device(kernel: Kernel, arguments: Sequence[Any]) -> torch.device:
    """The one device of all array arguments; the CPU for a kernel of scalars only."""
    first_name, device = None, torch.device("cpu")
    for name, argument in zip(kernel.parameters, arguments, strict=False):
        if isinstance(argument, torch.Tensor):
            here = argument.device
        elif isinstance(argument, np.ndarray):
            here = torch.device("cpu")
        else:
            continue
        if first_name is None:
            first_name, device = name, here
        elif here != device:
            what = "a NumPy array, so on cpu" if isinstance(argument, np.ndarray) else f"on {here}"
            raise LaunchError(
                f"{kernel.name}: {first_name!r} is on {device} and {name!r} is {what}; a kernel runs on one device: "
                f"move one of them with .to({str(device)!r}) or .to({str(here)!r})"
            )
    return device


def check_argument(kernel: Kernel, name: str, argument: Any) -> None:
    """Refuse, by LaunchError, an argument that no kernel can be given."""
    if isinstance(argument, torch.Tensor):
        why = refusal(argument)
        if why:
            raise LaunchError(f"{kernel.name}: {name!r} {why}")
    elif isinstance(argument, int):
        if not -(2**63) <= argument < 2**63:
            raise LaunchError(f"{kernel.name}: {name!r} is {argument}, which does not fit in int64")
    elif isinstance(argument, np.ndarray):
        if isinstance(argument, np.ma.MaskedArray):
            raise LaunchError(
                f"{kernel.name}: {name!r} is a MaskedArray, and a kernel would not see its mask; pass .filled(value)"
            )
        if argument.dtype.kind not in "biufcV" or argument.dtype in (np.longdouble, np.clongdouble):
            raise LaunchError(
                f"{kernel.name}: {name!r} is an array of {argument.dtype}, which no kernel can compute with; pass an "
                "array of numbers"
            )
        if not argument.dtype.isnative:
            raise LaunchError(
                f"{kernel.name}: {name!r} is {argument.dtype.str}, in another byte order than this machine's; pass "
                ".astype(array.dtype.newbyteorder('='))"
            )
    elif not isinstance(argument, (float, complex, np.generic)):
        raise LaunchError(
            f"{kernel.name}: {name!r} is a {type(argument).__name__}; a kernel takes torch tensors and scalars "
            "(make a tensor of it with torch.tensor)"
        )


def _check_output(kernel: Kernel, name: str, argument: Any) -> None:
    if not isinstance(argument, (torch.Tensor, np.ndarray)):
        raise LaunchError(
            f"{kernel.name} writes {name!r}, and got the {type(argument).__name__} {argument!r} for it; pass a tensor "
            "for the kernel to write into"
        )
    if overlaps_itself(argument):
        strides = argument.strides if isinstance(argument, np.ndarray) else argument.stride()
        raise LaunchError(
            f"{kernel.name} writes {name!r}, whose elements share memory (shape {tuple(argument.shape)}, strides "
            f"{tuple(strides)}, as after expand); pass a tensor of its own memory, such as torch.empty(shape)"
        )
    if isinstance(argument, np.ndarray):
        if not argument.flags.writeable:
            raise LaunchError(f"{kernel.name} writes {name!r}, which is a read-only NumPy array; pass a copy")
    elif argument.requires_grad and torch.is_grad_enabled():
        raise LaunchError(
            f"{kernel.name} writes {name!r}, which requires grad, and autograd would not see the write; write into a "
            "fresh tensor inside an autograd.Function, or launch under torch.no_grad()"
        )
