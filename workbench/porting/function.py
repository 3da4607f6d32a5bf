"""What the translation of one function knows: its source, the types of its calls, and its place in the whole."""

from __future__ import annotations

import ast
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numba.core import types

from workbench import numba_cuda, numba_cuda_types
from workbench.errors import PortError
from workbench.kernel import describe
from workbench.porting.expression import Array, Effect, Expression, Level, literal
from workbench.porting.identifiers import TAKEN, of_function
from workbench.porting.kinds import DOUBLE, HALF, SCALAR_KIND, Kind, cpp_name, plain
from workbench.porting.scopes import Variable, scopes_of
from workbench.porting.text import Text
from workbench.source import UNKNOWN, Names, SourceError, file_of, function_tree

Value = Expression | Array | tuple
"""What an expression stands for: a number, an array, or a tuple of these."""


@dataclass
class Device:
    """A device function as its callers see it."""

    name: str
    source: str
    result: Kind
    parameters: tuple[Kind | Array, ...]
    templated: bool
    effect: Effect


@dataclass
class Whole:
    """What the functions of one translation share: the device functions, in the order of their definitions.

    ``constants`` are arrays from outside, each a name and a definition.
    """

    twin: bool
    devices: dict[tuple, Device | None] = field(default_factory=dict)
    names: dict[str, tuple] = field(default_factory=dict)
    constants: dict[int, tuple[str, str]] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    synchronises: bool = False
    shared_dynamic: bool = False


class Function:
    """A kernel or device function on its way to C++; ``pair`` has it as float32 and as float64 arrays meet it."""

    def __init__(self, kernels: tuple[Any, Any], arguments: tuple[Kind, ...], whole: Whole) -> None:
        self.kernels, self.whole = kernels, whole
        self.pair = tuple(map(numba_cuda.python_function, kernels))
        self.name = self.pair[0].__name__
        self.file = file_of(self.pair[0])
        try:
            self.tree = function_tree(self.pair[0])
            self.names = tuple(map(Names, self.pair))
        except SourceError as problem:
            raise PortError(f"{self.name}: {problem}") from None
        self.text = Text(self.pair[0])
        self.written = describe(kernels[0]).written
        self.operations = numba_cuda.operations()
        self.parameters = [a.arg for a in self.tree.args.args]
        self.constants: dict[str, str] = {}
        self.arrays: dict[Variable, Array] = {}
        self.tuples: dict[Variable, tuple[Variable, ...]] = {}
        self.effect = Effect.NONE
        self.follows = False
        self.result: Kind | None = None
        self.scopes = scopes_of(self.tree)
        self.guards: list[dict] = []
        self.hidden: set[str] = set()  # names of variables that would hide a function
        self._check_parameters(arguments)
        self.arguments = dict(zip(self.parameters, map(plain, arguments), strict=True))
        self.inferred = self._infer(arguments)

    def _check_parameters(self, arguments: tuple[Kind, ...]) -> None:
        given = self.tree.args
        if given.vararg or given.kwarg or given.kwonlyargs:
            raise self.refused(self.tree, "C++ has no *args, **kwargs or keyword-only parameters here")
        if len(arguments) != len(self.parameters):
            raise self.refused(
                self.tree, f"it takes {len(self.parameters)} arguments, and the types of {len(arguments)} are given"
            )

    def _infer(self, arguments: tuple[Kind, ...]) -> tuple:
        found = []
        singles, doubles = zip(*arguments, strict=True) if arguments else ((), ())
        for function, given in zip(self.pair, (singles, doubles), strict=True):
            if found and (function, given) == (self.pair[0], singles):  # nothing that is float64 in the twin
                return found[0], found[0]
            try:
                found.append(numba_cuda_types.inferred_on_cuda(function, given))
            except Exception as problem:  # whatever Numba raises
                positions, sentence = numba_cuda.compile_problem(problem)
                line = next((line for file, line in positions if file == self.file), self.tree.lineno)
                raise PortError(f"{self.file}:{line}: {self.name}: Numba cannot compile it: {sentence}") from None
        return tuple(found)

    @functools.cached_property
    def cpp_identifier(self) -> str:
        """The function's name in C++; for arguments of other types, as of another function, it has a number."""
        name = wanted = of_function(self.name)
        key = (*map(id, self.kernels), *self.arguments.values())
        number = 1
        while self.whole.names.setdefault(name, key) != key:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def identifier(self, name: str) -> str:
        """The C++ name of a variable, or of a constant from outside."""
        return f"{name}_" if name in TAKEN or name in self.hidden else name

    # -- what is said to people

    def refused(self, node: ast.AST, reason: str) -> PortError:
        return PortError(f"{self.file}:{getattr(node, 'lineno', self.tree.lineno)}: {self.name}: {reason}")

    def warn(self, node: ast.AST, text: str) -> None:
        self.whole.warnings[f"{self.file}:{node.lineno}: {self.name}: {text}"] = None

    def note_float64(self, node: ast.AST, *operands: Expression) -> None:
        """Warn of arithmetic in float64 with a float32, or with integers alone."""
        floats = [e for e in operands if e.kind.is_float]
        if not floats or any(e.kind != DOUBLE for e in floats):
            self.warn(node, f"`{ast.unparse(node)}` is computed in float64")

    # -- types

    def cpp_name(self, kind: Kind, node: ast.AST | None = None) -> str:
        if kind == SCALAR_KIND or (kind.is_array and kind.element == SCALAR_KIND):
            self.follows = True
        try:
            return cpp_name(kind)
        except PortError as problem:
            raise self.refused(self.tree if node is None else node, str(problem)) from None

    def signature(self, node: ast.AST, called: Any, arguments: tuple[Kind, ...]) -> tuple[Kind, tuple[Kind, ...]]:
        """The result of a call and what its arguments are converted to, for one callable or one of each translation."""
        if HALF in arguments:
            raise self.refused(node, f"`{ast.unparse(node)}`: float16 is stored here; convert with float32(...) first")
        found = []
        for k in range(2):
            one = called[k] if isinstance(called, tuple) else called
            given = tuple(kind[k] for kind in arguments)
            signature = numba_cuda_types.signature_on_cuda(one, given)
            if signature is None:
                listed = ", ".join(map(str, given))
                raise self.refused(node, f"Numba has no `{ast.unparse(node)}` for {listed}")
            found.append(signature)
        result = plain(Kind(found[0].return_type, found[1].return_type))
        if isinstance(result.single, (types.Number, types.Boolean)):
            self.cpp_name(result, node)
        return result, tuple(plain(Kind(*pair)) for pair in zip(found[0].args, found[1].args, strict=True))

    def unify(self, node: ast.AST, one: Any, other: Any) -> Any:
        found = numba_cuda_types.unified_on_cuda(one, other)
        if found is None:
            raise self.refused(node, f"`{ast.unparse(node)}` is {one} or {other}, which have no common type")
        return found

    # -- names from outside

    def outside(self, node: ast.expr) -> tuple[Any, Any] | None:
        """The values that a name or dotted name from outside has in both translations; None for what is inside."""
        try:
            found = tuple(names.value(node) for names in self.names)
        except SourceError as problem:
            raise self.refused(node, str(problem).split(": ", 1)[-1]) from None
        return None if any(value is UNKNOWN for value in found) else found

    def operation_named(self, node: ast.expr) -> str | None:
        """The dotted name below ``numba.cuda`` of the operation that an expression names."""
        values = self.outside(node)
        return None if values is None else self.operations.get(id(values[0]))

    def constant(self, node: ast.expr, values: tuple[Any, Any]) -> Expression:
        """A number from outside, under its own name where it has one."""
        if not all(map(_is_number, values)):
            kind = type(values[0]).__name__
            raise self.refused(node, f"`{ast.unparse(node)}` is of the type {kind}, which is no number")
        if isinstance(node, ast.Attribute):
            return literal(values[0].item() if hasattr(values[0], "item") else values[0])
        return self._named_constant(node, values)

    def _named_constant(self, node: ast.Name, values: tuple[Any, Any]) -> Expression:
        kind = Kind(*map(_type_of, values))
        plain_values = tuple(value.item() if hasattr(value, "item") else value for value in values)
        name = self.cpp_name(kind)
        one, other = (literal(value).code for value in plain_values)
        if one != other and not kind.follows:
            raise self.refused(node, f"{node.id} is {one} for float32 and {other} for float64, and of one type")
        value = one if one == other else f"sizeof({name}) == 4 ? {one} : {other}"
        if plain_values[0] == plain_values[1] or math.isnan(plain_values[0]):
            value = one
        elif plain_values[0] == float(np.float32(plain_values[1])):
            value = other  # the same number, rounded to each type
        code = self.identifier(node.id)
        self.constants[code] = f"constexpr {name} {code} = {value};"
        found = (plain_values[0],) * 2 if kind.is_integer else None
        return Expression(
            code, Level.PRIMARY, kind, kind, found, kind.is_integer and plain_values[0] >= 0, plain_values
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def _type_of(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return types.int64
    return types.unliteral(numba.typeof(value))
