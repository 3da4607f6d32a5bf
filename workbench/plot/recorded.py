"""What the pictures of a recorded run share: the run itself, its marks, and its shuffles in rounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench.plot.picture import BLUE, GREEN, ORANGE

if TYPE_CHECKING:
    from workbench.executors.cpu.trace import Exchange, Trace
    from workbench.stepping import Block

ACCESSES = {
    "read": {"marker": "o", "facecolors": "none", "edgecolors": BLUE},
    "write": {"marker": "s", "facecolors": ORANGE, "edgecolors": "none"},
    "atomic": {"marker": "^", "facecolors": GREEN, "edgecolors": "none"},
}
"""How each kind of access is drawn; a write is small enough to lie inside a read of the same element."""


def recorded(run: Trace | Any, arguments: tuple[Any, ...], block: Block) -> Trace:
    """``run``, where it is a Trace already; otherwise the record of ``run``, which is ``kernel[grid, block]``.

    Updates: what the kernel writes. Raises what :func:`workbench.trace` raises.
    """
    from workbench.executors.cpu.trace import Trace  # these two bring Numba
    from workbench.stepping import trace

    return run if isinstance(run, Trace) and not arguments else trace(run, *arguments, block=block)


def recorded_block(run: Trace | Any, arguments: tuple[Any, ...], block: Block) -> Trace:
    """As :func:`recorded`, of one block. Raises ValueError for a Trace of several."""
    trace = recorded(run, arguments, block)
    if len(trace.blocks) > 1:
        raise ValueError(
            f"the trace of {trace.kernel} has {len(trace.blocks)} blocks, and this picture is of one: record it with "
            "block=0, or the number of another block"
        )
    return trace


def turns(shuffles: Iterable[Exchange]) -> list[list[Exchange]]:
    """Shuffles in rounds: a thread's next shuffle is in the next round."""
    rounds: list[dict[tuple, Exchange]] = []
    for event in shuffles:
        who = (event.block, event.thread)
        turn = next((t for t in rounds if who not in t), None)
        if turn is None:
            rounds.append(turn := {})
        turn[who] = event
    return [list(turn.values()) for turn in rounds]
