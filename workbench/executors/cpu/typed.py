"""Arithmetic of a kernel that runs as plain Python: each operation computes as the compiled kernel does.

Python and NumPy type ``x[i] * 2`` in ways of their own. Here a small function is compiled for each operation and each
set of types that it meets, so that int32 + int32 is an int64, float32 * int64 a float64 and 1 / 0.0 infinite, as in the
launch. Values are what a person expects to see in a debugger: Python's own int, float, bool and complex for the types
that these are, NumPy's scalars for the others.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.core.errors import NumbaError
from numba.np.numpy_support import as_dtype

from workbench import numba_cuda
from workbench.executors.cpu import semantics

NUMBERS = (bool, int, float, complex, np.number, np.bool_)

PLAIN = {np.int64, np.float64, np.bool_, np.complex128}
"""NumPy's scalar types that Python has a type of its own for."""

_run: dict[tuple, tuple[Callable, Any]] = {}


def plain(scalar: np.generic) -> Any:
    """A NumPy scalar, as Python's own number where Python has its type."""
    return scalar.item() if type(scalar) in PLAIN else scalar


def compute(function: Callable, *arguments: Any) -> Any:
    """The result of a function that Numba can compile, for numbers and arrays, in the type that Numba gives it.

    Raises TypeError for arguments of types that the function does not take.
    """
    kinds = (function, *map(_kind, arguments))
    if kinds not in _run:
        _run[kinds] = _compile(function, arguments)
    run, result = _run[kinds]
    return _typed(run(*arguments), result)


def _kind(value: Any) -> Any:
    """What decides a value's Numba type; an integer beyond int64 is a uint64."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    return (int, value >= 2**63) if type(value) is int else type(value)


def _compile(function: Callable, arguments: tuple) -> tuple[Callable, Any]:
    names = ", ".join(f"a{k}" for k in range(len(arguments)))
    run = numba.njit(eval(f"lambda {names}: function({names})", {"function": function}), error_model="numpy")
    try:
        run.compile(tuple(map(numba.typeof, arguments)))
    except NumbaError as error:
        raise TypeError(numba_cuda.compile_problem(error)[1]) from None
    (compiled,) = run.overloads.values()
    return run, _scalar(compiled.signature.return_type)


def _scalar(kind: types.Type) -> Any:
    """NumPy's scalar type of a Numba type; a tuple of them for a tuple, and None for none."""
    if isinstance(kind, types.BaseTuple):
        return tuple(map(_scalar, kind))
    return None if kind == types.none else as_dtype(types.unliteral(kind)).type


def _typed(value: Any, scalar: Any) -> Any:
    if type(scalar) is tuple:
        return tuple(_typed(v, s) for v, s in zip(value, scalar, strict=True))
    return None if scalar is None else plain(scalar(value))


class Typed:
    """A function of numbers, which computes as in the compiled kernel; ``original`` takes what is no number."""

    def __init__(self, function: Callable, original: Callable) -> None:
        self.function, self.original = function, original

    def __repr__(self) -> str:
        return repr(self.original)

    def __call__(self, *numbers: Any, **keywords: Any) -> Any:
        if keywords or not all(isinstance(n, NUMBERS) for n in numbers):
            return self.original(*numbers, **keywords)
        if self.original in (min, max) and len(numbers) > 2:
            return functools.reduce(self, numbers)
        return compute(self.function, *numbers)


class Operand:
    """The right operand of an operator, or the only one: Python leaves the operation to it."""

    __slots__ = ("value",)
    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, value: Any) -> None:
        self.value = value


def _binary(function: Callable, original: Callable) -> Callable:
    operation = Typed(function, original)
    return lambda self, left: operation(left, self.value)


def _unary(function: Callable) -> Callable:
    operation = Typed(function, function)
    return lambda self: operation(self.value)


def _comparison(function: Callable, swapped: Callable) -> Callable:
    """``left < Operand`` comes as ``Operand > left``; in ``a < b < c``, b is an Operand too, and nothing is swapped."""
    operation, reflected = Typed(function, function), Typed(swapped, swapped)

    def compare(self: Operand, other: Any) -> Any:
        if isinstance(other, Operand):
            return operation(self.value, other.value)
        return reflected(other, self.value)

    return compare


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor"):
    _function = getattr(operator, f"__{_name}__")
    setattr(Operand, f"__r{_name}__", _binary(_function, _function))
Operand.__rpow__ = _binary(semantics.power, operator.pow)
for _name in ("neg", "pos", "invert"):
    setattr(Operand, f"__{_name}__", _unary(getattr(operator, _name)))
for _name, _swapped in {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}.items():
    setattr(Operand, f"__{_name}__", _comparison(getattr(operator, _name), getattr(operator, _swapped)))
