"""What every pattern asks of its arguments."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from workbench.losses.arguments import check_floating, check_same


def check_inputs(**tensors: torch.Tensor) -> None:
    """Raise ValueError unless the tensors are float32 or float64 and have one shape, dtype and device."""
    (first_name, first), *others = tensors.items()
    check_floating(first_name, first, "this function")
    for name, tensor in others:
        check_same(first_name, first, name, tensor, "this function")


def way_of(ways: Mapping[str, type], derivative: str) -> type:
    """The autograd.Function that goes by this name. Raises ValueError for a name that none goes by."""
    if derivative not in ways:
        raise ValueError(f"derivative={derivative!r} is none of {', '.join(map(repr, ways))}")
    return ways[derivative]
