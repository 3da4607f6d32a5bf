"""What every loss asks of its arguments, and the reduction that ends it."""

from __future__ import annotations

import torch

REDUCTIONS = ("none", "sum", "mean")


def check_floating(name: str, tensor: torch.Tensor, taker: str = "this loss") -> None:
    """Raise ValueError unless the tensor is float32 or float64; ``taker`` is who takes it, for the message."""
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} is {tensor.dtype}; {taker} takes torch.float32 or torch.float64: {name}.float()")


def check_same(name: str, tensor: torch.Tensor, other_name: str, other: torch.Tensor, taker: str = "this loss") -> None:
    """Raise ValueError unless two tensors have one shape, dtype and device; ``taker`` is as in check_floating."""
    for what in ("shape", "dtype", "device"):
        one, two = getattr(tensor, what), getattr(other, what)
        if one != two:
            if what == "shape":
                one, two = tuple(one), tuple(two)
            raise ValueError(
                f"{name} has {what} {one} and {other_name} has {what} {two}; {taker} wants them equal and converts "
                "nothing by itself"
            )


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless the reduction is one of REDUCTIONS."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is none of {', '.join(map(repr, REDUCTIONS))}")


def reduced(loss: torch.Tensor, reduction: str) -> torch.Tensor:
    """The loss as it is (``"none"``), its sum, or its mean. Raises ValueError for another reduction."""
    check_reduction(reduction)
    return loss if reduction == "none" else getattr(loss, reduction)()
