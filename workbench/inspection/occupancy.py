"""Theoretical occupancy: how many warps of a kernel fit on a multiprocessor at once, and what keeps more out.

After the CUDA C++ Programming Guide's tables of technical specifications per compute capability. Registers are handed
out to warps by 256 from the quarter of the register file that a warp belongs to; shared memory to blocks by 128 bytes
(256 on 7.5), with 1,024 bytes more for the system from 8.0 on. It is taken that a kernel gets all the shared memory
that the multiprocessor can set aside.
"""

from __future__ import annotations

from dataclasses import dataclass

WARP = 32
REGISTERS = 65536
"""Of a multiprocessor, in four quarters; the same for every compute capability below."""


@dataclass(frozen=True)
class Multiprocessor:
    """What one multiprocessor holds at most: threads, blocks, and bytes of shared memory; and a block of those."""

    threads: int
    blocks: int
    shared: int
    shared_of_block: int

    @property
    def warps(self) -> int:
        return self.threads // WARP


_LARGE = Multiprocessor(2048, 32, 228 * 1024, 227 * 1024)
_SMALL = Multiprocessor(1536, 24, 100 * 1024, 99 * 1024)
MULTIPROCESSORS = {
    (7, 5): Multiprocessor(1024, 16, 64 * 1024, 64 * 1024),
    (8, 0): Multiprocessor(2048, 32, 164 * 1024, 163 * 1024),
    (8, 6): Multiprocessor(1536, 16, 100 * 1024, 99 * 1024),
    (8, 7): Multiprocessor(1536, 16, 164 * 1024, 163 * 1024),
    (8, 9): _SMALL,
    (9, 0): _LARGE,
    (10, 0): _LARGE,
    (10, 3): _LARGE,
    (12, 0): _SMALL,
    (12, 1): _SMALL,
}
"""By compute capability."""


@dataclass(frozen=True)
class Occupancy:
    """For blocks of ``block`` threads: how many blocks and warps are on a multiprocessor at once, of how many warps.

    ``limits`` names what allows no more: "warps", "blocks", "registers", "shared memory".
    """

    block: int
    blocks: int
    warps: int
    most_warps: int
    limits: tuple[str, ...]

    @property
    def fraction(self) -> float:
        return self.warps / self.most_warps


def occupancy(capability: tuple[int, int], block: int, registers: int, shared: int) -> Occupancy:
    """The occupancy of blocks of ``block`` threads with ``registers`` a thread and ``shared`` bytes a block.

    ``shared`` is static and dynamic together. Raises ValueError for a compute capability that is not in the table.
    """
    if capability not in MULTIPROCESSORS:
        known = ", ".join(f"{major}.{minor}" for major, minor in MULTIPROCESSORS)
        raise ValueError(f"compute capability {capability[0]}.{capability[1]} is not one of {known}")
    limit = MULTIPROCESSORS[capability]
    recent = capability >= (8, 0)
    warps = _up(block, WARP) // WARP
    by_registers = REGISTERS // 4 // _up(max(registers, 1) * WARP, 256) * 4 // warps
    taken = _up(shared + 1024 * recent, 128 if recent else 256)
    by_shared = limit.shared // taken if taken else limit.blocks
    if taken > limit.shared_of_block + 1024 * recent:
        by_shared = 0
    fits = {
        "warps": limit.warps // warps,
        "blocks": limit.blocks,
        "registers": by_registers,
        "shared memory": by_shared,
    }
    blocks = min(fits.values())
    tight = tuple(name for name, count in fits.items() if count == blocks)
    return Occupancy(block, blocks, blocks * warps, limit.warps, tight)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
