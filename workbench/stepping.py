"""Look inside a kernel: run a block of it as plain Python, to debug it, or to record who read and wrote what.

The kernel runs from its own source, under its own file and lines, thread by thread: each runs up to a barrier, a
shuffle or a vote, and when all have come they go on. ``print`` is Python's own, with f-strings and all, and
``breakpoint()`` opens the debugger on the kernel's line and variables; there, ``next`` stays with the thread, also
across a barrier.

Numbers have the types of the compiled kernel. What can differ from :func:`workbench.launch`: a product and a sum are
rounded one by one, where the launch may fuse them; and a variable that holds an integer first and a float later is an
integer until then, where the launch makes it a float from its beginning. A shuffle from a lane that takes no part gives
one's own value, as in the launch; races are not looked for. The sanitizer names both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import LaunchError
from workbench.executors import executor
from workbench.launch import Call, check

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Recorder, Trace

Block = int | Sequence[int] | None


def debug(configured: Any, *arguments: Any, block: Block = 0) -> None:
    """Run one block of ``kernel[grid, block]`` as plain Python, for ``print`` and ``breakpoint()`` in the kernel.

    ``configured`` and ``arguments`` are those of :func:`workbench.launch`, on the CPU. ``block`` says which block of
    the grid runs: its number along x, or its (x, y) or (x, y, z); None runs all, one after the other.

    Updates: whatever that block writes, as the launch would; up to the fault, where there is one.

    Raises LaunchError, before anything runs, for a call that cannot be right and for tensors on a GPU; and KernelFault,
    on the kernel's line, where it goes out of bounds, reads shared or local memory that was not written, or waits for
    threads that never come.
    """
    call = _check(configured, arguments)
    _run(call, arguments, _blocks(call, block), None)


def trace(configured: Any, *arguments: Any, block: Block = 0) -> Trace:
    """Run one block of ``kernel[grid, block]`` as :func:`debug` does, and record what its threads do.

    Updates: whatever that block writes. Raises what debug raises. The Trace has every access, barrier and exchange as
    data; ``workbench.plot.threads`` draws it. Not recorded is what happens inside an ordinary ``numba.njit`` function.
    """
    from workbench.executors.cpu.trace import Recorder, Trace

    call = _check(configured, arguments)
    blocks = _blocks(call, block)
    recorder = Recorder()
    _run(call, arguments, blocks, recorder)
    configuration = call.configuration
    return Trace(call.kernel.name, configuration.grid, configuration.block, blocks, *recorder.parts)


def _check(configured: Any, arguments: tuple[Any, ...]) -> Call:
    call = check(configured, arguments)
    chosen = executor(call.device)
    if chosen.stepped is None:
        advice = "move the tensors with .cpu()" if chosen.name == "gpu" else "start Python without NUMBA_ENABLE_CUDASIM"
        raise LaunchError(
            f"{call.kernel.name}: only the CPU executor runs a kernel step by step, and this call is for the "
            f"{chosen.name}; {advice}"
        )
    return call


def _run(call: Call, arguments: tuple[Any, ...], blocks: tuple, recorder: Recorder | None) -> None:
    executor(call.device).stepped(call.configuration, arguments, blocks, recorder)
    call.count_writes()


def _blocks(call: Call, block: Block) -> tuple[tuple[int, int, int], ...]:
    grid = call.configuration.grid
    if block is None:
        x, y, _ = grid
        return tuple((n % x, n // x % y, n // (x * y)) for n in range(math.prod(grid)))
    wanted = tuple(block) if isinstance(block, (tuple, list)) else (block,)
    index = (*wanted, 0, 0)[:3]
    if len(wanted) > 3 or not all(isinstance(k, int) and 0 <= k < size for k, size in zip(index, grid, strict=True)):
        shown = " x ".join(map(str, grid))
        raise LaunchError(
            f"{call.kernel.name}: there is no block {block!r} in the grid of {shown} blocks; count from 0"
        )
    return (index,)
