"""From a function's Python source to a SymPy expression of its parameters."""

from __future__ import annotations

import ast
import inspect
import math
import numbers
import operator
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from workbench import numba_cuda, trigonometry
from workbench.gradients.symbolic.functions import Maximum, Minimum
from workbench.source import UNKNOWN, Names, SourceError, file_of, function_tree


class DerivationError(ValueError):
    """A function that cannot be derived. The message names the line and says what to do."""


class Formula(NamedTuple):
    """A function as a formula: its name, its parameters in order, its value, and the constants in it by name."""

    name: str
    parameters: tuple[sp.Symbol, ...]
    value: sp.Expr
    constants: dict[sp.Symbol, sp.Expr]

    @property
    def number(self) -> sp.Expr:
        """The value with numbers in place of the constants' names."""
        return self.value.subs(self.constants)


CALLS: dict[Any, Callable[..., sp.Expr]] = {
    math.exp: sp.exp,
    math.expm1: lambda u: sp.exp(u) - 1,
    math.log: lambda u, base=None: sp.log(u) if base is None else sp.log(u) / sp.log(base),
    math.log1p: lambda u: sp.log(1 + u),
    math.log2: lambda u: sp.log(u) / sp.log(2),
    math.log10: lambda u: sp.log(u) / sp.log(10),
    math.sqrt: sp.sqrt,
    math.pow: sp.Pow,
    math.sin: sp.sin,
    math.cos: sp.cos,
    math.tan: sp.tan,
    math.asin: sp.asin,
    math.acos: sp.acos,
    math.atan: sp.atan,
    math.sinh: sp.sinh,
    math.cosh: sp.cosh,
    math.tanh: sp.tanh,
    math.asinh: sp.asinh,
    math.acosh: sp.acosh,
    math.atanh: sp.atanh,
    math.erf: sp.erf,
    math.erfc: sp.erfc,
    math.hypot: lambda u, v: sp.sqrt(u**2 + v**2),
    math.fabs: sp.Abs,
    abs: sp.Abs,
    pow: sp.Pow,
    float: lambda u: u,
    max: lambda a, *others: _chain(Maximum, a, others),
    min: lambda a, *others: _chain(Minimum, a, others),
    numba_cuda.python_function(trigonometry.sine): sp.sin,
    numba_cuda.python_function(trigonometry.cosine): sp.cos,
    numba_cuda.python_function(trigonometry.tangent): sp.tan,
}
"""What a function may call, from the object that the name is bound to."""

RESERVED = ("math", "cuda", "float32", "float64", "sigmoid", "softplus", "sign", "sine", "cosine", "tangent")
"""Names that the source of a derivative has for itself."""

OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS = {ast.Lt: sp.Lt, ast.LtE: sp.Le, ast.Gt: sp.Gt, ast.GtE: sp.Ge, ast.Eq: sp.Eq, ast.NotEq: sp.Ne}
STATEMENTS = {
    ast.For: "a `for` loop",
    ast.While: "a `while` loop",
    ast.With: "a `with` block",
    ast.Try: "a `try` block",
    ast.Raise: "`raise`",
    ast.Assert: "`assert`",
}


def formula(function: Callable) -> Formula:
    """A plain Python function, a lambda, or a ``cuda.jit(device=True)`` function of scalars, as a formula.

    Raises DerivationError, with the line, for what is no formula.
    """
    if numba_cuda.is_kernel(function):
        if not numba_cuda.is_device_function(function):
            raise DerivationError(
                f"{numba_cuda.python_function(function).__name__!r} is a kernel, which returns nothing; "
                "derive the device function that computes one element"
            )
        function = numba_cuda.python_function(function)
    if not inspect.isfunction(function):
        raise DerivationError(f"{function!r} is no function written in Python; derive a `def` or a device function")
    constants: dict[sp.Symbol, sp.Expr] = {}
    reader = _Reader(function, constants)
    symbols = tuple(sp.Symbol(name, real=True) for name in reader.parameters)
    return Formula(function.__name__, symbols, reader.value(symbols), constants)


class _Reader:
    """Reads one function; the functions that it calls are read by further ones, into the same ``constants``."""

    def __init__(
        self, function: Callable, constants: dict[sp.Symbol, sp.Expr], callers: tuple[Callable, ...] = ()
    ) -> None:
        self.function = function
        self.constants = constants
        self.callers = (*callers, function)
        self.reserved = {*self.callers[0].__code__.co_varnames, *RESERVED}
        try:
            self.definition: ast.FunctionDef | ast.Lambda = _definition(function)
            self.names = Names(function)
        except SourceError as error:
            raise DerivationError(str(error)) from None
        arguments = self.definition.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise self.refusal(self.definition, "parameters with * cannot be derived; name each scalar")
        self.parameters = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        for name in RESERVED:
            if name in self.parameters and not callers:
                raise self.refusal(self.definition, f"the derivative calls something {name!r}; rename that parameter")

    def refusal(self, node: ast.AST, said: str) -> DerivationError:
        """The error that names the line of a node."""
        line = getattr(node, "lineno", self.function.__code__.co_firstlineno)
        return DerivationError(f"{Path(file_of(self.function)).name}, line {line}: {said}")

    def value(self, arguments: Sequence[sp.Expr]) -> sp.Expr:
        """What the function returns for these arguments."""
        bound = dict(zip(self.parameters, arguments, strict=True))
        if isinstance(self.definition, ast.Lambda):
            return self.expression(self.definition.body, bound)
        returned = self.statements(self.definition.body, bound)
        if returned is None:
            raise self.refusal(
                self.definition, f"{self.function.__name__!r} does not return a value on every path; add a return"
            )
        return returned

    def statements(self, body: Sequence[ast.stmt], bound: dict[str, sp.Expr]) -> sp.Expr | None:
        """The value that these statements return, or None where they return nothing."""
        for k, statement in enumerate(body):
            match statement:
                case ast.Return(value=ast.expr() as value):
                    return self.expression(value, bound)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    bound = bound | {name: self.expression(value, bound)}
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    bound = bound | {name: self.expression(value, bound)}
                case ast.AugAssign(target=ast.Name(id=name) as target, op=operation, value=value):
                    whole = ast.copy_location(
                        ast.BinOp(ast.copy_location(ast.Name(name), target), operation, value), target
                    )
                    bound = bound | {name: self.expression(whole, bound)}
                case ast.If(test=test, body=then, orelse=otherwise):
                    condition = self.condition(test, bound)
                    if condition.free_symbols <= set(self.constants):
                        condition = condition.subs(self.constants)
                    rest = list(body[k + 1 :])
                    if condition in (sp.true, sp.false):
                        return self.statements([*(then if condition == sp.true else otherwise), *rest], bound)
                    branches = [self.statements([*branch, *rest], bound) for branch in (then, otherwise)]
                    if None in branches:
                        return None
                    return sp.Piecewise((branches[0], condition), (branches[1], True))
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    continue
                case _:
                    raise self.refusal(statement, self._why_not(statement))
        return None

    @staticmethod
    def _why_not(statement: ast.stmt) -> str:
        what = STATEMENTS.get(type(statement))
        if isinstance(statement, ast.Assign | ast.AugAssign):
            what = f"the assignment to `{ast.unparse(getattr(statement, 'target', None) or statement.targets[0])}`"
        what = what or f"`{ast.unparse(statement).splitlines()[0]}`"
        return f"{what} cannot be derived; a formula is made of assignments to names, if/else and return"

    def expression(self, node: ast.expr, bound: dict[str, sp.Expr]) -> sp.Expr:
        """A scalar expression."""
        match node:
            case ast.Constant(value=value):
                return self.number(node, value)
            case ast.Name(id=name) if name in bound:
                return bound[name]
            case ast.Name(id=name):
                return self.constant(name, self.number(node, self.outside(node)))
            case ast.Attribute():
                return self.number(node, self.outside(node))
            case ast.BinOp(left=left, op=operation, right=right):
                if type(operation) not in OPERATIONS:
                    raise self.refusal(node, f"`{ast.unparse(node)}` has no derivative that SymPy could give")
                a, b = self.expression(left, bound), self.expression(right, bound)
                if isinstance(operation, ast.Div) and b == 0:
                    raise self.refusal(node, f"`{ast.unparse(node)}` divides by zero")
                if isinstance(operation, ast.Pow):
                    b = b.subs(self.constants)
                return OPERATIONS[type(operation)](a, b)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.expression(operand, bound)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.expression(operand, bound)
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                return sp.Piecewise(
                    (self.expression(then, bound), self.condition(test, bound)),
                    (self.expression(otherwise, bound), True),
                )
            case ast.Call():
                return self.call(node, bound)
            case ast.Subscript():
                raise self.refusal(
                    node, f"`{ast.unparse(node)}` reads an array; derive the function of one element's scalars"
                )
        raise self.refusal(node, f"`{ast.unparse(node)}` is not arithmetic on scalars")

    def condition(self, node: ast.expr, bound: dict[str, sp.Expr]) -> sp.Basic:
        """What an ``if`` asks."""
        match node:
            case ast.Compare(left=left, ops=operations, comparators=others):
                sides = [self.expression(side, bound) for side in (left, *others)]
                if any(type(o) not in COMPARISONS for o in operations):
                    raise self.refusal(node, f"`{ast.unparse(node)}` does not compare two scalars")
                return sp.And(
                    *(COMPARISONS[type(o)](a, b) for o, a, b in zip(operations, sides, sides[1:], strict=False))
                )
            case ast.BoolOp(op=operation, values=values):
                parts = [self.condition(value, bound) for value in values]
                return sp.And(*parts) if isinstance(operation, ast.And) else sp.Or(*parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return sp.Not(self.condition(operand, bound))
            case ast.Constant(value=bool() as value):
                return sp.true if value else sp.false
        value = self.expression(node, bound)
        return sp.Ne(value, 0)

    def call(self, node: ast.Call, bound: dict[str, sp.Expr]) -> sp.Expr:
        """A call of something in CALLS, of a type as a cast, or of a function that is read in its turn."""
        called = self.outside(node.func)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.refusal(node, f"`{ast.unparse(node)}`: give each argument by position")
        arguments = [self.expression(a, bound) for a in node.args]
        if _is_float_type(called) and len(arguments) == 1:
            return arguments[0]
        if numba_cuda.is_kernel(called) and numba_cuda.is_device_function(called):
            called = numba_cuda.python_function(called)
        try:
            if called.__hash__ is not None and called in CALLS:
                return CALLS[called](*arguments)
            if not inspect.isfunction(called):
                raise self.refusal(
                    node,
                    f"`{ast.unparse(node.func)}` cannot be derived; call math.*, min, max, abs, "
                    "or a function written with them",
                )
            if called in self.callers:
                raise self.refusal(node, f"{called.__name__!r} calls itself; a formula cannot")
            inner = _Reader(called, self.constants, self.callers)
            if len(inner.parameters) != len(arguments):
                raise TypeError
            return inner.value(arguments)
        except TypeError:
            raise self.refusal(node, f"`{ast.unparse(node)}` has {len(arguments)} arguments, which is wrong") from None

    def outside(self, node: ast.expr) -> Any:
        """The object that a name from outside the function is bound to."""
        try:
            value = self.names.value(node)
        except SourceError as error:
            raise self.refusal(node, str(error).split(": ", 1)[-1]) from None
        if value is UNKNOWN:
            raise self.refusal(node, f"`{ast.unparse(node)}` has no value here; assign it on every path before")
        return value

    def constant(self, name: str, value: sp.Expr) -> sp.Expr:
        """A constant under its name, so that it keeps it; under its value where the name stands for another."""
        if not value.is_Rational or value == 0 or name in self.reserved:
            return value
        same = next((s for s in self.constants if s.name == name), None)
        if same is None:
            same = sp.Symbol(name, real=True, positive=bool(value > 0), zero=False)
            self.constants[same] = value
        return same if self.constants[same] == value else value

    def number(self, node: ast.expr, value: Any) -> sp.Expr:
        """A constant, read as the decimal that was written: 0.1 is one tenth."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | np.number):
            raise self.refusal(
                node,
                f"`{ast.unparse(node)}` is {type(value).__name__}, not a number; arrays and text cannot be derived",
            )
        if isinstance(value, numbers.Integral):
            return sp.Integer(int(value))
        if not math.isfinite(value):
            raise self.refusal(node, f"`{ast.unparse(node)}` is {value}; a formula needs finite constants")
        known = {math.pi: sp.pi, math.e: sp.E, math.tau: 2 * sp.pi}
        return known[value] if value in known else sp.Rational(str(value))


def _definition(function: Callable) -> ast.FunctionDef | ast.Lambda:
    """The ``def``, or the only lambda with these parameters on its lines."""
    if function.__name__ != "<lambda>":
        return function_tree(function)
    names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError):
        raise SourceError("the source of a lambda cannot be read here; write it as a `def`") from None
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and [a.arg for a in n.args.args] == names]
    if len(found) != 1:
        raise SourceError(f"line {first}: which lambda is meant? write it as a `def`")
    ast.increment_lineno(found[0], first - 1)
    return found[0]


def _is_float_type(called: Any) -> bool:
    """Whether calling it casts to a floating-point type: Numba's and NumPy's float32 and float64."""
    if isinstance(called, type):
        return issubclass(called, np.floating)
    return str(getattr(called, "name", "")) in ("float16", "float32", "float64") and not inspect.isfunction(called)


def _chain(pair: type, first: sp.Expr, others: Sequence[sp.Expr]) -> sp.Expr:
    for other in others:
        first = pair(first, other)
    return first
