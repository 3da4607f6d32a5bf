"""Read a kernel: from its Python source to what one thread does, with every outside name resolved.

Names that the kernel takes from its closure, its module or the builtins are looked up when it is launched, so that a
notebook cell that was run again with another constant is seen. They become constants, index variables such as
``threadIdx__x``, operations with CUDA's meaning, or device functions.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench import numba_cuda
from workbench.errors import CompileError
from workbench.executors.cpu import atomics, semantics
from workbench.source import UNKNOWN, Names, SourceError, file_of, function_tree

INDEX_NAMES = tuple(f"{what}__{axis}" for what in ("threadIdx", "blockIdx", "gridDim") for axis in "xyz")
"""The variables that tell one thread from another; a block's shape is a constant."""

COVERED = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For, ast.While, ast.Return, ast.Break, ast.Continue,
    ast.Pass, ast.Expr, ast.Assert, ast.Raise,
)  # fmt: skip
"""The statements of Numba's CUDA dialect."""

NOT_COVERED = (
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.List, ast.Dict, ast.Set, ast.Yield,
    ast.YieldFrom,
)  # fmt: skip
"""Expressions that need memory that a CUDA thread does not have, or a caller that it cannot go back to."""


@dataclass
class Thread:
    """What one thread of a kernel, or one call of a device function, does.

    ``body`` holds the statements; ``outside`` the objects that they name, by the name that they use; ``indices`` which
    of INDEX_NAMES they need, in that order. Line numbers are those of ``file``.
    """

    name: str
    file: str
    parameters: list[str]
    defaults: list[ast.expr]
    body: list[ast.stmt] = field(default_factory=list)
    outside: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, Thread] = field(default_factory=dict)
    fastmath: bool = False

    @property
    def indices(self) -> list[str]:
        used = {n.id for s in self.body for n in ast.walk(s) if isinstance(n, ast.Name)}
        for device in self.devices.values():
            used.update(device.indices)
        return [name for name in INDEX_NAMES if name in used]


def read(kernel: Any, block: numba_cuda.Dimensions, callers: tuple[Callable, ...] = ()) -> Thread:
    """The Thread of a ``cuda.jit`` object launched with blocks of this shape.

    Raises CompileError for what the executor does not cover, with the kernel's own line.
    """
    function = numba_cuda.python_function(kernel)
    name, file = function.__name__, file_of(function)
    if function in callers:
        raise CompileError(f"{name}: a device function that calls itself is not covered by the CPU executor")
    try:
        tree, names = function_tree(function), Names(function)
        arguments = tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise SourceError(f"line {tree.lineno}: *args and keyword-only parameters are not covered")
        thread = Thread(name, file, [a.arg for a in arguments.args], arguments.defaults)
        thread.fastmath = numba_cuda.fastmath(kernel)
        resolver = _Resolver(thread, names, block, (*callers, function))
        start = 1 if ast.get_docstring(tree) is not None else 0
        thread.body = [resolver.visit(copy.deepcopy(statement)) for statement in tree.body[start:]]
        thread.defaults = [resolver.visit(d) for d in arguments.defaults]
    except SourceError as problem:
        raise CompileError(f"{name}: {problem}") from None
    return thread


class _Resolver(ast.NodeTransformer):
    """Replaces every name from outside the kernel by what it stands for."""

    def __init__(
        self, thread: Thread, names: Names, block: numba_cuda.Dimensions, callers: tuple[Callable, ...]
    ) -> None:
        self.thread, self.names, self.block, self.callers = thread, names, block, callers
        self.operations = numba_cuda.operations()
        self.is_kernel = len(callers) == 1

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, NOT_COVERED) or (isinstance(node, ast.stmt) and not isinstance(node, COVERED)):
            code = ast.unparse(node).splitlines()[0]
            raise SourceError(f"line {node.lineno}: `{code}` is not something that a CUDA kernel can do")
        return super().visit(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._outside(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner = self.names.value(node.value)
        space = None if owner is UNKNOWN else self.operations.get(id(owner))
        if space in ("threadIdx", "blockIdx", "blockDim", "gridDim") and node.attr in "xyz":
            return ast.copy_location(self._index(space, node.attr), node)
        return self._outside(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = self.names.value(node.func)
        if called is UNKNOWN:
            return self.generic_visit(node)
        operation = self.operations.get(id(called), "")
        if operation in ("grid", "gridsize"):
            return ast.copy_location(self._grid(operation, node), node)
        node = self.generic_visit(node)
        if called in (min, max) and len(node.args) > 2:
            return functools.reduce(lambda a, b: ast.copy_location(ast.Call(node.func, [a, b], []), node), node.args)
        if isinstance(node.func, ast.Name) and node.func.id in self.thread.devices:
            indices = self.thread.devices[node.func.id].indices
            node.args = [ast.Name(name, ast.Load()) for name in indices] + node.args
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        returns = node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        if returns and self.is_kernel:
            raise SourceError(
                f"line {node.lineno}: `{ast.unparse(node)}`: a kernel returns nothing; write into an array"
            )
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not isinstance(node.op, ast.Pow):
            return self.generic_visit(node)
        base = copy.deepcopy(node.target)
        base.ctx = ast.Load()
        power = ast.copy_location(ast.BinOp(base, ast.Pow(), node.value), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], power), node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        node = self.generic_visit(node)
        # Numba multiplies out a constant power of two or three and the like, as numba-cuda does
        multiplied_out = isinstance(node.right, ast.Constant) and isinstance(node.right.value, int)
        if isinstance(node.op, ast.Pow) and not multiplied_out:
            power = self._named(semantics.power, "power")
            return ast.copy_location(ast.Call(power, [node.left, node.right], []), node)
        return node

    def _outside(self, node: ast.Name | ast.Attribute) -> ast.expr:
        value = self.names.value(node)
        if value is UNKNOWN:
            return self.generic_visit(node)
        return ast.copy_location(self._stand_in(value, node), node)

    def _stand_in(self, value: Any, node: ast.Name | ast.Attribute) -> ast.expr:
        label = node.id if isinstance(node, ast.Name) else node.attr
        try:
            operation = self.operations.get(id(value))
            meaning = semantics.MEANINGS.get(value)
        except TypeError:  # unhashable: data, not a function
            operation = meaning = None
        if operation == "warpsize":
            return ast.Constant(32)
        if operation and operation.startswith("atomic.") and hasattr(atomics, operation[7:]):
            return self._named(getattr(atomics, operation[7:]), f"atomic_{operation[7:]}")
        if operation:
            raise SourceError(_refusal(operation, node))
        if meaning is not None:
            return self._named(meaning, label)
        if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
            if type(value) in (bool, int, float):
                return ast.Constant(value)
        elif getattr(builtins, label, None) is value and isinstance(node, ast.Name):
            return node
        if numba_cuda.is_kernel(value):
            return self._device(value, label)
        if inspect.ismodule(value):
            raise SourceError(f"line {node.lineno}: the module {ast.unparse(node)!r} is not a value")
        return self._named(value, label)

    def _named(self, value: Any, label: str) -> ast.Name:
        name = f"{label}__{id(value):x}"
        self.thread.outside[name] = value
        return ast.Name(name, ast.Load())

    def _device(self, kernel: Any, label: str) -> ast.Name:
        name = f"{label}__{id(kernel):x}"
        if name not in self.thread.devices:
            self.thread.devices[name] = read(kernel, self.block, self.callers)
        return ast.Name(name, ast.Load())

    def _index(self, space: str, axis: str) -> ast.expr:
        if space == "blockDim":
            return ast.Constant(self.block["xyz".index(axis)])
        return ast.Name(f"{space}__{axis}", ast.Load())

    def _grid(self, operation: str, node: ast.Call) -> ast.expr:
        """``cuda.grid(d)`` and ``cuda.gridsize(d)`` written out."""
        count = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if count not in (1, 2, 3):
            raise SourceError(f"line {node.lineno}: cuda.{operation} takes the constant 1, 2 or 3")
        axes = []
        for axis in "xyz"[:count]:
            outer = self._index("blockIdx" if operation == "grid" else "gridDim", axis)
            index = ast.BinOp(outer, ast.Mult(), self._index("blockDim", axis))
            if operation == "grid":
                index = ast.BinOp(index, ast.Add(), self._index("threadIdx", axis))
            axes.append(index)
        return axes[0] if count == 1 else ast.Tuple(axes, ast.Load())


def _refusal(operation: str, node: ast.expr) -> str:
    if operation.startswith(("sync", "shfl", "shared", "any_", "all_", "eq_", "ballot", "match", "activemask")):
        return (
            f"line {node.lineno}: cuda.{operation} makes threads of a block work together, which the CPU executor does "
            "not do yet; start Python with NUMBA_ENABLE_CUDASIM=1 to run this kernel in Numba's simulator, or use a GPU"
        )
    return (
        f"line {node.lineno}: the CPU executor does not cover cuda.{operation} yet; start Python with "
        "NUMBA_ENABLE_CUDASIM=1 to run this kernel in Numba's simulator, or use a GPU"
    )
