"""A tensor of which elements are wrong: what came, and what should have."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from workbench.gradients.diagnosis import ulps


@dataclass(frozen=True, eq=False)
class Fault:
    """``got`` and ``truth`` have one shape; an element is wrong whose error exceeds ``allowed`` ulps of ``dtype``.

    ``label`` says what the tensor is, as in "gradient by x"; ``rows`` is the size at which it came, where that is not
    the inputs' own.
    """

    label: str
    got: torch.Tensor
    truth: torch.Tensor
    dtype: torch.dtype
    allowed: float
    rows: int | None = None

    @property
    def error(self) -> torch.Tensor:
        """The error of each element in ulps of ``dtype``, in float64, on the CPU."""
        return ulps(self.got, self.truth, self.dtype).cpu()
