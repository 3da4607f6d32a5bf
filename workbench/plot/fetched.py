"""Which sectors of global memory one access of a warp touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from workbench.plot.picture import BLUE, ORANGE, STYLE, Picture

SECTOR = 32


def sectors(accesses: Mapping[str, Sequence[int]], itemsize: int = 4) -> Picture:
    """A row for each access of a warp: the sectors of 32 bytes that it fetches, and the bytes in them that it uses.

    ``accesses`` has for each the addresses in bytes at which the lanes' elements of ``itemsize`` bytes begin, counted
    from the beginning of a sector.
    """
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(8, 0.9 + 0.75 * len(accesses)), layout="constrained")
        axes = figure.subplots()
        said = []
        for row, (name, addresses) in enumerate(accesses.items()):
            fetched = sorted({(a + at) // SECTOR for a in addresses for at in (0, itemsize - 1)})
            used = len(set(addresses)) * itemsize
            axes.broken_barh([(s * SECTOR, SECTOR) for s in fetched], (row - 0.3, 0.6), color=ORANGE, alpha=0.35)
            axes.broken_barh([(a, itemsize) for a in sorted(set(addresses))], (row - 0.3, 0.6), color=BLUE)
            many = "sector" if len(fetched) == 1 else "sectors"
            said.append(f"{name}: {len(fetched)} {many}, {used:,} of {len(fetched) * SECTOR:,} bytes used")
            axes.text(0, row - 0.36, said[-1], va="bottom", fontsize=9)
        axes.set_yticks([])
        axes.set_ylim(len(accesses) - 0.55, -0.75)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("address (bytes); pale: fetched, dark: used")
    return Picture(figure, f"sectors that one access of a warp fetches: {'; '.join(said)}")
