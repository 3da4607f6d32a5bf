"""Which element each thread of a warp touches: a kernel's source, walked with the numbers of 32 threads at once.

Nothing runs and no data is read: a value is known where it follows from thread and block indices, sizes and scalar
arguments. What a thread loads is not known; where all threads load one element, it is some number that they share, and
where each loads its own, an index made of it is a gather. Loops are walked a few times, both sides of an ``if`` are
taken, and bounds are not looked at, so that small examples show what large ones do.
"""

from __future__ import annotations

import ast
import operator
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from workbench import numba_cuda
from workbench.inspection.ptx import file_of
from workbench.source import UNKNOWN as OUTSIDE_UNKNOWN
from workbench.source import Names, SourceError, function_tree

LANES = 32
DEEPEST = 8
"""Calls of device functions within each other that are followed."""


class _Mark:
    """A value that is no number."""


DATA = _Mark()
"""Differs from thread to thread by what each has loaded."""
UNKNOWN = _Mark()
"""Not followed."""


@dataclass(frozen=True, eq=False)
class View:
    """An array as the walk sees it: where each thread's own part begins, in bytes, and how it goes on from there."""

    name: str
    space: str
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    base: Any


class Seen(NamedTuple):
    """One access by the threads of a warp: the byte that each touches, or a mark; and who takes part.

    ``step`` has, for each dimension, the index by thread.
    """

    file: str
    line: int
    text: str
    what: str
    view: View
    address: Any
    index: tuple[Any, ...]
    active: np.ndarray


class Warp(NamedTuple):
    """32 threads: their indices in the block, the block's, and the sizes of both; ``round`` varies the loops walked."""

    thread: tuple[np.ndarray, ...]
    block: tuple[int, int, int]
    block_size: tuple[int, int, int]
    grid_size: tuple[int, int, int]
    exists: np.ndarray
    round: int


def warp(number: int, block: tuple, block_size: tuple, grid_size: tuple, round: int) -> Warp:
    """The warp of that number in a block."""
    t = np.arange(LANES) + LANES * number
    x, y, z = block_size
    return Warp((t % x, t // x % y, t // (x * y)), block, block_size, grid_size, t < x * y * z, round)


_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
    ast.Pow: lambda a, b: a.astype(float) ** b,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: np.logical_not,
}


def combined(function: Callable, *values: Any) -> Any:
    """The function of known values; of marks, the mark that it carries on."""
    if any(value is UNKNOWN or not isinstance(value, (np.ndarray, _Mark)) for value in values):
        return UNKNOWN
    if any(value is DATA for value in values):
        return DATA
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(*values))
    except (TypeError, ValueError):
        return UNKNOWN


def constant(value: Any) -> np.ndarray:
    """One number for all threads."""
    return np.full(LANES, value)


class Walk:
    """Walks one function for one warp. Updates: ``seen``, which gets every access."""

    def __init__(self, function: Callable, warp: Warp, seen: list[Seen], active: np.ndarray, depth: int = 0) -> None:
        self.names, self.warp, self.seen, self.active, self.depth = Names(function), warp, seen, active, depth
        self.file, self.function = file_of(function), function
        self.env: dict[str, Any] = {}
        self.returned: list[Any] = []
        self.decided = False
        self.sure: list[bool | None] = []  # of each `if` around: whether all threads go this way, or none, where known

    def run(self, arguments: tuple[Any, ...]) -> Any:
        """Walk the function with these values for its parameters, and give the value that it returns."""
        tree = function_tree(self.function)
        self.env = dict(zip((a.arg for a in tree.args.args), arguments, strict=False))
        self.body(tree.body)
        if not self.returned:
            return UNKNOWN
        value = self.returned[0]
        for other in self.returned[1:]:
            value = _joined(UNKNOWN, value, other)
        return value

    def body(self, statements: list[ast.stmt]) -> bool:
        """Walk statements; whether they end in a jump."""
        for statement in statements:
            method = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if method is not None and method(statement):
                return True
        return False

    def _expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _return(self, node: ast.Return) -> bool:
        """Note the value, unless a test that is known says that no thread comes here, or that all left before."""
        if node.value is not None and False not in self.sure and not self.decided:
            self.returned.append(self.value(node.value))
            self.decided = None not in self.sure and len(self.returned) == 1
        return True

    def _break(self, node: ast.stmt) -> bool:
        return True

    _continue = _break

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._bind(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind(node.target, self.value(node.value))

    def _augassign(self, node: ast.AugAssign) -> None:
        target = ast.copy_location(ast.parse(ast.unparse(node.target), mode="eval").body, node.target)
        for part in ast.walk(target):
            ast.copy_location(part, node.target)
        value = combined(_OPERATORS.get(type(node.op), _refused), self.value(target), self.value(node.value))
        self._bind(node.target, value)

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for k, part in enumerate(target.elts):
                self._bind(part, value[k] if isinstance(value, tuple) and k < len(value) else UNKNOWN)
        elif isinstance(target, ast.Subscript):
            self._subscript(target, "store")

    def _for(self, node: ast.For) -> None:
        start, step = UNKNOWN, UNKNOWN
        if isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name) and node.iter.func.id == "range":
            given = [self.value(argument) for argument in node.iter.args]
            start = given[0] if len(given) > 1 else constant(0)
            step = given[2] if len(given) > 2 else constant(1)
        else:
            self.value(node.iter)
        for k in range(self.warp.round + 1):
            self._bind(node.target, combined(lambda a, b, k=k: a + k * b, start, step))
            self.body(node.body)

    def _while(self, node: ast.While) -> None:
        for _ in range(self.warp.round + 1):
            test = self.value(node.test)
            if isinstance(test, np.ndarray) and not test.any():
                return
            if self.body(node.body):
                return

    def _if(self, node: ast.If) -> bool:
        test = self.value(node.test)
        chosen = self._chosen(node.test)
        before, active = dict(self.env), self.active
        sides, ended = [], []
        sure = bool(test.all()) if isinstance(test, np.ndarray) and test.all() == test.any() else None
        for statements, mask in ((node.body, chosen), (node.orelse, None if chosen is None else ~chosen)):
            self.env, self.active = dict(before), active if mask is None else active & mask
            self.sure.append(sure if statements is node.body or sure is None else not sure)
            ended.append(self.body(statements) if self.active.any() else False)
            sides.append(self.env)
            self.sure.pop()
        self.active = active
        if all(ended):
            return True
        if ended[0] or ended[1]:
            self.env = sides[0] if ended[1] else sides[1]
        else:
            names = sides[0].keys() | sides[1].keys()
            self.env = {name: _joined(test, sides[0].get(name), sides[1].get(name)) for name in names}
        return False

    def _chosen(self, node: ast.expr) -> np.ndarray | None:
        """The threads that a test such as ``lane == 0`` picks; None for bounds, which are not looked at."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            parts = [mask for mask in map(self._chosen, node.values) if mask is not None]
            return np.logical_and.reduce(parts) if parts else None
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            value = self.value(node)
            return value.astype(bool) if isinstance(value, np.ndarray) else None
        return None

    def value(self, node: ast.expr) -> Any:
        """The value of an expression for each thread: an array of 32 numbers, a mark, a View, a tuple, an object."""
        if isinstance(node, ast.Constant):
            return constant(node.value) if isinstance(node.value, (int, float)) else node.value
        if isinstance(node, ast.Name):
            return self.env[node.id] if node.id in self.env else self._outside(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            return tuple(self.value(part) for part in node.elts)
        if isinstance(node, ast.BinOp):
            return combined(_OPERATORS.get(type(node.op), _refused), self.value(node.left), self.value(node.right))
        if isinstance(node, ast.UnaryOp):
            return combined(_OPERATORS[type(node.op)], self.value(node.operand))
        if isinstance(node, ast.Compare):
            values = [self.value(part) for part in (node.left, *node.comparators)]
            results = [
                combined(_OPERATORS.get(type(sign), _refused), values[k], values[k + 1])
                for k, sign in enumerate(node.ops)
            ]
            return results[0] if len(results) == 1 else combined(lambda *r: np.logical_and.reduce(r), *results)
        if isinstance(node, ast.BoolOp):
            fold = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return combined(lambda *parts: fold.reduce(parts), *map(self.value, node.values))
        if isinstance(node, ast.IfExp):
            return _joined(self.value(node.test), self.value(node.body), self.value(node.orelse))
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, "load")
        if isinstance(node, ast.Call):
            from workbench.inspection.calls import call

            return call(self, node)
        return UNKNOWN

    def _outside(self, node: ast.expr) -> Any:
        try:
            found = self.names.value(node)
        except SourceError:
            return UNKNOWN
        if found is OUTSIDE_UNKNOWN:
            return UNKNOWN
        if isinstance(found, (int, float, np.number)):
            return constant(found)
        if isinstance(found, tuple) and all(isinstance(part, (int, float, np.number)) for part in found):
            return tuple(map(constant, found))
        if isinstance(found, np.ndarray):
            return of_array(ast.unparse(node), found, "constant")
        return found

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        axis = {"x": 0, "y": 1, "z": 2}.get(node.attr)
        name = numba_cuda.operations().get(id(owner), "")
        if name in ("threadIdx", "blockIdx", "blockDim", "gridDim") and axis is not None:
            if name == "threadIdx":
                return self.warp.thread[axis]
            sizes = {"blockIdx": self.warp.block, "blockDim": self.warp.block_size, "gridDim": self.warp.grid_size}
            return constant(sizes[name][axis])
        if isinstance(owner, View):
            if node.attr == "shape":
                return tuple(map(constant, owner.shape))
            if node.attr == "strides":
                return tuple(map(constant, owner.strides))
            if node.attr == "dtype":
                return owner.dtype
            known = {"size": int(np.prod(owner.shape)), "ndim": len(owner.shape), "itemsize": owner.dtype.itemsize}
            return constant(known[node.attr]) if node.attr in known else UNKNOWN
        if isinstance(owner, (np.ndarray, _Mark, tuple)):
            return UNKNOWN
        return self._outside(node)

    def _subscript(self, node: ast.Subscript, what: str) -> Any:
        owner = self.value(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if isinstance(owner, View):
            index = [part if isinstance(part, ast.Slice) else self.value(part) for part in parts]
            if len(index) == 1 and isinstance(index[0], tuple):
                index = list(index[0])
            return self.touch(owner, index, what, node.lineno, ast.unparse(node))
        position = self.value(node.slice)
        if isinstance(owner, tuple) and isinstance(position, np.ndarray) and (position == position[0]).all():
            at = int(position[0])
            return owner[at] if -len(owner) <= at < len(owner) else UNKNOWN
        return UNKNOWN

    def touch(self, view: View, index: list[Any], what: str, line: int, text: str) -> Any:
        """The element or part of an array at an index. Updates: seen, for an element."""
        base: Any = view.base
        kept: list[int] = list(range(len(index), len(view.shape)))
        for k, part in enumerate(index[: len(view.shape)]):
            if isinstance(part, ast.Slice):
                part, kept = constant(0) if part.lower is None else self.value(part.lower), [*kept, k]
            base = combined(lambda a, b, k=k: a + b.astype(np.int64) * view.strides[k], base, part)
        if kept:
            kept.sort()
            shape, strides = (tuple(sizes[k] for k in kept) for sizes in (view.shape, view.strides))
            return replace(view, base=base, shape=shape, strides=strides)
        self.seen.append(Seen(self.file, line, text, what, view, base, tuple(index), self.active & self.warp.exists))
        if not isinstance(base, np.ndarray) or not (base == base[0]).all():
            return UNKNOWN if base is UNKNOWN else DATA
        # all threads load one element: some number, the same each time
        some = zlib.crc32(f"{view.name} {int(base[0])} {self.warp.round}".encode()) % 1000
        return constant(some if view.dtype.kind in "iub" else some / 7)


def of_array(name: str, array: np.ndarray, space: str = "global") -> View:
    """A whole array, as every thread sees it."""
    return View(name, space, array.dtype, array.shape, array.strides, constant(0))


def _refused(*_: Any) -> Any:
    raise TypeError("an operator that indices do not use")


def _joined(test: Any, one: Any, other: Any) -> Any:
    """The value after two ways, by the test where it is known."""
    if one is other:
        return one
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if (one == other).all():
            return one
        if isinstance(test, np.ndarray):
            return np.where(test.astype(bool), one, other)
    if any(value is DATA for value in (one, other, test)):
        return DATA
    return UNKNOWN
