"""port: from a loss to a PyTorch extension in CUDA C++."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.porting.project import Port


def port(
    function: Callable,
    *inputs: Any,
    to: str | Path,
    name: str | None = None,
    reference: Callable | None = None,
    options: Sequence[Mapping[str, Any]] = (),
) -> Port:
    """Write a PyTorch extension to the directory ``to`` that does what ``function`` does, with kernels in CUDA C++.

    ``function`` is an ``autograd.Function``, or a function that applies some, defined at the top of a module. It is run
    forward and backward on ``inputs``, in float32 and in float64, to find the kernels that it launches; each is
    translated. The Python around them is carried over as it is written. ``name`` is the package's, the directory's
    without it. ``reference`` is the same function in plain torch, for the audits among the extension's tests.

    ``options`` are keywords, such as ``[{"deterministic": True}]``: the function is run once more with each of them,
    for the kernels that only such a call launches.

    Raises PortError for what cannot be translated or carried over, with its line and the reason, and for a directory
    that is not empty; nothing is left behind then.
    """
    from tqdm.auto import tqdm

    from workbench.porting.project import write

    with tqdm(bar_format="port: {desc} {elapsed}", leave=False) as bar:
        return write(function, inputs, to, name, reference, options, bar.set_description_str)
