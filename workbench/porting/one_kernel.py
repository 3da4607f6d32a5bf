"""translate: one kernel in CUDA C++, to read beside its Python."""

from __future__ import annotations

import html
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

from workbench import numba_cuda
from workbench.errors import LaunchError
from workbench.kernel import describe
from workbench.porting.translation import translate as translated
from workbench.tensors import argument_type

_CELL = "text-align:left;vertical-align:top;padding:0.15em 1.2em 0.15em 0"
_PRE = "margin:0;font:0.85em/1.35 ui-monospace,monospace;white-space:pre-wrap;word-break:normal"


@dataclass(frozen=True, repr=False)
class InCpp:
    """A kernel as it is written in Python, and in C++ with the device functions that it calls, callees first.

    ``warnings`` name the line of what C++ does otherwise, or more slowly, than a reader may expect.
    """

    name: str
    python: str
    cpp: str
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.cpp.rstrip("\n"), *(f"// warning: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        sides = "".join(
            f'<td style="{_CELL}"><pre style="{_PRE}">{html.escape(text.rstrip())}</pre></td>'
            for text in (self.python, self.cpp)
        )
        warnings = "".join(f"<p>warning: {html.escape(warning)}</p>" for warning in self.warnings)
        return f"<div><table><tbody><tr>{sides}</tr></tbody></table>{warnings}</div>"


def translate(kernel: Any, *example_arguments: Any) -> InCpp:
    """A ``cuda.jit`` kernel in CUDA C++, for arguments such as these; nothing is written or run.

    ``example_arguments`` are those of a launch, as for :func:`workbench.report`: tensors, NumPy arrays, scalars. Only
    their types matter; where they are float32, the C++ is for float64 too. :func:`workbench.port` makes an extension.

    Raises PortError, which names the kernel's line, for what C++ does not say in the same way, and LaunchError for
    something else than a kernel, or a wrong number of arguments.
    """
    if not numba_cuda.is_kernel(kernel) or numba_cuda.is_device_function(kernel):
        raise LaunchError(
            f"{kernel!r} is a {type(kernel).__name__}, not a cuda.jit kernel; translate(kernel, *arguments)"
        )
    known = describe(kernel)
    if len(example_arguments) != len(known.parameters):
        raise LaunchError(
            f"{known.name} takes {len(known.parameters)} arguments ({', '.join(known.parameters)}), and got "
            f"{len(example_arguments)} examples"
        )
    found = translated(kernel, tuple(map(argument_type, example_arguments)))
    cpp = "\n".join([*(source for _, source in found.devices), found.source])
    python = textwrap.dedent(inspect.getsource(numba_cuda.python_function(kernel)))
    return InCpp(known.name, python, cpp, found.warnings)
