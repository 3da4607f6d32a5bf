"""The Functions as operators, ``torch.ops.PACKAGE``, which torch.compile and torch.export take whole.

Each has the forward and backward of its Function, and the forward is its fake too: with tensors that have no memory it
allocates outputs that have none, and the kernels do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

IMPORTS

class _NothingWrong(TorchFunctionMode):
    """Answers no where a forward asks whether a tensor is true: values that are not there pass its checks."""

    def __torch_function__(self, function: Any, kinds: Any, arguments: tuple = (), keywords: dict | None = None) -> Any:
        if function is torch.Tensor.__bool__:
            return False
        return function(*arguments, **(keywords or {}))


def _fake(forward: Callable) -> Callable:
    def fake(*inputs: Any) -> Any:
        with _NothingWrong():
            return forward(*inputs)

    return fake



def _registered(function: type, name: str, schema: str, whole: bool) -> torch.library.CustomOpDef:
    operator = torch.library.custom_op(f"PACKAGE::{name}", function.forward, mutates_args=(), schema=schema)
    operator.register_fake(_fake(function.forward))
    operator.register_autograd(function.backward, setup_context=function.setup_context)
    if whole:
        torch.compiler.allow_in_graph(function)  # so that torch.compile takes its apply whole too
    return operator


OF = {
    OPERATORS
}
"""The operator of each Function."""
