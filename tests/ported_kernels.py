"""Translated kernels as functions: compiled by g++ for the CPU, and called on NumPy arrays and CPU tensors."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

import workbench.porting
from workbench.porting.translation import Translation

HEADERS = Path(workbench.porting.__file__).parent / "headers"

# no -ffast-math, and no product and sum in one step: the executor's bits
FLAGS = ["-std=c++20", "-O1", "-fwrapv", "-ffp-contract=off", "-shared", "-fPIC", f"-I{HEADERS}", "-x", "c++"]

CALLER = """\
#include <stdexcept>
#include <string.h>
template <typename T, int N>
struct Taken {
  static Array<T, N> from(const void* given) {
    const int64_t* words = static_cast<const int64_t*>(given);
    Array<T, N> array;
    array.data = reinterpret_cast<T*>(words[0]);
    for (int d = 0; d < N; ++d) {
      array.sizes[d] = words[1 + d];
      array.strides[d] = words[1 + N + d];
    }
    return array;
  }
};
"""


def file_of(translations: list[Translation]) -> str:
    """The .cu file of several translations of kernels of different names."""
    parts = dict.fromkeys(source for one in translations for _, source in (*one.devices, ("", one.source)))
    return "\n".join(['#include "port.cuh"\n\nusing namespace port;\n', *parts])


def caller_of(translation: Translation, label: str, scalar: str = "float") -> str:
    """A C function that launches one kernel with arguments in memory."""
    arguments = []
    for k, parameter in enumerate(translation.parameters):
        cpp = parameter.cpp.replace("scalar_t", scalar)
        if parameter.ndim is None:
            arguments.append(f"*static_cast<const {cpp}*>(given[{k}])")
        else:
            const = "" if parameter.written else "const "
            arguments.append(f"Taken<{const}{cpp}, {parameter.ndim}>::from(given[{k}])")
    name = translation.name + (f"<{scalar}>" if translation.templated else "")
    waits = "true" if translation.synchronises else "false"
    return f"""\
extern "C" int {label}(const void** given, const unsigned* g, const unsigned* b, uint64_t bytes, char* problem) {{
  try {{
    port::launch<{waits}>({name}, dim3(g[0], g[1], g[2]), dim3(b[0], b[1], b[2]), bytes, nullptr,
        {", ".join(arguments)});
  }} catch (const std::exception& error) {{
    strncpy(problem, error.what(), 255);
    return 1;
  }}
  return 0;
}}
"""


def compiled(source: str, folder: Path, name: str = "kernels") -> ctypes.CDLL:
    """The library that g++ makes of a source."""
    path = folder / f"{name}.cu"
    path.write_text(source)
    library = folder / f"{name}.so"
    done = subprocess.run(["g++", *FLAGS, str(path), "-o", str(library)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000] + "\n" + source[:4000]
    return ctypes.CDLL(str(library))


def call(library: ctypes.CDLL, label: str, translation: Translation, launch: tuple, arguments: tuple) -> None:
    """Run a compiled kernel. Updates: the arguments that it writes."""
    grid, block, shared_bytes = launch
    kept = [_in_memory(p, value) for p, value in zip(translation.parameters, arguments, strict=True)]
    given = (ctypes.c_void_p * len(kept))(*(one.ctypes.data for one in kept))
    three = ctypes.c_uint * 3
    problem = ctypes.create_string_buffer(256)
    function = getattr(library, label)
    grid, block = ((*one, 1, 1)[:3] for one in (grid, block))
    if function(given, three(*grid), three(*block), ctypes.c_uint64(shared_bytes), problem):
        raise RuntimeError(problem.value.decode())


DTYPES = {
    "bool": np.bool_, "int8_t": np.int8, "int16_t": np.int16, "int": np.int32, "int64_t": np.int64,
    "uint8_t": np.uint8, "uint16_t": np.uint16, "uint32_t": np.uint32, "uint64_t": np.uint64,
    "__half": np.float16, "float": np.float32, "double": np.float64,
}  # fmt: skip


def _in_memory(parameter: Any, value: Any) -> np.ndarray:
    if parameter.ndim is None:
        cpp = parameter.cpp
        dtype = (value.dtype if isinstance(value, np.generic) else np.float64) if cpp == "scalar_t" else DTYPES[cpp]
        return np.array([value], dtype)
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    strides = [stride // value.itemsize for stride in value.strides]
    return np.array([value.ctypes.data, *value.shape, *strides], np.int64)
