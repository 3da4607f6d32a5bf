"""The graph that a backward walks: its boxes and arrows are autograd's nodes and what they lead on to."""

import math

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

import workbench as wb
from workbench import plot
from workbench.plot.backward import CONSTANT, FUNCTION, KINDS, LEAF, OPERATION


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.variable = ctx.name = "an author's own"
        return x**3

    @staticmethod
    @wb.once_differentiable
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * 3 * x**2


@pytest.fixture
def x():
    return torch.ones(2, requires_grad=True)


def boxes(axes):
    """The words of each box, and its kind by its colour."""
    kinds = {to_hex(look["facecolor"]): kind for kind, look in KINDS.items()}
    return [(text.get_text(), kinds[to_hex(text.get_bbox_patch().get_facecolor())]) for text in axes.texts]


def arrows(axes):
    """The boxes, by their words, from which and to which each arrow goes."""
    ends = []
    for patch in axes.patches:
        assert isinstance(patch, FancyArrowPatch)
        path = patch.get_path()
        line = path.vertices[path.codes != path.CLOSEPOLY].tolist()  # with the arrowhead, whose tip is lowest
        tip = max(line, key=lambda point: point[1])
        (begin, none), (end, gap) = nearest(axes, line[0]), nearest(axes, tip)
        assert none < 1e-6
        assert 0.2 < gap < 0.3
        ends.append((begin, end))
    return sorted(ends)


def nearest(axes, point):
    """The words of the box whose middle is nearest, and how far that is."""
    boxes = {text: math.dist(text.get_position(), point) for text in axes.texts}
    text = min(boxes, key=boxes.get)
    return text.get_text(), boxes[text]


def test_boxes_and_arrows(x):
    y = torch.ones(2, requires_grad=True)
    (axes,) = plot.backward_graph({"loss": (x * y.exp()).sum()}, x=x).figure.axes
    assert axes.get_title() == "loss"
    assert sorted(boxes(axes)) == [
        ("Exp", OPERATION), ("Mul", OPERATION), ("Sum", OPERATION), ("leaf", LEAF), ("x", LEAF),
    ]  # fmt: skip
    assert arrows(axes) == [("Exp", "leaf"), ("Mul", "Exp"), ("Mul", "x"), ("Sum", "Mul")]


def test_a_leaf_is_one_box_over_all_its_roads(x):
    y = x.exp()
    picture = plot.backward_graph({"loss": y.sin() + y.cos() + x * x}, x=x)
    assert sum(box == ("x", LEAF) for box in boxes(picture.figure.axes[0])) == 1
    assert arrows(picture.figure.axes[0]).count(("Mul", "x")) == 1
    assert picture.alt == "graphs of backward: loss, 3 roads to x"


def test_every_constant_is_a_box(x):
    picture = plot.backward_graph({"loss": (x + torch.ones(2)) * torch.ones(2)}, x=x)
    assert sum(box == ("constant", CONSTANT) for box in boxes(picture.figure.axes[0])) == 2
    assert picture.alt == "graphs of backward: loss, 1 road to x"


def test_a_function_of_ones_own_stands_out(x):
    (axes,) = plot.backward_graph({"cube": Cube.apply(x)}, x=x).figure.axes
    assert boxes(axes) == [("Cube", FUNCTION), ("x", LEAF)]


def test_a_refusal_is_on_the_road(x):
    (gradient,) = torch.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (axes,) = plot.backward_graph({"gradient": gradient}, x=x).figure.axes
    assert ("Refusal", FUNCTION) in boxes(axes)
    assert ("Refusal", "x") in arrows(axes)


def test_tensors_without_a_graph(x):
    picture = plot.backward_graph({"a leaf": x, "detached": (2 * x).detach()}, x=x)
    leaf, detached = picture.figure.axes
    assert (boxes(leaf), boxes(detached)) == ([("x", LEAF)], [("constant", CONSTANT)])
    assert picture.alt == "graphs of backward: a leaf, 1 road to x; detached, no road to a leaf"


def test_nothing_is_freed_and_nothing_is_run(x):
    loss = x.exp().sum()
    plot.backward_graph({"loss": loss}, x=x)
    assert x.grad is None
    loss.backward()


def test_the_boxes_are_within_the_picture_and_apart(x):
    picture = plot.backward_graph({"loss": torch.nn.functional.layer_norm(x, (2,)) + x.exp().as_strided((2,), (1,))})
    picture.figure.draw_without_rendering()
    found = [text.get_bbox_patch().get_window_extent() for axes in picture.figure.axes for text in axes.texts]
    for k, box in enumerate(found):
        assert picture.figure.bbox.contains(box.x0, box.y0)
        assert picture.figure.bbox.contains(box.x1, box.y1)
        assert not any(box.overlaps(other) for other in found[:k])


def test_refusals(x):
    with pytest.raises(ValueError, match="there is no graph to draw; give tensors by title"):
        plot.backward_graph({})
    deep = x
    for _ in range(3000):
        deep = deep.exp()
    with pytest.raises(ValueError, match="the graph of deep has 3001 nodes, and there is room for 48; draw a part"):
        plot.backward_graph({"deep": deep})
