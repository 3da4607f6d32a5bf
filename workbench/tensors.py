"""The only view from a torch tensor to what a kernel receives: same memory, same strides, no copy, no gradient."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

KERNEL_DTYPES = frozenset(
    {
        torch.bool,
        torch.uint8,
        torch.uint16,
        torch.uint32,
        torch.uint64,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    }
)
"""The dtypes that numba-cuda has a type for."""


def refusal(tensor: torch.Tensor) -> str | None:
    """Why no kernel can be given this tensor, and what to do about it, or None if it can."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return (
            "is inside torch.func (vmap, grad, ...), which hides its memory; call the kernel from an "
            "autograd.Function, whose forward receives plain tensors"
        )
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        kind = type(tensor).__name__
        return f"is a {kind}, which has no memory of its own that a kernel could read; pass a plain tensor"
    if tensor.layout != torch.strided:
        return f"is {tensor.layout}, and a kernel reads strided memory; pass .to_dense() or its index and value tensors"
    if tensor.dtype not in KERNEL_DTYPES:
        return f"is {_name(tensor.dtype)}, which Numba has no type for; pass .float(), or view its bits as integers"
    if tensor._is_zerotensor():
        return "is a tensor of zeros that torch never allocated; pass torch.zeros_like(it)"
    if tensor.is_conj() or tensor.is_neg():
        return "is a lazy conjugate or negative of other memory; pass .resolve_conj().resolve_neg()"
    return None


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def overlaps_itself(tensor: torch.Tensor | np.ndarray) -> bool:
    """Whether two indices reach the same element because a dimension has stride 0, as after ``expand``."""
    strides = tensor.strides if isinstance(tensor, np.ndarray) else tensor.stride()
    return any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, strides, strict=True))


def as_numpy(argument: Any) -> Any:
    """A CPU tensor as the NumPy array over the same memory; anything else as it is."""
    return argument.detach().numpy() if isinstance(argument, torch.Tensor) else argument


def as_device_array(argument: Any, cuda: ModuleType) -> Any:
    """A CUDA tensor as the device array of ``cuda``, a kernel's package, over the same memory; else as it is.

    Handing Numba the tensor itself would give the same result at several times the cost of a launch.
    """
    if not isinstance(argument, torch.Tensor):
        return argument
    return cuda.as_cuda_array(argument.detach(), sync=False)


def argument_type(argument: Any) -> Any:
    """The Numba type that a kernel is compiled for when it is launched with this tensor, array or scalar."""
    import numba

    if isinstance(argument, torch.Tensor) and argument.is_cuda:
        from numba import cuda

        return numba.typeof(as_device_array(argument, cuda))
    return numba.typeof(as_numpy(argument))
