"""Where the nodes of a small directed graph without circles stand: in layers, every edge downwards, few crossings.

After K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man, and Cybernetics 11 (1981).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

SWEEPS = 32
"""Times that the layers are gone through, in which small graphs come to rest."""


@dataclass(frozen=True)
class Layout:
    """``places`` has a column and a layer for each node; ``roads`` the places that each edge passes, ends included."""

    places: list[tuple[float, int]]
    roads: dict[tuple[int, int], list[tuple[float, int]]]

    @property
    def span(self) -> tuple[float, float]:
        """The leftmost and the rightmost column of nodes and roads."""
        columns = [column for road in (self.places, *self.roads.values()) for column, _ in road]
        return min(columns), max(columns)


def layout(below: Sequence[Sequence[int]], last: Collection[int] = ()) -> Layout:
    """Of nodes 0 to n - 1, where ``below[k]`` are those that node k leads to; node 0 leads to all of them.

    A node stands one layer beneath the lowest that leads to it, and those in ``last`` in the lowest layer. Columns of
    one layer are at least one apart.
    """
    depth = [0] * len(below)
    for k in from_above(below):
        for child in below[k]:
            depth[child] = max(depth[child], depth[k] + 1)
    lowest = max(depth)
    depth = [lowest if k in last else layer for k, layer in enumerate(depth)]
    # an edge that passes layers has a place in each of them, as a node would
    depth_of = dict(enumerate(depth))
    chains = {}
    for k, children in enumerate(below):
        for child in children:
            passed = [(k, child, layer) for layer in range(depth[k] + 1, depth[child])]
            depth_of |= {place: place[2] for place in passed}
            chains[k, child] = [k, *passed, child]
    above, beneath = {place: [] for place in depth_of}, {place: [] for place in depth_of}
    for chain in chains.values():
        for upper, lower in itertools.pairwise(chain):
            above[lower].append(upper)
            beneath[upper].append(lower)
    layers = [[place for place in depth_of if depth_of[place] == layer] for layer in range(lowest + 1)]
    column = {place: float(k) for layer in layers for k, place in enumerate(layer)}
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else layers[::-1]:
            towards = above if downwards else beneath
            wish = {p: _mean([column[q] for q in towards[p]], column[p]) for p in layer}
            layer.sort(key=wish.get)
            column |= {p: float(k) for k, p in enumerate(layer)}
    for _ in range(SWEEPS):
        for layer in layers:
            wish = [_mean([column[q] for q in (*above[p], *beneath[p])], column[p]) for p in layer]
            column |= dict(zip(layer, _apart(wish), strict=True))
    at = {place: (column[place], layer) for place, layer in depth_of.items()}
    return Layout([at[k] for k in range(len(below))], {ends: [at[p] for p in chain] for ends, chain in chains.items()})


def from_above(below: Sequence[Sequence[int]]) -> list[int]:
    """The nodes in an order in which each comes after all that lead to it."""
    order, seen = [], set()

    def visit(k: int) -> None:
        if k not in seen:
            seen.add(k)
            for child in below[k]:
                visit(child)
            order.append(k)

    visit(0)
    return order[::-1]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return float(np.mean(values)) if values else otherwise


def _apart(wish: Sequence[float]) -> list[float]:
    """The columns nearest to those wished for, in least squares, in this order and at least one apart."""
    groups: list[list[float]] = []  # neighbours that push each other share what they wish for
    for k, value in enumerate(wish):
        groups.append([value - k])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    return [value + k for k, value in enumerate(level)]
