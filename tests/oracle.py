"""What a kernel computes on CUDA, from its source alone: each thread a Python generator that yields where it waits.

It knows nothing of the package. A thread that reads what nobody has written gets ``poison``, and threads take turns
in the given order: a kernel whose result depends on either has no defined result, and Illegal is what threads that
wait for each other in vain raise.
"""

from __future__ import annotations

import ast
import math
from types import SimpleNamespace

import numpy as np

WARP = 32

WAITS = {
    "syncthreads": "block", "syncthreads_count": "block", "syncthreads_and": "block", "syncthreads_or": "block",
    "syncwarp": "warp", "shfl_sync": "warp", "shfl_up_sync": "warp", "shfl_down_sync": "warp", "shfl_xor_sync": "warp",
    "any_sync": "warp", "all_sync": "warp", "ballot_sync": "warp",
}  # fmt: skip


class Illegal(Exception):
    """The kernel does what CUDA does not define."""


def expected(source, name, grid, block, arguments, order=1, poison=7777, shared_bytes=0):
    """Copies of the arguments as the kernel ``name`` of ``source`` leaves them; blocks and threads run in ``order``."""
    given = {n: Array(v.copy()) if isinstance(v, np.ndarray) else v for n, v in arguments.items()}
    kernel = _generators(source)[name]
    blocks = list(np.ndindex(*grid[::-1]))
    for z, y, x in blocks[::order]:
        _run_block(kernel, (x, y, z), grid, block, list(given.values()), order, poison, shared_bytes)
    return {n: v.data for n, v in given.items() if isinstance(v, Array)}


class Array:
    """A NumPy array whose integers are Python's, without bounds, and that refuses to be read out of bounds."""

    def __init__(self, data):
        self.data, self.shape, self.size = data, data.shape, data.size

    def __getitem__(self, index):
        try:
            found = self.data[index]
        except IndexError as error:
            raise Illegal(str(error)) from None
        if isinstance(found, np.ndarray):
            return Array(found)
        return int(found) if isinstance(found, np.integer) else found

    def __setitem__(self, index, value):
        try:
            self.data[index] = value
        except (IndexError, OverflowError) as error:
            raise Illegal(str(error)) from None


class _ToGenerator(ast.NodeTransformer):
    """Makes every function a generator with a first parameter ``cuda``, its thread."""

    def __init__(self, functions):
        self.functions = functions

    def visit_FunctionDef(self, node):
        node = self.generic_visit(node)
        node.decorator_list = []
        node.args.args.insert(0, ast.arg("cuda"))
        node.body.insert(0, ast.parse("if False: yield").body[0])
        return node

    def visit_Call(self, node):
        place = ast.Constant(f"{node.lineno}:{node.col_offset}")
        node = self.generic_visit(node)
        called = ast.unparse(node.func)
        if called in self.functions:
            node.args.insert(0, ast.Name("cuda", ast.Load()))
            return ast.YieldFrom(node)
        if called.startswith("cuda.") and called[5:] in WAITS:
            return ast.Yield(ast.Tuple([ast.Constant(called[5:]), place, *node.args], ast.Load()))
        if called in ("cuda.shared.array", "cuda.local.array"):
            node.args.insert(0, place)
        return node


def _generators(source):
    tree = ast.parse(source)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    transformer = _ToGenerator({f.name for f in functions})
    module = ast.Module([transformer.visit(f) for f in functions], [])
    names = {
        "math": SimpleNamespace(sqrt=np.sqrt, floor=math.floor),
        "int32": np.int32, "int64": int, "float32": np.float32, "float64": float,
    }  # fmt: skip
    exec(compile(ast.fix_missing_locations(module), "<oracle>", "exec"), names)
    return names


class _Atomic:
    @staticmethod
    def _change(array, index, new):
        old = array[index]
        array[index] = new(old)
        return old

    def add(self, array, index, value):
        return self._change(array, index, lambda old: old + value)

    def max(self, array, index, value):
        return self._change(array, index, lambda old: max(old, value))

    def min(self, array, index, value):
        return self._change(array, index, lambda old: min(old, value))

    def exch(self, array, index, value):
        return self._change(array, index, lambda old: value)


def _xyz(values):
    return SimpleNamespace(x=values[0], y=values[1], z=values[2])


class _Thread:
    """What ``cuda`` is to one thread."""

    atomic = _Atomic()

    def __init__(self, number, index, grid, block, shared, poison, shared_bytes):
        self.number, self.laneid, self.poison = number, number % WARP, poison
        self.block, self.at, self.count = block, index, grid
        position = (number % block[0], number // block[0] % block[1], number // (block[0] * block[1]))
        self.position = position
        self.threadIdx, self.blockIdx, self.blockDim, self.gridDim = map(_xyz, (position, index, block, grid))
        self.shared, self.local = SimpleNamespace(array=self._shared), SimpleNamespace(array=self._array)
        self.arrays, self.shared_bytes = shared, shared_bytes

    def grid(self, axes):
        found = tuple(i * n + t for i, n, t in zip(self.at, self.block, self.position, strict=True))
        return found[0] if axes == 1 else found[:axes]

    def gridsize(self, axes):
        found = tuple(i * n for i, n in zip(self.count, self.block, strict=True))
        return found[0] if axes == 1 else found[:axes]

    def _array(self, place, shape, dtype):
        kind = np.int64 if dtype is int else np.float64 if dtype is float else dtype
        shape = self.shared_bytes // np.dtype(kind).itemsize if shape == 0 else shape
        return Array(np.full(shape, self.poison, kind))

    def _shared(self, place, shape, dtype):
        if place not in self.arrays:
            self.arrays[place] = self._array(place, shape, dtype)
        return self.arrays[place]


def _run_block(kernel, index, grid, block, arguments, order, poison, shared_bytes):
    shared, count = {}, math.prod(block)
    threads = [kernel(_Thread(n, index, grid, block, shared, poison, shared_bytes), *arguments) for n in range(count)]
    waiting = dict.fromkeys(range(count))  # what each thread that has not returned waits for
    answers = dict.fromkeys(range(count))
    ready = list(range(count))
    while waiting:
        for number in ready[::order]:
            try:
                waiting[number] = threads[number].send(answers[number])
            except StopIteration:
                del waiting[number]
        ready = []
        for first in range(0, count, WARP):
            warp = {n: waiting[n] for n in range(first, min(first + WARP, count)) if n in waiting}
            ready += _meet_in_warp(first, warp, answers, poison)
        if not ready and waiting:
            if len({w[:2] for w in waiting.values()}) > 1 or WAITS[next(iter(waiting.values()))[0]] != "block":
                raise Illegal(f"threads wait in vain: {sorted({w[:2] for w in waiting.values()})}")
            _answer_block(waiting, answers)
            ready = list(waiting)
        ready.sort()


def _meet_in_warp(first, waiting, answers, poison):
    """The threads of a warp that have met all those of their mask, with ``answers`` for them."""
    met = []
    for number, wait in waiting.items():
        if WAITS[wait[0]] != "warp":
            continue
        mask = (wait[2] if len(wait) > 2 else 0xFFFFFFFF) & 0xFFFFFFFF
        if not mask >> (number % WARP) & 1:
            raise Illegal("a thread is not in its own mask")
        named = [n for n in waiting if mask >> (n - first) & 1]
        if all(waiting[n][:3] == wait[:3] for n in named):
            met.append(number)
            answers[number] = _answer(wait[0], number, wait, {n: waiting[n] for n in named}, poison)
    return met


def _answer(operation, number, wait, group, poison):
    if operation == "syncwarp":
        return None
    value, lane = wait[3], number % WARP
    if operation.startswith("shfl"):
        source = (
            {
                "shfl_sync": lambda k: k % WARP,
                "shfl_up_sync": lambda k: lane - k if lane >= k else lane,
                "shfl_down_sync": lambda k: lane + k if lane + k < WARP else lane,
                "shfl_xor_sync": lambda k: lane ^ k,
            }[operation](wait[4])
            + number
            - lane
        )
        return group[source][3] if source in group else type(value)(poison)
    votes = [bool(w[3]) for w in group.values()]
    if operation == "ballot_sync":
        bits = sum(1 << (n % WARP) for n, w in group.items() if w[3])
        return bits - (1 << 32) if bits >> 31 else bits
    return any(votes) if operation == "any_sync" else all(votes)


def _answer_block(waiting, answers):
    votes = [bool(w[2]) for w in waiting.values() if len(w) > 2]
    for number, wait in waiting.items():
        answers[number] = {
            "syncthreads": None,
            "syncthreads_count": sum(votes),
            "syncthreads_and": int(all(votes)),
            "syncthreads_or": int(any(votes)),
        }[wait[0]]
