"""A kernel's own source as a Python generator that yields where its thread waits, for a person to step through.

The loops over threads that the executor emits are fast, and nobody's own code. Here the kernel's syntax tree is
compiled nearly as it stands, under its own file and lines, so that a debugger shows the kernel's source and variables:

- what makes threads wait (a barrier, a shuffle, a vote) becomes ``yield`` of the operation and its arguments;
- a call of a device function becomes ``yield from`` a generator made of it in the same way;
- the right operand of an operator is marked, so that the operation computes as in the compiled kernel;
- a name from outside that means something else here becomes a hidden name for that.
"""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from workbench import numba_cuda
from workbench.executors.cpu.dialect import BARRIERS, EXCHANGES, name
from workbench.executors.cpu.thread import allocation_name
from workbench.source import UNKNOWN, Names

if TYPE_CHECKING:
    from workbench.executors.cpu.program import Program

PLACES = ("threadIdx", "blockIdx", "blockDim", "gridDim")
"""What tells one thread from another."""


class ToGenerator(ast.NodeTransformer):
    """Rewrites one function. ``meanings`` and ``devices`` hold what its new names stand for, beside Program.hidden."""

    def __init__(self, program: Program, names: Names, title: str, is_kernel: bool) -> None:
        self.program, self.names, self.title, self.is_kernel = program, names, title, is_kernel
        self.operations = numba_cuda.operations()
        self.meanings: dict[str, Any] = {}
        self.devices: dict[str, Any] = {}
        self.target = ""

    def function(self, tree: ast.FunctionDef, first_line: str) -> ast.FunctionDef:
        """The generator function of a function whose source begins with ``first_line``."""
        body = [self.visit(statement) for statement in tree.body]
        # after the docstring, and on the line of the statement there, so that nobody sees it
        start = 1 if ast.get_docstring(tree) is not None else 0
        never = ast.If(ast.Constant(False), [ast.Expr(ast.Yield())], [])
        body.insert(start, ast.copy_location(never, body[min(start, len(body) - 1)]))
        parameters = [ast.arg(a.arg) for a in tree.args.args]
        arguments = ast.arguments([], parameters, kwonlyargs=[], kw_defaults=[], defaults=[])
        made = ast.FunctionDef(tree.name, arguments, body, [])
        made = ast.fix_missing_locations(ast.copy_location(made, tree))
        indent = len(first_line) - len(first_line.lstrip())
        for node in ast.walk(made):  # the tree's columns count from the function's own
            if hasattr(node, "col_offset"):
                node.col_offset += indent
                node.end_col_offset += indent
        return made

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._outside(node) if isinstance(node.ctx, ast.Load) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner = self.names.value(node.value)
        place = "" if owner is UNKNOWN else self.operations.get(id(owner), "")
        if place in PLACES:
            node.value = _call("dimensions__", [ast.Constant(place)], node)
            return node
        return self._outside(node)

    def _outside(self, node: ast.Name | ast.Attribute) -> ast.expr:
        value = self.names.value(node)
        if value is UNKNOWN:
            return self.generic_visit(node)
        if self.operations.get(id(value)) == "laneid":
            return _call("lane__", [], node)
        title = node.id if isinstance(node, ast.Name) else node.attr
        if inspect.ismodule(value) or numba_cuda.is_kernel(value):
            return node
        meaning = self.program.meaning(value, title)
        return node if meaning is value else ast.copy_location(self._hide(meaning, f"{title}__{id(value):x}"), node)

    def _hide(self, meaning: Any, identifier: str) -> ast.Name:
        self.meanings[identifier] = meaning
        return name(identifier)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = self.names.value(node.func)
        operation = "" if called is UNKNOWN else self.operations.get(id(called), "")
        if operation in BARRIERS or operation in EXCHANGES:
            given = [ast.Constant(operation), *map(self.visit, node.args)]
            return ast.copy_location(ast.Yield(ast.Tuple(given, ast.Load())), node)
        if operation in ("shared.array", "local.array"):
            space = operation.split(".")[0]
            identifier = allocation_name(space, node, self.title)
            wanted = self.target or f"{space} array of line {node.lineno}"
            title = self.program.title(wanted, identifier, node.lineno)
            return _call("array__", [ast.Constant(identifier), ast.Constant(title)], node)
        if operation == "const.array_like":
            title = self.target or ast.unparse(node.args[0])
            return _call("constant__", [ast.Constant(title), self.visit(node.args[0])], node)
        if called is not UNKNOWN and numba_cuda.is_kernel(called):
            identifier = f"{numba_cuda.python_function(called).__name__}__{id(called):x}"
            self.devices[identifier] = called
            call = ast.Call(name(identifier), list(map(self.visit, node.args)), list(map(self.visit, node.keywords)))
            return ast.copy_location(ast.YieldFrom(ast.copy_location(call, node)), node)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        is_named = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
        self.target = node.targets[0].id if is_named else ""
        node = self.generic_visit(node)
        self.target = ""
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        node = self.generic_visit(node)
        if self.is_kernel:
            node.value = ast.Constant(True)
        return node

    # -- arithmetic

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        node = self.generic_visit(node)
        if not isinstance(node.left, ast.JoinedStr) and not isinstance(getattr(node.left, "value", None), str):
            node.right = _operand(node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        node = self.generic_visit(node)
        node.value = _operand(node.value)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node = self.generic_visit(node)
        if not isinstance(node.op, ast.Not) and not isinstance(node.operand, ast.Constant):
            node.operand = _operand(node.operand)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        node = self.generic_visit(node)
        if not any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
            node.comparators = list(map(_operand, node.comparators))
        return node


def _call(function: str, arguments: list[ast.expr], like: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(ast.copy_location(name(function), like), arguments, []), like)


def _operand(node: ast.expr) -> ast.expr:
    return _call("operand__", [node], node)
