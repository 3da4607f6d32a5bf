"""From a SymPy expression to Python source for a device function in which float32 stays float32."""

from __future__ import annotations

import ast
import linecache
import zlib
from collections.abc import Iterator
from typing import Any

import sympy as sp

from workbench.gradients.symbolic.functions import Maximum, Minimum, Sigmoid, Softplus
from workbench.gradients.symbolic.reading import DerivationError, Formula

SUM, PRODUCT, ATOM = 1, 2, 3
"""How tightly a piece of text holds together."""

MATH = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.asin: "asin", sp.acos: "acos",
    sp.atan: "atan", sp.sinh: "sinh", sp.cosh: "cosh", sp.tanh: "tanh", sp.asinh: "asinh", sp.acosh: "acosh",
    sp.atanh: "atanh", sp.erf: "erf", sp.erfc: "erfc",
}  # fmt: skip
"""SymPy's functions and their names in ``math``."""

TRIGONOMETRY = {sp.sin: "sine", sp.cos: "cosine", sp.tan: "tangent"}
"""Those that CUDA computes in float64 for large arguments, and their names in workbench.trigonometry."""

HELPERS = {
    "sigmoid": """
@cuda.jit(device=True, inline="always")
def sigmoid(u):
    tail = math.exp(-abs(u))
    return (tail if u < {zero} else {one}) / ({one} + tail)
""",
    "softplus": """
@cuda.jit(device=True, inline="always")
def softplus(u):
    return max(u, {zero}) + math.log1p(math.exp(-abs(u)))
""",
    "sign": """
@cuda.jit(device=True, inline="always")
def sign(u):
    if u > {zero}:
        return {one}
    if u < {zero}:
        return -{one}
    return u  # zero, and NaN
""",
}
"""Device functions that a derivative may call; inlined, so that Numba compiles the whole where there is no GPU."""


def source(name: str, read: Formula, value: sp.Expr, dtype: str) -> str:
    """The source of a module with a device function ``name`` that computes ``value`` from a formula's parameters.

    ``dtype`` is "float32" or "float64"; every constant is of it.
    """
    printer = _Printer(dtype)
    taken = {s.name for s in (*read.parameters, *read.constants)} | {name}
    body = "\n".join(f"    {line}" for line in printer.block(value, taken))
    constants = {"zero": printer.constant(0), "one": printer.constant(1)}
    helpers = "".join("\n" + HELPERS[h].format(**constants) for h in HELPERS if h in printer.helpers)
    arguments = ", ".join(p.name for p in read.parameters)
    used = sorted(value.free_symbols & set(read.constants), key=lambda s: s.name)
    if used:
        lines = (f"{s.name} = {printer.constant(float(read.constants[s]))}" for s in used)
        helpers = "\n" + "\n".join(lines) + "\n" + helpers
    own = f"\n\n@cuda.jit(device=True)\ndef {name}({arguments}):\n{body}\n"
    whole = helpers + own
    imports = "import math\n\n" if "math." in whole else ""
    imports += "from numba import cuda" + (f", {dtype}\n" if f"{dtype}(" in whole else "\n")
    if printer.trigonometry:
        imports += f"\nfrom workbench.trigonometry import {', '.join(sorted(printer.trigonometry))}\n"
    return imports + whole


def compiled(text: str, name: str) -> Any:
    """The device function ``name`` of a module's source, whose text tools can read back."""
    file = f"<{name} derived {zlib.crc32(text.encode()):08x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module: dict[str, Any] = {"__name__": f"workbench.derived.{name}"}
    exec(compile(ast.parse(text), file, "exec"), module)
    return module[name]


def typed(e: sp.Basic) -> str:
    """An expression or a condition as one would type it."""
    printer = _Printer("float64")
    return printer.text(e) if isinstance(e, sp.Expr) else printer.condition(e)


class _Printer:
    """Prints expressions; ``helpers`` and ``trigonometry`` have the device functions that they call."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.helpers: set[str] = set()
        self.trigonometry: set[str] = set()

    def constant(self, number: float) -> str:
        """A constant of the dtype; in float64 that is Python's own."""
        if self.dtype == "float64":
            return repr(float(number))
        return f"{self.dtype}({int(number) if number == int(number) else repr(float(number))})"

    def block(self, value: sp.Expr, taken: set[str]) -> list[str]:
        """The statements that return a value: if/else for pieces, then named common subexpressions."""
        if isinstance(value, sp.Piecewise):
            lines = []
            for k, (piece, condition) in enumerate(value.args):
                inner = self.block(piece, taken)
                if condition == sp.true:
                    return lines + inner
                lines += [f"if {self.condition(condition)}:", *(f"    {line}" for line in inner)]
                if k == len(value.args) - 1:
                    raise DerivationError("a derivative that is defined on some of its branches only")
            return lines
        names = (s for s in sp.numbered_symbols("t", start=1, real=True) if s.name not in taken)
        shared, (last,) = sp.cse(value, symbols=names, order="none")
        lines: list[str] = []
        trivial: dict[sp.Expr, sp.Expr] = {}
        for name, part in shared:
            part = part.xreplace(trivial)
            if (-part).is_Symbol:
                trivial[name] = part
            else:
                lines += self._assignments(name, part, names)
        result = sp.Symbol("return")
        return lines + self._assignments(result, last.xreplace(trivial), names)

    def _assignments(self, name: sp.Symbol, value: sp.Expr, names: Iterator[sp.Symbol]) -> list[str]:
        """``name = value``, after names for what is raised to a power: that is multiplied by itself."""
        lines = []
        bases = {p.base for p in value.atoms(sp.Pow) if p.exp.is_Integer and 2 <= abs(p.exp) <= 4 and p.base.args}
        for base in sorted(bases, key=sp.default_sort_key):
            if not value.has(base):
                continue
            short = next(names)
            lines += self._assignments(short, base, names)
            value = value.xreplace({base: short})
        return [*lines, f"return {self.text(value)}" if name.name == "return" else f"{name} = {self.text(value)}"]

    def text(self, e: sp.Expr, least: int = 0) -> str:
        """An expression, in parentheses if it holds together less than ``least``."""
        words, strength = self._printed(e)
        return f"({words})" if strength < least else words

    def condition(self, e: sp.Basic) -> str:
        match e:
            case sp.And() | sp.Or():
                word = " and " if isinstance(e, sp.And) else " or "
                return word.join(f"({self.condition(a)})" if isinstance(a, sp.And | sp.Or) else self.condition(a)
                                 for a in sorted(e.args, key=sp.default_sort_key))  # fmt: skip
            case sp.Not():
                return f"not ({self.condition(e.args[0])})"
            case sp.core.relational.Relational():
                return f"{self.text(e.lhs)} {e.rel_op} {self.text(e.rhs)}"
        raise DerivationError(f"the condition {e} cannot be written as source")

    def _printed(self, e: sp.Expr) -> tuple[str, int]:
        if e.is_Symbol:
            return e.name, ATOM
        if e.is_number and (e.is_Rational or not e.has(sp.Function)):
            negative = self.dtype == "float64" and e.is_negative
            return self.constant(int(e) if e.is_Integer else float(e)), PRODUCT if negative else ATOM
        if e.is_Add:
            return self._sum(e), SUM
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(e.base, e.exp)
        if isinstance(e, sp.Piecewise):
            words = self.text(e.args[-1][0])
            for piece, condition in reversed(e.args[:-1]):
                words = f"{self.text(piece, SUM)} if {self.condition(condition)} else {words}"
            return words, 0
        arguments = ", ".join(self.text(a) for a in e.args)
        if self.dtype == "float32" and type(e) in TRIGONOMETRY:
            name = TRIGONOMETRY[type(e)]
            self.trigonometry.add(name)
            return f"{name}({arguments})", ATOM
        if type(e) in MATH:
            return f"math.{MATH[type(e)]}({arguments})", ATOM
        own = {Sigmoid: "sigmoid", Softplus: "softplus", sp.sign: "sign"}.get(type(e))
        if own:
            self.helpers.add(own)
            return f"{own}({arguments})", ATOM
        python = {sp.Abs: "abs", Maximum: "max", Minimum: "min"}.get(type(e))
        if python:
            return f"{python}({arguments})", ATOM
        raise DerivationError(f"{type(e).__name__} appears in the derivative and has no counterpart in a kernel")

    def _sum(self, e: sp.Add) -> str:
        """Terms in SymPy's order, with one that is added in front; a number common to all of them before them."""
        common, rest = e.primitive()
        if common != 1 and all(abs(t.as_coeff_Mul()[0]) == 1 for t in rest.args):
            return f"{self.text(common)} * {self.text(rest, ATOM)}"
        terms = sorted(e.as_ordered_terms(), key=lambda t: t.could_extract_minus_sign())
        words = self.text(terms[0], SUM)
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                words += f" - {self.text(-term, PRODUCT)}"
            else:
                words += f" + {self.text(term, SUM)}"
        return words

    def _product(self, e: sp.Mul) -> tuple[str, int]:
        number, rest = e.as_coeff_Mul()
        if number.is_negative:
            return f"-{self.text(-e, PRODUCT)}", PRODUCT
        above, below = [], []
        for factor in sp.Mul.make_args(rest):
            if factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative:
                below.append(factor.base**-factor.exp)
            else:
                above.append(factor)
        if number != 1:
            above.insert(0, number)
        words = " * ".join(self.text(f, PRODUCT if k == 0 else ATOM) for k, f in enumerate(above)) or self.constant(1)
        if below:
            under = sp.Mul(*below, evaluate=False) if len(below) > 1 else below[0]
            words += f" / {self.text(under, ATOM)}"
        return words, PRODUCT

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> tuple[str, int]:
        if exponent == sp.Rational(1, 2):
            return f"math.sqrt({self.text(base)})", ATOM
        if exponent.is_Rational and exponent.is_negative:
            return f"{self.constant(1)} / {self.text(base**-exponent, ATOM)}", PRODUCT
        if exponent.is_Integer and exponent <= 4:
            return " * ".join([self.text(base, ATOM)] * int(exponent)), PRODUCT
        if base == sp.E:
            return f"math.exp({self.text(exponent)})", ATOM
        return f"math.pow({self.text(base)}, {self.text(exponent)})", ATOM
