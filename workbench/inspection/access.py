"""The pattern of each array access: how the element moves from one thread of a warp to the next.

A warp's access of global memory is served in sectors of 32 bytes. Threads in a row that touch elements in a row share
them, which is coalesced; a stride takes a sector for each thread, at worst. Shared memory lies in 32 banks of 4 bytes,
and different words of one bank are served one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench import numba_cuda
from workbench.inspection.ptx import Place
from workbench.inspection.threads import DATA, Seen, View, Walk, Warp, constant, of_array, warp
from workbench.numba_cuda import Configuration
from workbench.source import SourceError, function_tree

SECTOR = 32
BANKS = 32
WORD = 4
COSTS = (
    *("one thread", "local", "no conflict", "broadcast", "coalesced"),
    *("bank conflict", "strided", "irregular", "gather", "unknown"),
)
"""The kinds of access, those that cost most last: what differs from time to time counts as the worst of it."""


@dataclass(frozen=True)
class Access:
    """One access in the source: the element as it is written there, "load", "store" or "atomic", and its pattern.

    ``kind`` is "coalesced", "broadcast", "strided", "irregular", "gather", "one thread" or "unknown"; for shared
    memory "no conflict" or "bank conflict", for local memory "local". ``stride`` is in elements, where there is one.
    ``sectors`` are those that a whole warp touches in global memory, at most, where that is known.
    """

    place: Place
    text: str
    what: str
    kind: str
    pattern: str
    stride: int | None = None
    sectors: int | None = None


def accesses(kernel: Any, arguments: Sequence[Any], configuration: Configuration | None) -> tuple[Access, ...]:
    """Every access of the kernel and of its device functions to arrays, by line; none if its source cannot be read."""
    function = numba_cuda.python_function(kernel)
    seen: list[Seen] = []
    try:
        parameters = [a.arg for a in function_tree(function).args.args]
        for one in _warps(kernel, configuration):
            values = tuple(_value(name, a) for name, a in zip(parameters, arguments, strict=False))
            Walk(function, one, seen, one.exists).run(values)
    except SourceError:
        return ()
    found: dict[tuple, list[tuple[Seen, Warp]]] = {}
    for each in seen:
        found.setdefault((each.file, each.line, each.text, each.what, each.view.name), []).append(each)
    return tuple(sorted((_access(group) for group in found.values()), key=lambda a: (a.place, a.text, a.what)))


def _value(name: str, argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        strides = tuple(step * argument.element_size() for step in argument.stride())
        dtype = torch.empty(0, dtype=argument.dtype).numpy().dtype
        return View(name, "global", dtype, tuple(argument.shape), strides, constant(0))
    if isinstance(argument, np.ndarray):
        return of_array(name, argument)
    return constant(argument) if isinstance(argument, (int, float, np.number)) else DATA


def _warps(kernel: Any, configuration: Configuration | None) -> list[Warp]:
    """A few warps of the launch; without one, of blocks of 256 threads in as many dimensions as the kernel uses."""
    if configuration is not None:
        block, grid = configuration.block, configuration.grid
    else:
        block, grid = _shape(kernel), (7, 3, 2)
    last = -(-math.prod(block) // 32) - 1
    corners = [(0, 0, 0), (1, 0, 0), (2, 1, 1)]
    found = []
    for round, (corner, number) in enumerate(zip(corners, (0, min(1, last), last), strict=True)):
        at = tuple(min(k, size - 1) for k, size in zip(corner, grid, strict=True))
        found.append(warp(number, at, block, grid, round))
    return found


def _shape(kernel: Any) -> tuple[int, int, int]:
    text = numba_cuda.python_function(kernel).__code__.co_names
    if "z" in text:
        return (32, 4, 2)
    return (32, 8, 1) if "y" in text else (256, 1, 1)


def _access(group: list[Seen]) -> Access:
    first = group[0]
    found = [_one(each) for each in group]
    several = [each for each in found if each[0] != "one thread"] or found
    kinds = list(dict.fromkeys(kind for kind, *_ in several))
    patterns = list(dict.fromkeys(pattern for _, pattern, *_ in several))
    strides = {stride for _, _, stride, _ in several}
    sectors = [count for *_, count in several if count is not None]
    if len(kinds) == 1 and kinds[0] == "strided" and len(strides) > 1:
        patterns = ["strided, by a step that varies"]
    kind = max(kinds, key=COSTS.index)
    text = first.text
    root = text.split("[")[0]
    if first.view.name and root != first.view.name:
        text = f"{text}, of {first.view.name}"
    return Access(
        Place(first.file, first.line),
        text,
        first.what,
        kind,
        " or ".join(patterns[:3]),
        strides.pop() if len(strides) == 1 else None,
        max(sectors, default=None),
    )


_Found = tuple[str, str, int | None, int | None]


def _one(seen: Seen) -> _Found:
    """Kind, pattern, stride and sectors of one access by one warp."""
    if seen.view.space == "local":
        return "local", "local memory, each thread its own", None, None
    if not isinstance(seen.address, np.ndarray):
        if seen.address is DATA:
            return "gather", "gather: the index depends on what each thread has loaded", None, None
        return "unknown", "unknown", None, None
    address = seen.address[seen.active]
    if address.size < 2:
        return "one thread", "one thread of the warp", None, None
    if seen.view.space == "shared":
        return _shared(address, seen.view.dtype.itemsize)
    steps = np.diff(address)
    item = seen.view.dtype.itemsize
    sectors = len(np.unique(np.concatenate([(address + at) // SECTOR for at in (0, item - 1)])))
    if (steps == 0).all():
        return "broadcast", "broadcast: one element for the whole warp", 0, sectors
    if (steps == item).all():
        return "coalesced", "coalesced", 1, sectors
    least = -(-address.size * item // SECTOR)
    cost = f"{sectors} sectors for a warp, where {least} would do"
    if (steps == steps[0]).all() and steps[0] % item == 0:
        stride = int(steps[0]) // item
        if stride == -1:
            return "coalesced", "coalesced, in reverse", -1, sectors
        return "strided", f"strided by {stride}{_named(seen, stride)}: {cost}", stride, sectors
    if sectors <= least + 1:
        return "coalesced", "coalesced, in another order or in rows", None, sectors
    return "irregular", f"irregular: {cost}", None, sectors


def _named(seen: Seen, stride: int) -> str:
    """What a stride is in words, where one index moves by one: ", along dimension 0 of x"."""
    moving = [
        k
        for k, index in enumerate(seen.index)
        if isinstance(index, np.ndarray) and len(set(index[seen.active].tolist())) > 1
    ]
    if len(moving) == 1 and len(seen.view.shape) > 1:
        return f", along dimension {moving[0]} of {seen.view.name or 'the array'}"
    return ""


def _shared(address: np.ndarray, item: int) -> _Found:
    """Bank conflicts: the most different words that one bank is asked for at a time."""
    at_once = max(1, BANKS * WORD // max(item, WORD))  # wider elements are served in turns
    ways = 1
    for start in range(0, address.size, at_once):
        words = np.unique(
            np.concatenate([(address[start : start + at_once] + k) // WORD for k in range(0, item, WORD)])
        )
        ways = max(ways, int(np.bincount(words % BANKS).max()))
    if ways > 1:
        return "bank conflict", f"shared: {ways} threads at a time ask one bank", ways, None
    if len(np.unique(address)) == 1:
        return "no conflict", "shared: broadcast", 0, None
    return "no conflict", "shared: no bank conflict", 1, None
