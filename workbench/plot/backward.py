"""The graph that a backward walks through: what autograd recorded, from a loss to the leaves."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ArrowStyle, FancyArrowPatch, Patch
from matplotlib.path import Path

from workbench.plot.layers import Layout, from_above, layout
from workbench.plot.picture import BLUE, GREY, ORANGE, STYLE, Picture

NODES = 48
"""Nodes of one graph that a picture has room for."""

KINDS = {
    "torch's operation": {"facecolor": "white", "edgecolor": GREY},
    "autograd.Function": {"facecolor": "#fbe3d4", "edgecolor": ORANGE, "linewidth": 1.6},
    "constant: the road ends": {"facecolor": "#eeeeee", "edgecolor": GREY, "linestyle": "--"},
    "leaf, which gets the gradient": {"facecolor": "#d6e8f4", "edgecolor": BLUE, "linewidth": 1.6},
}
OPERATION, FUNCTION, CONSTANT, LEAF = KINDS


class Node(NamedTuple):
    """What a box says, what it is, and which boxes backward goes on to."""

    label: str
    kind: str
    below: list[int]


def backward_graph(graphs: Mapping[str, torch.Tensor], **leaves: torch.Tensor) -> Picture:
    """What backward would walk through from each of ``graphs``, tensors by title, downwards to the leaves.

    ``leaves`` name the leaves; the others are called "leaf". An operation's input that is None to autograd, since
    it requires no gradient, is a constant: a road that ends there. Nothing is run.

    Raises ValueError for no graphs, and for one of more than NODES nodes.
    """
    if not graphs:
        raise ValueError("there is no graph to draw; give tensors by title, such as {'loss': loss}")
    read = {title: _read(tensor, leaves) for title, tensor in graphs.items()}
    for title, nodes in read.items():
        if len(nodes) > NODES:
            raise ValueError(f"the graph of {title} has {len(nodes)} nodes, and there is room for {NODES}; draw a part")
    laid = [layout([n.below for n in nodes], _leaves(nodes)) for nodes in read.values()]
    inches = max(1.1, 0.3 + 0.08 * max(len(n.label) for nodes in read.values() for n in nodes))
    spans = [one.span for one in laid]
    widths = [max(2.4, inches * (1 + right - left)) for left, right in spans]
    depth = max(layer for one in laid for _, layer in one.places)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(sum(widths), 1.3 + 0.55 * (depth + 1)), layout="constrained")
        panels = figure.subplots(1, len(read), width_ratios=widths, squeeze=False)[0]
        for axes, (title, nodes), one, (left, right) in zip(panels, read.items(), laid, spans, strict=True):
            _draw(axes, nodes, one)
            axes.set_title(title, fontsize=10)
            axes.set(xlim=(left - 0.6, right + 0.6), ylim=(depth + 0.5, -0.5))
        kinds = [kind for kind in KINDS if any(n.kind == kind for nodes in read.values() for n in nodes)]
        figure.legend(handles=[Patch(label=k, **KINDS[k]) for k in kinds], loc="outside lower center", ncols=2)
    return Picture(figure, "graphs of backward: " + "; ".join(f"{t}, {_said(nodes)}" for t, nodes in read.items()))


def _read(tensor: torch.Tensor, names: Mapping[str, torch.Tensor]) -> list[Node]:
    """The nodes that lead on from a tensor; the first is its own."""
    if tensor.grad_fn is None:
        return [Node(_name(tensor, names), LEAF, []) if tensor.requires_grad else Node("constant", CONSTANT, [])]
    nodes, found = [], [tensor.grad_fn]
    places: dict[Any, int] = {tensor.grad_fn: 0}
    for node in found:  # which grows
        below = []
        for onwards, _ in node.next_functions if node is not None else ():
            if onwards not in places:
                places[onwards] = len(found)
                found.append(onwards)
            below.append(places[onwards])
            places.pop(None, None)  # every constant is one of its own
        nodes.append(Node(*_box(node, names), list(dict.fromkeys(below))))  # it may take one tensor twice
    return nodes


def _box(node: Any, names: Mapping[str, torch.Tensor]) -> tuple[str, str]:
    """What the box of a node says, and its kind."""
    if node is None:
        return "constant", CONSTANT
    of_function = isinstance(node, torch.autograd.function.BackwardCFunction)
    if not of_function and hasattr(node, "variable"):
        return _name(node.variable, names), LEAF
    label = re.sub(r"Backward\d*$", "", type(node).__name__).lstrip("_")
    return label, FUNCTION if of_function else OPERATION


def _name(leaf: torch.Tensor, names: Mapping[str, torch.Tensor]) -> str:
    return next((name for name, named in names.items() if named is leaf), "leaf")


def _leaves(nodes: list[Node]) -> list[int]:
    return [k for k, node in enumerate(nodes) if node.kind == LEAF]


def _draw(axes: Axes, nodes: list[Node], one: Layout) -> None:
    axes.set_axis_off()
    head = ArrowStyle("-|>", head_length=5, head_width=2.5)
    for road in one.roads.values():
        axes.add_patch(FancyArrowPatch(path=_curve(road), arrowstyle=head, color=GREY, linewidth=1.2, zorder=1))
    for node, (column, layer) in zip(nodes, one.places, strict=True):
        box = {"boxstyle": "round,pad=0.35"} | KINDS[node.kind]
        axes.text(column, layer, node.label, ha="center", va="center", fontsize=9, bbox=box, zorder=2)


def _curve(road: list[tuple[float, int]]) -> Path:
    """Through all places, straight down at each, as far as the last one's box."""
    *passed, (column, layer) = road
    places = [*passed, (column, layer - 0.24)]
    points, codes = places[:1], [Path.MOVETO]
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        points += [(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2), (x1, y1)]
        codes += [Path.CURVE4] * 3
    return Path(points, codes)


def _said(nodes: list[Node]) -> str:
    """Over how many roads backward comes to which leaves."""
    roads = [1] + [0] * (len(nodes) - 1)
    for k in from_above([node.below for node in nodes]):
        for child in nodes[k].below:
            roads[child] += roads[k]
    found = [f"{roads[k]} road{'s' * (roads[k] != 1)} to {nodes[k].label}" for k in _leaves(nodes)]
    return " and ".join(found) or "no road to a leaf"
