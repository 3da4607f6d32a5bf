"""Where a derivative is tried: along one parameter, for a few values of the others."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

OTHERS = (0.0, 1.0, 0.25, -3.0)
"""What every other parameter is, in turn: both labels, a probability, and a number that is neither."""

MOST = 16
"""How many combinations of the other parameters are tried."""


def along(low: float, high: float, dtype: type, count: int) -> np.ndarray:
    """Even steps from low to high, as many at random, and both signs of powers of ten down to a billionth."""
    even = np.linspace(low, high, count)
    scattered = np.random.default_rng(0).uniform(low, high, count)
    tiny = [sign * 10.0**-k for k in range(0, 10) for sign in (-1, 1)]
    found = np.unique(np.concatenate([even, scattered, tiny]).astype(dtype))
    return found[(found >= low) & (found <= high)]


def combinations(names: Sequence[str], given: Mapping[str, Sequence[float]]) -> list[tuple[float, ...]]:
    """The values of the parameters ``names``, which ``given`` may name."""
    found = list(itertools.product(*(given.get(name, OTHERS) for name in names)))
    if len(found) > MOST:
        chosen = np.random.default_rng(0).choice(len(found), MOST, replace=False)
        found = [found[k] for k in sorted(chosen)]
    return found


def table(
    names: Sequence[str], by: int, values: np.ndarray, given: Mapping[str, Sequence[float]], dtype: type
) -> list[tuple[float, ...]]:
    """Every point, in the dtype: one number a parameter, all values along ``by`` for each combination of the others."""
    others = [name for k, name in enumerate(names) if k != by]
    return [
        tuple(float(dtype(v)) for v in (*rest[:by], x, *rest[by:]))
        for rest in combinations(others, given)
        for x in values
    ]
