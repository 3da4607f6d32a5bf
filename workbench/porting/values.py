"""What names, attributes and subscripts stand for: numbers, arrays, and tuples of these."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import numba
import numpy as np
from numba.core import types

from workbench.porting.expression import Array, Effect, Expression, Level, literal
from workbench.porting.function import Value
from workbench.porting.kinds import INT, INT64, UINT32, Kind, kind_of, limits
from workbench.porting.operators import Operators
from workbench.porting.ranges import COORDINATES, GRID, SIZE, coordinate, narrowed
from workbench.porting.scopes import Variable


class Values(Operators):
    """Expressions that read: what a name stands for, and what is in an array."""

    def scalar(self, node: ast.expr) -> Expression:
        """An expression that is a number."""
        found = self.value(node)
        if isinstance(found, Expression):
            return found
        what = "an array" if isinstance(found, Array) else "a tuple"
        raise self.refused(node, f"`{ast.unparse(node)}` is {what}, where C++ needs a number")

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        readers: dict[type, Any] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self.subscript,
            ast.UnaryOp: self.unary_operation,
            ast.BinOp: self.binary,
            ast.BoolOp: self.logic,
            ast.IfExp: self.condition,
            ast.Compare: self.comparison,
            ast.Call: self.call,
            ast.Tuple: lambda tuple_: tuple(self.value(part) for part in tuple_.elts),
        }
        if type(node) not in readers:
            raise self.refused(node, f"`{ast.unparse(node)}` has no C++ that says the same")
        return readers[type(node)](node)

    def _constant(self, node: ast.Constant) -> Expression:
        if not isinstance(node.value, (bool, int, float)):
            raise self.refused(node, f"the constant {node.value!r} is no number")
        written = self.text.segment(node)
        return literal(node.value, written if written.lower().startswith("0x") else None)

    def _name(self, node: ast.Name) -> Value:
        variable = self.scopes.of.get(id(node))
        if variable is None:
            values = self.outside(node)
            if isinstance(values[0], tuple):
                return tuple(literal(value) for value in values[0])
            if isinstance(values[0], np.ndarray):
                return self._constant_array(node, values)
            return self.constant(node, values)
        if variable in self.arrays:
            return self.arrays[variable]
        if variable in self.tuples:
            return tuple(map(self.read, self.tuples[variable]))
        if variable.kind is None:
            raise self.refused(node, f"{node.id} is read before anything is assigned to it")
        return self.read(variable)

    def _constant_array(self, node: ast.Name, values: tuple[np.ndarray, np.ndarray]) -> Array:
        """An array from outside, which is a constant of the file."""
        one, other = values
        if one.dtype != other.dtype or not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            raise self.refused(node, f"{node.id} is one array for float32 and another for float64")
        if one.dtype.kind not in "biuf" or one.size == 0:
            raise self.refused(node, f"{node.id} is an array of {one.size} elements of {one.dtype}")
        element = kind_of(numba.from_dtype(one.dtype))
        dims = tuple(literal(size) for size in one.shape)
        name = self.identifier(node.id)
        sizes = "".join(f"[{size}]" for size in one.shape)
        text = f"__constant__ const {self.cpp_name(element, node)} {name}{sizes} = {_braces(one)};\n"
        self.whole.constants[id(one)] = (name, text)
        return Array(name, kind_of(types.Array(element.single, one.ndim, "A")), False, dims)

    def read(self, variable: Variable) -> Expression:
        """The value of a variable, within what the conditions around say of it."""
        found = variable.range
        for guard in self.guards:
            if variable in guard and found is not None:
                found = narrowed(found, guard[variable])
        natural = variable.kind.is_integer and (variable.natural or found[0] >= 0)
        return Expression(variable.code, Level.PRIMARY, variable.kind, variable.cpp, found, natural)

    def _attribute(self, node: ast.Attribute) -> Value:
        space = self.operation_named(node.value)
        if space in COORDINATES:
            return Expression(f"{space}.{node.attr}", Level.PRIMARY, INT, UINT32, coordinate(space, node.attr), True)
        operation = self.operation_named(node)
        if operation == "laneid":
            return Expression("lane_id()", Level.PRIMARY, INT, INT, (0, 31), True)
        values = self.outside(node)
        if values is not None:
            return self.constant(node, values)
        owner = self.value(node.value)
        if isinstance(owner, Array):
            if node.attr == "size":
                return self._size(owner)
            if node.attr == "shape":
                return tuple(self.extent(owner, axis) for axis in range(owner.ndim))
            if node.attr == "ndim":
                return literal(owner.ndim)
        raise self.refused(node, f"`{ast.unparse(node)}` has no C++ that says the same; of an array, size and shape do")

    def _size(self, array: Array) -> Expression:
        if array.dims is None:
            return Expression(f"{array.code}.size()", Level.PRIMARY, INT64, INT64, SIZE, True)
        found = array.dims[0]
        for more in array.dims[1:]:
            found = self.operation(None, ast.Mult(), found, more)
        return found

    def extent(self, array: Array, axis: int) -> Expression:
        """The size of an array along an axis."""
        if array.dims is not None:
            return array.dims[axis]
        return Expression(f"{array.code}.shape({axis})", Level.PRIMARY, INT64, INT64, SIZE, True)

    def grid(self, node: ast.Call, operation: str) -> Value:
        """``cuda.grid(d)`` and ``cuda.gridsize(d)`` written out."""
        count = self.scalar(node.args[0]).constant if node.args else None
        if count is None or count[0] not in (1, 2, 3):
            raise self.refused(node, f"cuda.{operation} takes the constant 1, 2 or 3")
        axes = []
        for axis in "xyz"[: count[0]]:
            if operation == "grid":
                code, level = f"int64_t(blockIdx.{axis}) * blockDim.{axis} + threadIdx.{axis}", Level.SUM
            else:
                code, level = f"int64_t(gridDim.{axis}) * blockDim.{axis}", Level.PRODUCT
            axes.append(Expression(code, level, INT64, INT64, GRID, True))
        return axes[0] if count[0] == 1 else tuple(axes)

    # -- arrays

    def array(self, node: ast.expr) -> Array:
        """An expression that is an array."""
        found = self.value(node)
        if not isinstance(found, Array):
            raise self.refused(node, f"`{ast.unparse(node)}` is no array")
        return found

    def subscript(self, node: ast.Subscript) -> Value:
        """An element of an array or a tuple, or the part of an array that some of its indices lead to."""
        owner = self.value(node.value)
        if isinstance(owner, tuple):
            index = self.scalar(node.slice).constant
            if index is None or not -len(owner) <= index[0] < len(owner):
                raise self.refused(node, f"the index of `{ast.unparse(node)}` must be a constant within the tuple")
            return owner[index[0]]
        if not isinstance(owner, Array):
            raise self.refused(node, f"`{ast.unparse(node.value)}` is no array")
        return self.at(node, owner, node.slice)

    def at(self, node: ast.AST, array: Array, index: ast.expr) -> Value:
        """``array[index]``, with a tuple of indices or one."""
        nodes = index.elts if isinstance(index, ast.Tuple) else [index]
        if any(isinstance(one, ast.Slice) for one in nodes):
            return self.sliced(node, array, nodes)
        if len(nodes) == 1:
            found = self.value(nodes[0])
            indices = list(found) if isinstance(found, tuple) else [found]
            nodes *= len(indices)
        else:
            indices = [self.scalar(one) for one in nodes]
        if len(indices) > array.ndim or not all(isinstance(e, Expression) and e.kind.is_integer for e in indices):
            raise self.refused(node, f"`{ast.unparse(node)}` is no index of integers for {array.ndim} dimensions")
        self.keep_order(node, *indices)
        codes = [self._index(n, array, axis, e) for axis, (n, e) in enumerate(zip(nodes, indices, strict=True))]
        effect = max(Effect.READS, *(e.effect for e in indices))
        if len(codes) < array.ndim:
            return self._part(array, codes)
        element = array.kind.element
        if array.dims is not None:
            code = array.code + "".join(f"[{one}]" for one in codes)
        else:
            code = f"{array.code}[{codes[0]}]" if array.ndim == 1 else f"{array.code}({', '.join(codes)})"
        found = limits(element.single) if element.is_integer else None
        natural = found is not None and found[0] >= 0
        self.effect = max(self.effect, effect)
        return Expression(code, Level.PRIMARY, element, element, found, natural, effect=effect)

    def _part(self, array: Array, codes: list[str]) -> Array:
        kind = Kind(*(one.copy(ndim=array.ndim - len(codes)) for one in array.kind))
        view = self.view(array)
        return Array(view.code + "".join(f"[{one}]" for one in codes), kind, array.writable)

    def sliced(self, node: ast.AST, array: Array, nodes: list[ast.expr]) -> Array:
        """``array[i, :]``, ``array[1:n]`` and the like: a view."""
        if len(nodes) > array.ndim:
            raise self.refused(node, f"`{ast.unparse(node)}` has more indices than the array's {array.ndim} dimensions")
        view = self.view(array)
        code, axis, bounds = view.code, 0, []
        for k, one in enumerate(nodes):
            if isinstance(one, ast.Slice):
                arguments = self._bounds(one)
                bounds += arguments
                code += f".slice({', '.join([str(axis), *(e.into(INT64) for e in arguments)])})" * bool(arguments)
                axis += 1
                continue
            e = self.scalar(one)
            if not e.kind.is_integer:
                raise self.refused(node, f"`{ast.unparse(one)}` is no integer, which an index must be")
            place = self._index(one, array, k, e)
            code += f".select({axis}, {place})" if axis else f"[{place}]"
            bounds.append(e)
        if any(e.effect > Effect.READS for e in bounds):
            raise self.refused(node, f"`{ast.unparse(node)}` does more than read; give its bounds names before")
        return Array(code, Kind(*(one.copy(ndim=array.ndim - len(nodes) + axis) for one in array.kind)), array.writable)

    def _bounds(self, node: ast.Slice) -> list[Expression]:
        """What the view's ``slice`` takes after the axis for ``start:stop:step``; nothing for ``:``."""
        parts = [node.lower, node.upper, node.step]
        while parts and parts[-1] is None:
            parts.pop()
        left_out = (literal(0), literal(2**63 - 1, "INT64_MAX"))
        found = [left_out[k] if part is None else self.scalar(part) for k, part in enumerate(parts)]
        if len(found) == 3 and found[2].range[0] <= 0:
            raise self.refused(node.step, f"whether the step `{ast.unparse(node.step)}` is positive is not known")
        return found

    def view(self, array: Array) -> Array:
        """A C array as a view, which has methods."""
        if array.dims is None:
            return array
        self.cpp_name(array.kind.element)
        return replace(array, code=f"{array.type_name}({array.code})", dims=None)

    def _index(self, node: ast.expr, array: Array, axis: int, e: Expression) -> str:
        if e.range[1] < 0:  # counted from the end
            extent = self._size(array) if array.ndim == 1 else self.extent(array, axis)
            return self.operation(node, ast.Add(), extent, e).code.replace(" + -", " - ")
        if not e.natural:
            self.warn(
                node, f"the index `{ast.unparse(node)}` may be negative: Numba counts it from the end, C++ does not"
            )
        return e.code


def _braces(array: np.ndarray) -> str:
    """An array's values as C++ has them behind its declaration."""
    if array.ndim > 1:
        return "{" + ", ".join(map(_braces, array)) + "}"
    return "{" + ", ".join(literal(value.item()).code for value in array) + "}"
