"""The kernels, as C++ operators under the names that they have in Python."""

from pathlib import Path

import torch

from .launch import IMPORTED

_library = next(Path(__file__).parent.glob("_C*"), None)
if _library is None:
    raise ImportError("PACKAGE is not built; run: pip install --no-build-isolation -e .")
torch.ops.load_library(_library)

