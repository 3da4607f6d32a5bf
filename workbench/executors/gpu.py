"""The GPU: the kernel's own launch, on the tensors' device and torch's current stream, with nothing waited for."""

from __future__ import annotations

from typing import Any

import torch

from workbench import numba_cuda
from workbench.numba_cuda import Configuration
from workbench.tensors import as_device_array


def launch(configuration: Configuration, arguments: tuple[Any, ...]) -> None:
    """Queue the kernel on torch's current stream of the device that holds the tensors.

    Adds no synchronisation, so it can be captured in a CUDA graph once the kernel has been compiled by a first launch
    outside the capture.
    """
    device = next((a.device for a in arguments if isinstance(a, torch.Tensor)), None)
    with torch.cuda.device(device):
        kernel, grid, block, _, shared_bytes = configuration
        cuda = numba_cuda.package_of(kernel)
        stream = cuda.external_stream(torch.cuda.current_stream(device).cuda_stream)
        kernel[grid, block, stream, shared_bytes](*(as_device_array(argument, cuda) for argument in arguments))
