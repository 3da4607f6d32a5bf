"""translate: a ``numba.cuda.jit`` kernel as readable CUDA C++, templated on the type of its arrays.

Types are Numba's own: each operation is resolved as it is for the GPU, and each variable held against what Numba infers
for it. A function is gone through until what is known of its variables stays the same: their types, and the ranges of
those that are integers, from which follows where C++ needs a cast, and where ``//`` may be ``/``.

``kinds`` and ``ranges`` are that knowledge, ``expression`` a piece of C++ with it; ``operators``, ``values``, ``calls``
and ``guards`` write expressions, ``assignments`` and ``statements`` lines; ``scopes`` says where a variable is
declared, ``text`` what the author wrote beside the code. ``headers`` is what the written C++ includes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any

from numba.core import types

from workbench import numba_cuda, numba_cuda_compile, numba_cuda_types
from workbench.errors import PortError
from workbench.porting.expression import Array, array_type
from workbench.porting.function import Device, Whole
from workbench.porting.identifiers import hidden
from workbench.porting.kinds import Kind, limits, plain
from workbench.porting.scopes import Variable
from workbench.porting.statements import Statements
from workbench.porting.text import commented

WIDTH = 120
MOST_PASSES = 40


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel: ``cpp`` is its C++ type, of its elements where it is an array; ``ndim`` None if not."""

    name: str
    cpp: str
    ndim: int | None
    written: bool


@dataclass(frozen=True)
class Translation:
    """A kernel in C++.

    ``source`` is the ``__global__`` function, and ``devices`` the constant arrays that it reads and the device
    functions that it calls, each a name and a source, callees first; kernels that share one have it with the same
    source. Both are templates on ``scalar_t`` where types follow the arrays' dtype; the kernel is if ``templated``.
    ``shared_dynamic`` says that it needs shared
    memory at launch, and ``synchronises`` that its threads wait for each other. ``warnings`` name the line of what C++
    does otherwise, or more slowly, than a reader may expect.
    """

    name: str
    parameters: tuple[Parameter, ...]
    devices: tuple[tuple[str, str], ...]
    source: str
    templated: bool
    shared_dynamic: bool
    synchronises: bool
    warnings: tuple[str, ...]


def translate(kernel: Any, argument_types: tuple, twin: Any = None) -> Translation:
    """Translate a ``cuda.jit`` kernel for arguments of these Numba types, and for their float64 twin.

    Where ``argument_types`` have float32, types are inferred a second time with float64 in its place, and what differs
    becomes ``scalar_t``. ``twin`` is the kernel that is launched with those, where that is another one: of the same
    source, with other constants. A kernel that has no such twin, since it holds on to float32, is translated for
    float32 alone, with a warning.

    Raises PortError, which names the kernel's own line, for what C++ does not say in the same way.
    """
    doubles = tuple(map(_doubled, argument_types))
    if doubles == argument_types:
        return _translate((kernel, kernel), argument_types, argument_types)
    kernels = (kernel, kernel if twin is None else twin)
    _check_twin(kernels)
    try:
        return _translate(kernels, argument_types, doubles)
    except PortError as problem:
        alone = _translate((kernel, kernel), argument_types, argument_types)
        warning = f"{alone.name}: translated for float32 alone; with float64 arrays, {problem}"
        return Translation(**{**vars(alone), "warnings": (warning, *alone.warnings)})


def _doubled(one: Any) -> Any:
    if one == types.float32:
        return types.float64
    if isinstance(one, types.Array) and one.dtype == types.float32:
        return one.copy(dtype=types.float64)
    return one


def _check_twin(kernels: tuple[Any, Any]) -> None:
    one, other = (numba_cuda.python_function(kernel).__code__ for kernel in kernels)
    if (one.co_filename, one.co_firstlineno, one.co_code) != (other.co_filename, other.co_firstlineno, other.co_code):
        raise PortError(f"{one.co_name} and its twin {other.co_name} are not made by the same lines")


def _translate(kernels: tuple[Any, Any], singles: tuple, doubles: tuple) -> Translation:
    whole = Whole(singles != doubles)
    arguments = tuple(map(Kind, singles, doubles))
    with numba_cuda_compile.device_functions_for(numba_cuda_types.CAPABILITY):
        written = _Written(kernels, arguments, whole)
        source = written.written_out("__global__ void")
    if numba_cuda.fastmath(kernels[0]):
        written.warn(written.tree, "it was declared with fastmath=True; nvcc's -use_fast_math says the same")
    parameters = []
    for name, kind in written.arguments.items():
        element = kind.element if kind.is_array else kind
        ndim = kind.single.ndim if kind.is_array else None
        parameters.append(Parameter(name, written.cpp_name(element), ndim, name in written.written))
    return Translation(
        name=written.cpp_identifier,
        parameters=tuple(parameters),
        devices=(*whole.constants.values(), *((one.name, one.source) for one in whole.devices.values())),
        source=source,
        templated=written.follows,
        shared_dynamic=whole.shared_dynamic,
        synchronises=whole.synchronises,
        warnings=tuple(whole.warnings),
    )


class _Written(Statements):
    """A function, written out."""

    def written_out(self, head: str) -> str:
        """The C++ function; ``head`` is what stands before its name."""
        self._bind_parameters()
        self.passes, self.changed = 0, True
        while self.changed:
            self.passes += 1
            if self.passes > MOST_PASSES:
                raise self.refused(self.tree, "what its variables are does not settle")
            self._name_parameters()
            self.lines, self.depth, self.changed = [], 0, False
            self.taken = set(self.names[0].local) | {part.name for parts in self.tuples.values() for part in parts}
            self.block(self._body(), self.tree.lineno, self.tree.end_lineno + 1)
            if not self.changed:
                found = hidden(self.names[0].local, "\n".join(self.lines)) - self.hidden
                self.changed = bool(found)
                self.hidden |= found
        parameters = [self._parameter(name, kind) for name, kind in self.arguments.items()]
        lines = _comment(ast.get_docstring(self.tree))
        if self.follows:
            lines.append("template <typename scalar_t>")
        lines += _head(f"{head} {self.cpp_identifier}", parameters)
        lines += [f"  {constant}" for constant in self.constants.values()]
        return "\n".join([*lines, *self.lines, "}"]) + "\n"

    def _body(self) -> list[ast.stmt]:
        body = self.tree.body
        return body[1:] if ast.get_docstring(self.tree) is not None and len(body) > 1 else body

    def _bind_parameters(self) -> None:
        self.bound: dict[str, Variable] = {}
        variables = {v.name: v for v in self.scopes.of.values() if v.is_parameter}
        for name, kind in self.arguments.items():
            variable = variables.get(name) or Variable(name, is_parameter=True)
            self.bound[name] = variable
            if kind.is_array:
                if variable.stores:
                    raise self.refused(self.tree, f"{name} is an array, and is assigned to; use another name")
                self.arrays[variable] = Array(name, kind, name in self.written)
                continue
            variable.kind = variable.cpp = kind
            variable.range = limits(kind.single) if kind.is_integer else None
            variable.natural = kind.is_integer and variable.range[0] >= 0

    def _name_parameters(self) -> None:
        for name, variable in self.bound.items():
            variable.code = self.identifier(name)
            if variable in self.arrays:
                self.arrays[variable] = replace(self.arrays[variable], code=variable.code)

    def _parameter(self, name: str, kind: Kind) -> str:
        if kind.is_array:
            self.cpp_name(kind.element)
            type_name = array_type(kind, name in self.written)
        else:  # as wide as what is assigned to it, which may be wider than what is handed over
            type_name = self.cpp_name(self.bound[name].kind)
        return f"{type_name} {self.identifier(name)}"

    def device(self, node: ast.AST, kernels: tuple[Any, Any], arguments: tuple[Kind, ...]) -> Device:
        key = (*map(id, kernels), arguments)
        if key in self.whole.devices:
            found = self.whole.devices[key]
            if found is None:
                raise self.refused(node, f"`{ast.unparse(node.func)}` calls itself; write it as a loop")
            return found
        self.whole.devices[key] = None  # until it is written
        written = _Written(kernels, arguments, self.whole)
        written.result = plain(Kind(*(one.result for one in written.inferred)))
        returns = "void" if written.result.single == types.none else written.cpp_name(written.result)
        if returns == "void":
            result, written.result = written.result, None
        else:
            result = written.result
        source = written.written_out(f"__device__ {returns}")
        parameters = tuple(
            Array(name, kind, name in written.written) if kind.is_array else kind
            for name, kind in written.arguments.items()
        )
        del self.whole.devices[key]  # its callees stand before it
        device = Device(written.cpp_identifier, source, result, parameters, written.follows, written.effect)
        self.whole.devices[key] = device
        return device


def _comment(docstring: str | None) -> list[str]:
    return [f"// {commented(line)}".rstrip() for line in (docstring or "").strip().splitlines()]


def _head(name: str, parameters: list[str]) -> list[str]:
    line = f"{name}({', '.join(parameters)}) {{"
    if len(line) <= WIDTH:
        return [line]
    return [f"{name}(", *(f"    {p}," for p in parameters[:-1]), f"    {parameters[-1]}) {{"]
