"""The Functions as operators, ``torch.ops.PACKAGE``, which torch.compile and torch.export take whole.

Each has the forward and backward of its Function, and the forward is its fake too: with tensors that have no memory it
allocates outputs that have none, and the kernels do nothing.
"""

from __future__ import annotations

import torch

IMPORTS


def _registered(function: type, name: str, schema: str) -> torch.library.CustomOpDef:
    operator = torch.library.custom_op(f"PACKAGE::{name}", function.forward, mutates_args=(), schema=schema)
    operator.register_fake(function.forward)
    operator.register_autograd(function.backward, setup_context=function.setup_context)
    torch.compiler.allow_in_graph(function)  # so that torch.compile takes its apply whole too
    return operator


OF = {
    OPERATORS
}
"""The operator of each Function."""
