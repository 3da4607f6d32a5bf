"""The places of a graph's nodes: edges go down, places of a layer are apart, and what can be uncrossed is."""

import itertools
import random

import pytest

from workbench.plot.layers import from_above, layout


def random_graph(seed):
    """Node k leads to some of those after it, and every node is led to."""
    chosen = random.Random(seed)
    n = chosen.randrange(1, 20)
    below = [sorted(chosen.sample(range(k + 1, n), min(chosen.randrange(3), n - k - 1))) for k in range(n)]
    for k in range(1, n):
        if not any(k in children for children in below[:k]):
            below[chosen.randrange(k)].append(k)
    return below


@pytest.mark.parametrize("seed", range(40))
def test_any_graph(seed):
    below = random_graph(seed)
    last = [k for k, children in enumerate(below) if not children][::2]
    laid = layout(below, last)
    assert set(laid.roads) == {(k, child) for k, children in enumerate(below) for child in children}
    for (upper, lower), road in laid.roads.items():
        assert (road[0], road[-1]) == (laid.places[upper], laid.places[lower])
        assert [layer for _, layer in road] == list(range(road[0][1], road[-1][1] + 1))
    layers = {}
    for place in itertools.chain(laid.places, *(road[1:-1] for road in laid.roads.values())):
        layers.setdefault(place[1], []).append(place[0])
    for columns in layers.values():
        assert all(right - left > 1 - 1e-9 for left, right in itertools.pairwise(sorted(columns)))
    assert all(laid.places[k][1] == max(layers) for k in last)


@pytest.mark.parametrize("seed", range(40))
def test_each_comes_after_all_that_lead_to_it(seed):
    below = random_graph(seed)
    order = from_above(below)
    assert sorted(order) == list(range(len(below)))
    assert all(order.index(k) < order.index(child) for k, children in enumerate(below) for child in children)


def test_a_node_stands_beneath_the_lowest_that_leads_to_it():
    assert [layer for _, layer in layout([[1, 2, 3], [2], [], []]).places] == [0, 1, 2, 1]
    assert [layer for _, layer in layout([[1, 2, 3], [2], [], []], last=[3]).places] == [0, 1, 2, 2]


def test_a_chain_is_straight():
    assert layout([[1], [2], [3], []]).places == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_edges_are_uncrossed():
    left, right = layout([[1, 2], [4], [3], [], []]).places[1:3]
    below_left, below_right = layout([[1, 2], [4], [3], [], []]).places[4:2:-1]
    assert (left < right) == (below_left < below_right)


def test_a_node_stands_amid_its_neighbours():
    (top, _), (left, _), (right, _), (bottom, _) = layout([[1, 2], [3], [3], []]).places
    assert right - left == pytest.approx(1)
    assert top == bottom == pytest.approx((left + right) / 2)
