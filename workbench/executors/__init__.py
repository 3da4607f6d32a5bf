"""The machines that a kernel can run on: a GPU, this CPU, or Numba's simulator.

An executor is a function ``launch(configuration, arguments)``. It receives a call that :mod:`workbench.launch` has
already checked, and returns when the kernel has run (CPU, simulator) or has been queued (GPU).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench import numba_cuda
from workbench.errors import LaunchError


@dataclass(frozen=True)
class Executor:
    """Where kernels on a device run.

    ``name`` is ``"gpu"``, ``"cpu"`` or ``"simulator"``; ``reason`` says in a sentence why it is the one.
    ``sanitized`` is a launch that returns what the sanitizer found, and ``stepped`` one of some blocks as plain Python,
    where there is one.
    """

    name: str
    reason: str
    launch: Callable
    sanitized: Callable | None = None
    stepped: Callable | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def executor(device: torch.device | str | None = None) -> Executor:
    """The executor of tensors on ``device``; without one, of the best device that this machine has.

    Raises LaunchError for a device that no executor serves.
    """
    return _executor(best_device() if device is None else torch.device(device))


@functools.cache
def _executor(device: torch.device) -> Executor:
    if numba_cuda.simulated():
        from workbench.executors import simulator

        if device.type == "cpu":
            return Executor("simulator", "NUMBA_ENABLE_CUDASIM is set, so Numba simulates CUDA", simulator.launch)
        raise LaunchError(
            f"NUMBA_ENABLE_CUDASIM is set, and Numba's simulator reads the CPU's memory, not {device}'s; "
            "move the tensors with .cpu(), or start Python without NUMBA_ENABLE_CUDASIM"
        )
    if device.type == "cuda":
        from workbench.executors import gpu

        return Executor("gpu", f"the tensors are on {device}", gpu.launch)
    if device.type == "cpu":
        from workbench.executors import cpu

        reason = "the tensors are on the CPU" if torch.cuda.is_available() else "torch finds no CUDA GPU here"
        reason = f"{reason}, so kernels are compiled for this processor"
        return Executor("cpu", reason, cpu.launch, cpu.sanitized, cpu.stepped)
    raise LaunchError(f"no executor runs kernels on {device}; move the tensors to cuda or to the CPU")


def best_device() -> torch.device:
    """The device to create tensors on: the current GPU if there is one, else the CPU."""
    if torch.cuda.is_available() and not numba_cuda.simulated():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
