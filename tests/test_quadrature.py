"""The nodes and weights of the Gaussian integral are those of Gauss and Legendre, to the last bit."""

import sys

import mpmath

from workbench import patterns

module = sys.modules[patterns.gaussian_integral.__module__]


def test_nodes_and_weights_are_rounded_once():
    with mpmath.workdps(60):
        degree = len(module.NODES)
        for node, weight in zip(module.NODES, module.WEIGHTS, strict=True):
            root = mpmath.findroot(lambda z: mpmath.legendre(degree, z), node)
            slope = degree * mpmath.legendre(degree - 1, root) / (1 - root**2)  # where the polynomial is 0
            assert (float(root), float(2 / ((1 - root**2) * slope**2))) == (node, weight)


def test_no_node_is_missing():
    assert sorted(set(module.NODES)) == list(module.NODES)
    assert len(module.NODES) == 24
