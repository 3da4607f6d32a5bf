"""launch: run a kernel of this extension, ``kernel[grid, block]``, on torch tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Configured(NamedTuple):
    """What ``kernel[grid, block]`` holds."""

    kernel: Kernel
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int


class Kernel:
    """A C++ operator that runs a kernel: it writes into some of the tensors that it is given, and returns nothing.

    ``prototype`` and ``fingerprints`` say which Python kernel it was ported from, and tell its source.
    """

    def __init__(self, operator: Any, prototype: str, *fingerprints: str) -> None:
        self.operator = operator
        self.prototype = prototype
        self.fingerprints = fingerprints
        # what torch runs in place of the kernel where tensors have no memory, as while it compiles
        torch.library.register_fake(operator.name(), lambda *arguments: None)

    def __getitem__(self, configuration: tuple) -> Configured:
        """``kernel[grid, block]`` or ``kernel[grid, block, 0, shared_bytes]``; the stream is torch's current one."""
        grid, block, _, shared_bytes = (*configuration, 0, 0)[:4]
        return Configured(self, _sizes(grid), _sizes(block), shared_bytes)


class NotPorted:
    """Stands for a kernel that no example launched when this was ported, so that it was not translated."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, configuration: tuple) -> Configured:
        raise NotImplementedError(
            f"{self.name} is not part of this extension: nothing launched it when the extension was written; port again "
            "with inputs or options that launch it"
        )


def launch(configured: Configured, *arguments: Any) -> None:
    """Run ``kernel[grid, block]`` on tensors and scalars, where the tensors are, on torch's current stream.

    Updates: whatever the kernel writes. Autograd sees nothing of it: launch inside an ``autograd.Function``.
    """
    kernel, grid, block, shared_bytes = configured
    with torch.no_grad():
        kernel.operator(*arguments, grid, block, shared_bytes)


def blocks(n: int, block: int = 256) -> int:
    """The number of blocks of ``block`` threads that cover ``n`` elements, at least one."""
    return max(1, -(-n // block))


def _sizes(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sizes) if isinstance(sizes, (tuple, list, torch.Size)) else (sizes,)
