"""Read a kernel: from its Python source to what one thread does, with every outside name resolved.

Names that the kernel takes from its closure, its module or the builtins are looked up when it is launched, so that a
notebook cell that was run again with another constant is seen. They become constants, index variables such as
``threadIdx__x``, functions with CUDA's meaning, device functions, or marks such as ``cuda__syncthreads`` for what
makes threads wait for each other.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import inspect
import math
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.core.errors import NumbaError

from workbench import numba_cuda
from workbench.errors import CompileError
from workbench.executors.cpu import atomics, fp16, libdevice, refusals, semantics
from workbench.executors.cpu.dialect import BARRIERS, EXCHANGES, FENCES, WARP, name
from workbench.executors.cpu.indices import LOOKS_AT_BITS, bound_to_indices
from workbench.executors.cpu.thread import MARK, Allocation, Thread, allocation_name
from workbench.source import UNKNOWN, Names, SourceError, file_of, function_tree

SPACES = ("threadIdx", "blockIdx", "blockDim", "gridDim")

SHARED_BYTES = 48 * 1024
"""How much shared memory a kernel can declare (CUDA C++ Programming Guide, technical specifications)."""


class _Reading:
    """What a kernel and the device functions that it calls are read for, and the names given to objects from outside.

    An object has one name, and the same in every process that reads the kernel.
    """

    def __init__(self, block: numba_cuda.Dimensions, argument_types: tuple, as_python: bool) -> None:
        self.block, self.argument_types, self.as_python = block, argument_types, as_python
        self._given: dict[int, tuple[str, Any]] = {}

    def identifier(self, value: Any, label: str) -> str:
        return self._given.setdefault(id(value), (f"{label}__out{len(self._given) + 1}", value))[0]


def read(kernel: Any, block: numba_cuda.Dimensions, argument_types: tuple, as_python: bool = False) -> Thread:
    """The Thread of a ``cuda.jit`` object launched with blocks of this shape and with arguments of these types.

    ``as_python`` is for a kernel that is not going to be compiled: it may stop in a debugger and make strings to print.
    Raises CompileError for what the executor does not cover, with the kernel's own line.
    """
    thread = _read(kernel, {}, _Reading(block, argument_types, as_python))
    together = thread.reachable
    for one in together:
        if one.recursive and one.synchronises:
            line = next(iter(one.body)).lineno
            raise CompileError(f"{one.name}: line {line}: a device function that calls itself cannot make threads wait")
        _PassIndices(one).run()
    wanted = sum(a.bytes for one in together for a in one.allocations.values() if a.space == "shared")
    if wanted > SHARED_BYTES:
        raise CompileError(
            f"{thread.name}: its shared arrays have {wanted:,} bytes, and CUDA gives a block {SHARED_BYTES:,}; make "
            "them smaller, or use dynamic shared memory: cuda.shared.array(0, dtype) and kernel[grid, block, 0, bytes]"
        )
    return thread


def _read(kernel: Any, callers: dict[Any, Thread], reading: _Reading) -> Thread:
    if kernel in callers:
        return callers[kernel]
    function = numba_cuda.python_function(kernel)
    title, file = function.__name__, file_of(function)
    try:
        tree, names = function_tree(function), Names(function)
        arguments = tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise SourceError(f"line {tree.lineno}: *args and keyword-only parameters are not covered")
        thread = Thread(title, file, [a.arg for a in arguments.args], arguments.defaults)
        thread.fastmath = numba_cuda.fastmath(kernel)
        resolver = _Resolver(thread, names, {**callers, kernel: thread}, reading)
        resolver.narrow = bound_to_indices(tree, resolver.is_index)
        if not callers:
            resolver.given = _given(tree, thread.parameters, reading.argument_types)
        start = 1 if ast.get_docstring(tree) is not None else 0
        thread.body = [resolver.visit(copy.deepcopy(statement)) for statement in tree.body[start:]]
        thread.defaults = [resolver.visit(d) for d in arguments.defaults]
        thread.taken.append((function.__globals__, names.taken))
    except SourceError as problem:
        raise CompileError(f"{title}: {problem}") from None
    return thread


def _given(tree: ast.FunctionDef, parameters: list[str], argument_types: tuple) -> dict[str, types.Type]:
    """The types of the arguments whose names keep them through the whole kernel."""
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    return {given: kind for given, kind in zip(parameters, argument_types, strict=False) if given not in bound}


class _PassIndices(ast.NodeTransformer):
    """Hands the indices that a device function needs to its calls; one that synchronises is written out instead."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.wanted = {n: d.indices for n, d in thread.devices.items() if not d.synchronises}

    def run(self) -> None:
        self.thread.body = [self.visit(statement) for statement in self.thread.body]

    def visit_Call(self, node: ast.Call) -> ast.Call:
        node = self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.wanted:
            node.args = [name(index) for index in self.wanted[node.func.id]] + node.args
        return node


class _Resolver(ast.NodeTransformer):
    """Replaces every name from outside the kernel by what it stands for."""

    def __init__(self, thread: Thread, names: Names, callers: dict[Any, Thread], reading: _Reading) -> None:
        self.thread, self.names, self.callers, self.reading = thread, names, callers, reading
        self.block = reading.block
        self.operations = numba_cuda.operations()
        self.is_kernel = len(callers) == 1
        self.narrow: set[str] = set()
        self.given: dict[str, types.Type] = {}

    def visit(self, node: ast.AST) -> Any:
        if (refusal := refusals.of_syntax(node)) and not (self.reading.as_python and isinstance(node, ast.JoinedStr)):
            raise self._refused(node, refusal)
        return super().visit(node)

    def _refused(self, node: ast.AST, why: str) -> SourceError:
        return SourceError(f"line {node.lineno}: `{ast.unparse(node).splitlines()[0]}`: {why}")

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._outside(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner = self.names.value(node.value)
        if self.is_index(node) and isinstance(node.ctx, ast.Load):
            lane = node.attr == "laneid"
            return ast.copy_location(self._lane() if lane else self._index(self.operations[id(owner)], node.attr), node)
        return self._outside(node)

    def is_index(self, node: ast.expr) -> bool:
        """Whether an expression is an index or a size of CUDA's, or a variable that is bound to one."""
        if not isinstance(node, ast.Attribute):
            return isinstance(node, ast.Name) and node.id in self.narrow
        owner = self.names.value(node.value)
        if node.attr == "laneid":  # by its name, since numba_cuda_mlir gives it the value None
            return inspect.ismodule(owner)
        return owner is not UNKNOWN and self.operations.get(id(owner)) in SPACES and node.attr in "xyz"

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if numba_cuda.is_kernel(self.names.value(node.value)):
            raise self._refused(node, "a kernel launches no kernels; call a device function")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = self.names.value(node.func)
        operation = "" if called is UNKNOWN else self.operations.get(id(called), "")
        if operation in BARRIERS or operation in EXCHANGES:
            node.func = ast.copy_location(name(MARK + operation), node.func)
            node.args = [self.visit(argument) for argument in node.args]
            node.keywords = [self.visit(keyword) for keyword in node.keywords]
            return node
        if operation in ("grid", "gridsize"):
            return ast.copy_location(self._grid(operation, node), node)
        if operation in ("shared.array", "local.array"):
            return ast.copy_location(self._array(operation.split(".")[0], node), node)
        if operation == "const.array_like":
            return self.visit(node.args[0])
        if operation == "lanemask_lt":
            lanes = self._named(semantics.lanemask_lt, operation, operation)
            return ast.copy_location(ast.Call(lanes, [self._lane()], []), node)
        narrow = [self.is_index(argument) for argument in node.args]
        node = self.generic_visit(node)
        if any(narrow) and (operation in LOOKS_AT_BITS or called in (min, max)):
            to_int32 = self._named(types.int32, "int32", types.int32)
            node.args = [ast.Call(to_int32, [a], []) if n else a for a, n in zip(node.args, narrow, strict=True)]
        if called in (min, max) and len(node.args) > 2:
            return functools.reduce(lambda a, b: ast.copy_location(ast.Call(node.func, [a, b], []), node), node.args)
        if operation in FENCES:
            self.thread.fences |= operation.startswith("threadfence")
            return ast.copy_location(ast.Constant(None), node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        returns = node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        if returns and self.is_kernel:
            raise self._refused(node, "a kernel returns nothing; write into an array")
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not isinstance(node.op, ast.Pow):
            return self.generic_visit(node)
        base = copy.deepcopy(node.target)
        base.ctx = ast.Load()
        power = ast.copy_location(ast.BinOp(base, ast.Pow(), node.value), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], power), node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        of_names = any(isinstance(part, ast.Name) for part in ast.walk(node.left))
        node = self.generic_visit(node)
        # Numba multiplies out a constant power of two or three and the like, as numba-cuda does; but where numbers have
        # taken the place of names, Python would compute it first
        multiplied_out = isinstance(node.right, ast.Constant) and isinstance(node.right.value, int)
        if of_names and not any(isinstance(part, ast.Name) for part in ast.walk(node.left)):
            multiplied_out = False
        if isinstance(node.op, ast.Pow) and not multiplied_out:
            power = self._named(semantics.power, "power", "**")
            return ast.copy_location(ast.Call(power, [node.left, node.right], []), node)
        return node

    def _outside(self, node: ast.Name | ast.Attribute) -> ast.expr:
        value = self.names.value(node)
        if value is UNKNOWN:
            return self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            raise self._refused(node, "a kernel cannot assign to what is outside it")
        return ast.copy_location(self._stand_in(value, node), node)

    def _stand_in(self, value: Any, node: ast.Name | ast.Attribute) -> ast.expr:
        label = node.id if isinstance(node, ast.Name) else node.attr
        value = numba_cuda.as_numba(value)
        try:
            operation = self.operations.get(id(value))
            meaning = semantics.MEANINGS.get(value)
        except TypeError:  # unhashable: data, not a function
            operation = meaning = None
        if operation is not None:
            return self._operation(operation, node)
        if meaning is not None:
            return self._named(meaning, label, value)
        if type(value) in (bool, int) or (type(value) is float and math.isfinite(value)):
            return ast.Constant(value)
        if isinstance(node, ast.Name) and getattr(builtins, label, None) is value and numba_cuda.is_typed(value):
            return node
        if numba_cuda.is_kernel(value):
            return self._device(value, label)
        if inspect.ismodule(value):
            raise SourceError(f"line {node.lineno}: the module {ast.unparse(node)!r} is not a value")
        try:
            meaning = libdevice.meaning(value) or fp16.meaning(value)
        except NotImplementedError as missing:
            raise SourceError(
                f"line {node.lineno}: the CPU executor does not cover {missing}; run this kernel on a GPU"
            ) from None
        for_python = self.reading.as_python and value is breakpoint
        if meaning is None and not for_python and (refusal := refusals.of_value(value)):
            raise SourceError(f"line {node.lineno}: `{ast.unparse(node)}` {refusal}")
        return self._named(meaning or value, label, value)

    def _operation(self, operation: str, node: ast.expr) -> ast.expr:
        if operation == "warpsize":
            return ast.Constant(WARP)
        if operation == "laneid":
            return self._lane()
        if operation in FENCES:
            return name(operation)
        if operation in BARRIERS or operation in EXCHANGES:
            raise self._refused(node, "this operation can only be called")
        if operation == "cg.this_grid":
            raise self._refused(node, refusals.GRID)
        kind, _, action = operation.rpartition(".")
        home = atomics if kind == "atomic" else semantics
        if hasattr(home, action):
            return self._named(getattr(home, action), operation.replace(".", "_"), operation)
        raise SourceError(
            f"line {node.lineno}: the CPU executor does not cover cuda.{operation}; run this kernel on a GPU"
        )

    def _named(self, value: Any, label: str, origin: Any) -> ast.Name:
        identifier = self.reading.identifier(value, label)
        self.thread.outside[identifier] = value
        self.thread.origins[identifier] = origin
        return name(identifier)

    def _device(self, kernel: Any, label: str) -> ast.Name:
        identifier = self.reading.identifier(kernel, label)
        if identifier not in self.thread.devices:
            self.thread.devices[identifier] = _read(kernel, self.callers, self.reading)
        return name(identifier)

    def _lane(self) -> ast.expr:
        return ast.BinOp(self._linear_index(), ast.Mod(), ast.Constant(WARP))

    def _linear_index(self) -> ast.expr:
        """The thread's number in its block, x fastest."""
        index: ast.expr = name("threadIdx__x")
        factor = 1
        for axis, size in zip("yz", self.block[:2], strict=True):
            factor *= size
            if math.prod(self.block) > factor:
                more = ast.BinOp(name(f"threadIdx__{axis}"), ast.Mult(), ast.Constant(factor))
                index = ast.BinOp(index, ast.Add(), more)
        return index

    def _index(self, space: str, axis: str) -> ast.expr:
        if space == "blockDim":
            return ast.Constant(self.block["xyz".index(axis)])
        return name(f"{space}__{axis}")

    def _grid(self, operation: str, node: ast.Call) -> ast.expr:
        """``cuda.grid(d)`` and ``cuda.gridsize(d)`` written out."""
        count = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if count not in (1, 2, 3):
            raise self._refused(node, f"cuda.{operation} takes the constant 1, 2 or 3")
        axes = []
        for axis in "xyz"[:count]:
            outer = self._index("blockIdx" if operation == "grid" else "gridDim", axis)
            index = ast.BinOp(outer, ast.Mult(), self._index("blockDim", axis))
            if operation == "grid":
                index = ast.BinOp(index, ast.Add(), self._index("threadIdx", axis))
            axes.append(index)
        return axes[0] if count == 1 else ast.Tuple(axes, ast.Load())

    def _array(self, space: str, node: ast.Call) -> ast.expr:
        """``cuda.shared.array(shape, dtype)`` or ``cuda.local.array``: a call without arguments of its allocation."""
        given = dict(zip(("shape", "dtype", "alignment"), node.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in node.keywords}
        if "shape" not in given or "dtype" not in given:
            raise self._refused(node, "it takes a shape and a dtype")
        shape = self._constant(given["shape"], "the shape of the array")
        shape = shape if isinstance(shape, tuple) else (shape,)
        dynamic = shape == (0,) and space == "shared"
        if not (dynamic or all(isinstance(n, (int, np.integer)) and n > 0 for n in shape)):
            raise self._refused(node, "a shape is a positive integer, or a tuple of such (0 for dynamic shared memory)")
        dtype = self._dtype(given["dtype"])
        try:
            element = dtype if isinstance(dtype, types.Type) else numba.from_dtype(np.dtype(dtype))
        except (TypeError, NumbaError):
            element = None
        if element in (None, types.pyobject):
            raise self._refused(node, "the dtype is none that a kernel has; pass one such as numba.float32")
        identifier = allocation_name(space, node, self.thread.name)
        self.thread.allocations[identifier] = Allocation(space, tuple(int(n) for n in shape), element)
        return ast.Call(name(identifier), [], [])

    def _dtype(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Attribute) and node.attr == "dtype" and isinstance(node.value, ast.Name):
            array = self.given.get(node.value.id)
            if isinstance(array, types.Array):
                return array.dtype
        return self._constant(node, "the dtype of the array")

    def _constant(self, node: ast.expr, what: str) -> Any:
        """The value of an expression of constants, such as ``(TILE, TILE + 1)``."""
        resolved = self.visit(copy.deepcopy(node))
        expression = ast.fix_missing_locations(ast.Expression(resolved))
        try:
            return eval(compile(expression, "<constant>", "eval"), {}, self.thread.outside)
        except (NameError, TypeError, ValueError):
            raise SourceError(
                f"line {node.lineno}: {what}, `{ast.unparse(node)}`, must be a compile-time constant"
            ) from None
