"""What is timed: each kernel with its inputs, and the same calculation in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kernels
import numpy as np
import torch
import torch.nn.functional as F

from workbench import blocks


@dataclass(frozen=True)
class Case:
    """A kernel of kernels.py and what it is compared with.

    ``arguments(scale)`` makes its arguments, NumPy arrays and scalars, at a ``scale`` from 1 (its full size) downwards;
    ``shape(arguments)`` its grid and block; ``torch`` is the same calculation on tensors, which may write into the last
    argument and returns the result; the kernel's own is the argument at ``result``. ``elements`` is the index of the
    argument that counts as its size. ``small`` is the scale for Numba's simulator, and ``compiles`` whether
    torch.compile is tried.
    """

    name: str
    arguments: Callable[[float], list[Any]]
    shape: Callable[[list[Any]], tuple[Any, Any]]
    torch: Callable[..., torch.Tensor]
    result: int
    elements: int = 0
    small: float = 5.12e-5
    compiles: bool = True

    @property
    def kernel(self) -> Any:
        return getattr(kernels, self.name)


_random = np.random.default_rng(0)


def normal(*shape: float) -> np.ndarray:
    return _random.standard_normal(tuple(map(int, shape)), np.float32)


def zeros(*shape: float, dtype: type = np.float32) -> np.ndarray:
    return np.zeros(tuple(map(int, shape)), dtype)


def _thread_an_element(arguments: list[Any]) -> tuple[int, int]:
    return blocks(arguments[0].size), kernels.BLOCK


def _strided(arguments: list[Any]) -> tuple[int, int]:
    return min(blocks(arguments[0].size), 256), kernels.BLOCK


def _block_a_row(arguments: list[Any]) -> tuple[int, int]:
    return len(arguments[0]), kernels.BLOCK


def _tiles(arguments: list[Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = arguments[2].shape
    return (blocks(columns, kernels.TILE), blocks(rows, kernels.TILE)), (kernels.TILE, kernels.TILE)


def _logits(scale: float) -> list[Any]:
    logits = normal(max(4096 * scale, 1), 1000 if scale == 1 else 300)
    rows, classes = logits.shape
    return [logits, _random.integers(0, classes, rows), zeros(rows), zeros(rows)]


def _softmax(scale: float) -> list[Any]:
    logits = _logits(scale)[0]
    return [logits, np.zeros_like(logits)]


def _soft_dtw(scale: float) -> list[Any]:
    pairs, n = (64, 128) if scale == 1 else (1, 32)
    r = np.full((pairs, n + 1, n + 1), 1e10, np.float32)
    r[:, 0, 0] = 0
    return [abs(normal(pairs, n, n)), np.float32(0.5), r]


def _soft_dtw_torch(cost: torch.Tensor, gamma: float, r: torch.Tensor) -> torch.Tensor:
    gamma = float(gamma)
    _, rows, columns = cost.shape
    for diagonal in range(rows + columns - 1):
        i = torch.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        three = torch.stack([-r[:, i, j], -r[:, i, j + 1], -r[:, i + 1, j]], -1) / gamma
        r[:, i + 1, j + 1] = cost[:, i, j] - gamma * torch.logsumexp(three, -1)
    return r


N = 10_000_000

CASES = (
    Case(
        "square",
        lambda s: [normal(N * s), zeros(N * s)],
        _thread_an_element,
        lambda x, y: torch.mul(x, x, out=y),
        1,
    ),
    Case(
        "binary_cross_entropy",
        lambda s: [normal(4e6 * s), (normal(4e6 * s) > 0).astype(np.float32), zeros(4e6 * s)],
        _thread_an_element,
        lambda z, t, _: F.binary_cross_entropy_with_logits(z, t, reduction="none"),
        2,
    ),
    Case(
        "huber",
        lambda s: [normal(N * s), normal(N * s), zeros(N * s)],
        _strided,
        lambda x, y, _: F.smooth_l1_loss(x, y, reduction="none"),
        2,
    ),
    Case("tree_sum", lambda s: [normal(N * s), zeros(1)], _thread_an_element, lambda x, _: x.sum()[None], 1),
    Case(
        "squared_error",
        lambda s: [normal(N * s), normal(N * s), zeros(1)],
        _strided,
        lambda x, y, _: F.mse_loss(x, y, reduction="sum")[None],
        2,
    ),
    Case("warp_sum", lambda s: [normal(N * s), zeros(1)], _strided, lambda x, _: x.sum()[None], 1),
    Case(
        "softmax_cross_entropy",
        _logits,
        _block_a_row,
        lambda z, t, *_: F.cross_entropy(z, t, reduction="none"),
        2,
        small=1 / 4096,
    ),
    Case(
        "rms_norm",
        lambda s: [normal(4096 * s, 1000), normal(1000), zeros(4096 * s, 1000)],
        _block_a_row,
        lambda x, w, _: F.rms_norm(x, (x.shape[1],), w, 1e-6),
        2,
        small=1 / 4096,
    ),
    Case(
        "pairwise_distance",
        lambda s: [normal(1024 * s, 64), normal(1024 * s, 64), zeros(1024 * s, 1024 * s)],
        _tiles,
        lambda a, b, _: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"),
        2,
        2,
        small=1 / 64,
    ),
    # torch.compile would write out each of the 255 diagonals
    Case(
        "soft_dtw",
        _soft_dtw,
        lambda a: (len(a[0]), a[0].shape[1]),
        _soft_dtw_torch,
        2,
        small=1 / 64,
        compiles=False,
    ),
    Case(
        "row_distance",
        lambda s: [normal(65536 * s, 64), normal(65536 * s, 64), zeros(65536 * s)],
        lambda a: (blocks(len(a[0])), kernels.BLOCK),
        lambda x, y, _: (x - y).square().sum(1),
        2,
        small=1 / 256,
    ),
    Case(
        "softmax",
        _softmax,
        _block_a_row,
        lambda z, p: torch.softmax(z, 1, out=p),
        1,
        small=1 / 4096,
    ),
    Case(
        "scan",
        lambda s: [normal(16384 * s, kernels.BLOCK), zeros(16384 * s, kernels.BLOCK)],
        _block_a_row,
        lambda x, y: torch.cumsum(x, 1, out=y),
        1,
        small=1 / 16384,
    ),
    Case(
        "histogram",
        lambda s: [_random.integers(0, kernels.BINS, int(N * s)), zeros(kernels.BINS, dtype=np.int64)],
        _strided,
        lambda values, _: torch.bincount(values, minlength=kernels.BINS),
        1,
    ),
)
