"""The C++ around the kernels: a file with the kernels, and one with an operator for each on torch's stable ABI."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterable

from workbench.errors import PortError
from workbench.porting.kernels import PortedKernel
from workbench.porting.translation import Parameter, Translation

TYPES = {
    "bool": "Bool",
    "int8_t": "Char",
    "int16_t": "Short",
    "int": "Int",
    "int64_t": "Long",
    "uint8_t": "Byte",
    "uint16_t": "UInt16",
    "uint32_t": "UInt32",
    "uint64_t": "UInt64",
    "__half": "Half",
    "float": "Float",
    "double": "Double",
}
"""The ``ScalarType`` of a tensor with elements of a C++ type."""


FLOATS = ("__half", "float", "double", "scalar_t")

TAKEN = {"grid", "block", "shared_bytes", "call", "self", "node"}
"""Names that a parameter of an operator cannot have: the launch's own, and two that torch's Python takes for itself."""


def kernels_file(title: str, kernels: Iterable[PortedKernel]) -> str:
    """The text of ``kernels.cuh``: device functions once each, each kernel, in the order of the launches."""
    parts: list[str] = []
    sources: dict[str, str] = {}
    for kernel in kernels:
        renamed: dict[str, str] = {}
        for name, source in (*kernel.translation.devices, (kernel.name, kernel.translation.source)):
            for before, after in renamed.items():
                source = re.sub(rf"\b{before}\b", after, source)
            if sources.get(name, source) != source:  # another kernel has another function of this name
                renamed[name] = f"{name}_of_{kernel.name}"
                source = re.sub(rf"\b{name}\b", renamed[name], source)
            if sources.get(renamed.get(name, name)) != source:
                sources[renamed.get(name, name)] = source
                parts.append(source)
    head = f'// The kernels of {title}.\n#pragma once\n\n#include "port.cuh"\n\nusing namespace port;\n'
    return "\n".join([head, *parts])


def ops_file(name: str, kernels: Iterable[PortedKernel]) -> str:
    """The text of ``ops.cu``: each kernel as an operator of the library ``name``, for CUDA or for the CPU."""
    translations = [kernel.translation for kernel in kernels]
    parts = [
        '// The operators: each checks its call and launches a kernel.\n#include "call.h"\n#include "kernels.cuh"\n'
    ]
    parts += map(_operator, translations)
    schemas = "".join(map(_defined, translations))
    parts += [f"STABLE_TORCH_LIBRARY({name}, m) {{\n{schemas}}}\n"]
    boxes = "".join(f'  m.impl("{t.name}", TORCH_BOX(&run_{t.name}));\n' for t in translations)
    parts += ["#ifdef __CUDACC__\n#define DEVICE CUDA\n#else\n#define DEVICE CPU\n#endif\n"]
    parts += [f"STABLE_TORCH_LIBRARY_IMPL({name}, DEVICE, m) {{\n{boxes}}}\n"]
    return "\n".join(parts)


def schema(translation: Translation) -> str:
    """The operator's signature as torch writes it. Raises PortError where no tensor tells the device or the type."""
    arrays = [parameter for parameter in translation.parameters if parameter.ndim is not None]
    if not arrays:
        raise PortError(f"{translation.name} takes no array, so that nothing says on which device it is to run")
    if translation.templated and all(parameter.cpp != "scalar_t" for parameter in arrays):
        raise PortError(f"{translation.name} takes a float32 number and no such array, so that nothing says its type")
    marks = iter("abcdefghijklmnopqrstuvwxyz")
    parameters = [f"{_schema_type(parameter, marks)} {_name(parameter)}" for parameter in translation.parameters]
    # SymInt and not int: while torch compiles for any size, a grid depends on it
    parameters += ["SymInt[] grid", "SymInt[] block", "SymInt shared_bytes"]
    return f"{translation.name}({', '.join(parameters)}) -> ()"


def _defined(translation: Translation) -> str:
    """The line that defines an operator; C++ joins strings that stand beside each other."""
    pieces = textwrap.wrap(schema(translation), 100)
    quoted = [f'"{piece} "' for piece in pieces[:-1]] + [f'"{pieces[-1]}"']
    return "  m.def(" + "\n        ".join(quoted) + ");\n"


def _schema_type(parameter: Parameter, marks: Iterable[str]) -> str:
    if parameter.ndim is not None:
        return f"Tensor({next(marks)}!)" if parameter.written else "Tensor"
    if parameter.cpp == "bool":
        return "bool"
    return "float" if parameter.cpp in FLOATS else "SymInt"


def _operator(translation: Translation) -> str:
    name, parameters = translation.name, translation.parameters
    arrays = [p for p in parameters if p.ndim is not None]
    declared = [f"{_cpp_type(p)} {_name(p)}" for p in parameters]
    declared += ["Sizes grid", "Sizes block", "int64_t shared_bytes"]
    kernel = f"{name}<scalar_t>" if translation.templated else name
    waits = "true" if translation.synchronises else "false"
    launched = [kernel, "grid", "block", "shared_bytes", *map(_given, parameters)]
    launch = functools.partial(_call, f"call.launch<{waits}>", launched, ");")
    lines = _call(f"void run_{name}", declared, ") {", "")
    lines += _call("const Call call", [f'"{name}"', *_braced(map(_argument, arrays))], ");", "  ")
    if translation.templated:
        lines += ["  call.for_scalar_type([&](auto zero) {", "    using scalar_t = decltype(zero);"]
        lines += [*launch("    "), "  });"]
    else:
        lines += launch("  ")
    return "\n".join([*lines, "}", ""])


def _braced(items: Iterable[str]) -> list[str]:
    *most, last = items
    return [f"{{{item}" if k == 0 else item for k, item in enumerate([*most, f"{last}}}"])]


def _call(head: str, arguments: list[str], tail: str, indent: str) -> list[str]:
    """A call, on as many lines as it needs."""
    lines, line = [], f"{indent}{head}("
    for k, argument in enumerate(arguments):
        ending = tail if k == len(arguments) - 1 else ", "
        if len(line) + len(argument + ending) > 120:
            lines.append(line.rstrip())
            line = f"{indent}    "
        line += argument + ending
    return [*lines, line]


def _name(parameter: Parameter) -> str:
    return parameter.name + "_" * (parameter.name in TAKEN)


def _cpp_type(parameter: Parameter) -> str:
    if parameter.ndim is not None:
        return "Tensor"
    if parameter.cpp == "bool":
        return "bool"
    return "double" if parameter.cpp in FLOATS else "int64_t"


def _argument(parameter: Parameter) -> str:
    kind = f", ScalarType::{TYPES[parameter.cpp]}" if parameter.cpp in TYPES else ""
    return f'{{"{parameter.name}", {_name(parameter)}, {parameter.ndim}{kind}}}'


def _given(parameter: Parameter) -> str:
    if parameter.ndim is None:
        return _name(parameter)
    return f"{'written' if parameter.written else 'read'}<{parameter.cpp}, {parameter.ndim}>({_name(parameter)})"
