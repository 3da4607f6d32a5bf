"""Compile a kernel for the CPU, for one block shape and one set of argument types.

A kernel whose threads need not wait becomes one function for a thread and a loop around it. Any other is cut into loops
over threads, or run state by state where that cannot be done.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba.core import types

from workbench import numba_cuda
from workbench.errors import CompileError
from workbench.executors.cpu import cache, exchanges, refusals, sanitize
from workbench.executors.cpu.contention import has_contended, is_shared_work, use_contended
from workbench.executors.cpu.dialect import INDEX_NAMES, assign
from workbench.executors.cpu.emit import Text, emit_run, emit_thread, over_threads
from workbench.executors.cpu.fission import Plan, Strided
from workbench.executors.cpu.float32 import use_wide_vectors, wants_wide_vectors
from workbench.executors.cpu.loops import Loops
from workbench.executors.cpu.machine import LOOK, Machine
from workbench.executors.cpu.memory import array_maker, assume, counts_references
from workbench.executors.cpu.normal import normalise
from workbench.executors.cpu.ranges import count_by_ranges, name_apart
from workbench.executors.cpu.read import read
from workbench.executors.cpu.stretch import Stretch, emit_stretches
from workbench.executors.cpu.thread import Thread
from workbench.executors.cpu.uniform import NotUniform, Uniformity
from workbench.executors.cpu.versions import versions
from workbench.executors.cpu.views import hold_views
from workbench.executors.cpu.watched import Watched
from workbench.numba_cuda import Dimensions
from workbench.source import SourceError

OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}

BYTES = types.Array(types.uint8, 1, "C")

TYPED = {LOOK + operation: function for operation, function in exchanges.RESULTS.items()}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Compiled:
    """A compiled kernel: ``run(first, last, gridDim x, y, z, dynamic, *arguments)`` runs the blocks first to last.

    ``source`` is the emitted Python of a block, or of a thread where the threads need not wait. ``may_share`` is
    whether it pays that several workers share the blocks, and ``is_for_several`` whether it is right if they do.
    ``is_current`` says whether the names that the kernel takes from outside still have the values that they had.
    """

    run: Callable
    source: str
    may_share: bool
    is_for_several: bool
    is_current: Callable[[], bool]


@dataclass(frozen=True)
class CompiledWatched:
    """A kernel compiled for the sanitizer: its ``block`` function, the Watched that emitted it, and as in Compiled."""

    watched: Watched
    run_block: Callable
    is_current: Callable[[], bool]


def compile_kernel(kernel: Any, block: Dimensions, argument_types: tuple, several: bool = False) -> Compiled:
    """Compile a kernel for one block shape and one set of argument types, and for one worker or for ``several``.

    Raises CompileError, which names the kernel's own line, for a kernel that the executor does not cover or that does
    not compile.
    """
    thread, given = _read(kernel, block, argument_types)
    may_share = is_shared_work(thread)
    is_for_several = several or not has_contended(thread)
    folder = cache.entry(thread, block, argument_types, several)
    signature = (types.int64,) * 5 + (BYTES,) + argument_types
    is_current = functools.partial(_is_current, thread.reachable)
    stored = cache.load(folder, OPTIONS, signature)
    if stored is not None:
        return Compiled(*stored, may_share, is_for_several, is_current)
    if several:
        use_contended(thread)
    if thread.synchronises or _has_loops(thread):
        text, namespace = _block(thread, block, given, argument_types)
    else:
        text, namespace = _straight(thread, block, given, argument_types)
    (function,) = namespace.values()
    source = "".join(linecache.getlines(function.py_func.__code__.co_filename))
    run = _run(text, source, {**namespace, "assume__": assume}, thread.fastmath, folder)
    _compile(run, thread, signature)
    return Compiled(run, source, may_share, is_for_several, is_current)


def _read(kernel: Any, block: Dimensions, argument_types: tuple) -> tuple[Thread, list[str]]:
    """The kernel with the defaults of parameters that are not given, and the names of those that are."""
    thread = read(kernel, block, argument_types)
    given = thread.parameters[: len(argument_types)]
    missing = len(thread.parameters) - len(given)
    defaults = zip(thread.parameters[len(given) :], thread.defaults[len(thread.defaults) - missing :], strict=True)
    thread.body = [*(assign(parameter, default, default.lineno) for parameter, default in defaults), *thread.body]
    return thread, given


def _is_current(threads: list[Thread]) -> bool:
    for module, found in (taken for thread in threads for taken in thread.taken):
        for name, value in found.items():
            now = module.get(name, value)
            if now is not value and not (type(now) is type(value) and type(now) in (int, float) and now == value):
                return False
    return True


Run = tuple[Text, dict[str, Any]]
"""The text that runs blocks, and the function of a block or a thread that it needs."""


def compile_watched(kernel: Any, block: Dimensions, argument_types: tuple) -> CompiledWatched:
    """Compile a kernel for the sanitizer. Raises what compile_kernel raises."""
    thread, given = _read(kernel, block, argument_types)
    is_current = functools.partial(_is_current, thread.reachable)
    try:
        body = hold_views(versions(normalise(thread, as_written=True), thread.parameters))
        watched = Watched(thread, body, block, dict(zip(given, argument_types, strict=True)))
        devices = _compile_devices(thread)
        watched.keep(dict(zip(given, argument_types, strict=True)) | _kinds(watched, devices, argument_types))
        text = watched.text()
    except SourceError as problem:
        raise CompileError(f"{thread.name}: {problem}") from None
    function = _jit(text, "block", {**watched.namespace, **devices}, thread.fastmath, thread.file)
    handed = (numba.from_dtype(sanitize.STATE), types.Array(types.int64, 2, "C"))
    _compile(function, thread, (types.int64,) * 6 + (BYTES, *handed) + argument_types)
    return CompiledWatched(watched, function, is_current)


def _kinds(machine: Machine, devices: dict[str, Any], argument_types: tuple) -> dict[str, types.Type]:
    """The types of a kernel's variables. Raises CompileError where Numba infers none."""
    thread = machine.thread
    namespace = {**machine.namespace, **devices, **TYPED}
    one_thread = _jit(machine.inference, "one_thread", namespace, False, thread.file)
    indices = (types.int64,) * (len(INDEX_NAMES) + 1)
    try:
        return numba_cuda.local_types(one_thread.py_func, (*indices, BYTES, *argument_types))
    except Exception as error:
        raise CompileError(_explain(error, thread)) from None


def _straight(thread: Thread, block: Dimensions, given: list[str], argument_types: tuple) -> Run:
    """A block whose threads run one after the other, each from its beginning to its end."""
    one_thread = _compile_thread(thread, given)
    _compile(one_thread, thread, (types.int64,) * len(thread.indices) + argument_types)
    return emit_run(given, over_threads(thread, block, given)), {"thread__": one_thread}


def _block(thread: Thread, block: Dimensions, given: list[str], argument_types: tuple) -> Run:
    """A block cut into loops over its threads, or run state by state where it cannot be."""
    waits = thread.synchronises
    try:
        body = name_apart(versions(normalise(thread), thread.parameters))
        devices = _compile_devices(thread)  # among them those of what was written out
        machine = Machine(thread, copy.deepcopy(body), block, dict(zip(given, argument_types, strict=True)))
        kinds = dict(zip(given, argument_types, strict=True)) | _kinds(machine, devices, argument_types)
        body = count_by_ranges(body, kinds)
        try:
            known = Uniformity(thread, kinds, body, given, block[1] * block[2] == 1)
            plan = Plan(body, known)
            if not waits and not any(isinstance(node, Strided) for node in plan.nodes):
                return _straight(thread, block, given, argument_types)
            emitted: Loops | Machine = (Loops if waits else Stretch)(plan, known, block, machine.namespace)
            if isinstance(emitted, Stretch) and not emitted.is_right:
                emitted = Loops(plan, known, block, machine.namespace)
            text = emitted.text(given)
        except NotUniform:
            if not waits:
                return _straight(thread, block, given, argument_types)
            emitted = machine
            machine.keep(kinds)
            text = machine.text()
    except SourceError as problem:
        raise CompileError(f"{thread.name}: {problem}") from None
    function = _jit(text, "block", {**emitted.namespace, **devices}, thread.fastmath, thread.file)
    if isinstance(emitted, Stretch):
        _compile(function, thread, (types.int64,) * 7 + argument_types)
        return emit_stretches(given, emitted.threads), {"block__run": function}
    _compile(function, thread, (types.int64,) * 6 + (BYTES,) + argument_types)
    call = f"block__run({', '.join([*INDEX_NAMES[3:], 'dynamic__', *given])})"
    return emit_run(given, [call]), {"block__run": function}


def _has_loops(thread: Thread) -> bool:
    """Whether there is a loop that might be turned inside out."""
    return any(isinstance(n, (ast.For, ast.While)) for s in thread.body for n in ast.walk(s))


def _compile_thread(thread: Thread, given: list[str] | None = None, made: dict[int, Any] | None = None) -> Any:
    """The function of one thread. ``made`` holds those that are being made, which a recursive one calls itself."""
    made = {} if made is None else made
    namespace = dict(thread.outside)
    for identifier, allocation in thread.allocations.items():
        namespace[identifier] = array_maker(allocation.shape, allocation.element)
    # put in place of its call, whatever its size: a loop around a call is not vectorised
    text = emit_thread(thread, given)
    function = _jit(text, thread.name, namespace, thread.fastmath, thread.file, inline=not thread.recursive)
    made[id(thread)] = function
    devices = _compile_devices(thread, made)
    function.py_func.__globals__.update(devices)
    function.wants_wide_vectors = function.wants_wide_vectors or wants_wide_vectors(devices)
    return function


def _compile_devices(thread: Thread, made: dict[int, Any] | None = None) -> dict[str, Any]:
    made = {} if made is None else made
    return {
        identifier: made.get(id(device)) or _compile_thread(device, None, made)
        for identifier, device in thread.devices.items()
        if not device.synchronises
    }


_origins: dict[str, tuple[str, list[int | None]]] = {}


def _jit(
    text: Text, name: str, namespace: dict[str, Any], fastmath: bool, origin: str = "", inline: bool = False
) -> Any:
    namespace = dict(namespace)
    wide = not inline and _widen(text, namespace)
    source = str(text)
    file = f"<cpu executor: {name} {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    _origins[file] = (origin, text.origins)
    options = _options(namespace, fastmath) | {"forceinline": inline}
    exec(compile(source, file, "exec"), namespace)
    compiled = numba.njit(**options)(namespace[name])
    compiled.wants_wide_vectors = wide or wants_wide_vectors(namespace)
    return compiled


def _run(text: Text, block: str, namespace: dict[str, Any], fastmath: bool, folder: Path | None) -> Any:
    """The loop over blocks, around the text of one block; stored in a folder once it is compiled, if that can be."""
    if folder is not None:
        widened, wide = dict(namespace), copy.deepcopy(text)
        _widen(wide, widened)
        stored = cache.store(folder, block, str(wide), widened, _options(namespace, fastmath))
        if stored is not None:
            return stored
    return _jit(text, "run", namespace, fastmath)


def _options(namespace: dict[str, Any], fastmath: bool) -> dict[str, Any]:
    # contraction to fused multiply-add is what a GPU's compiler does by default
    # without reference counts (_nrt) where that can be: a kernel's arrays outlive its run, and counting references in
    # the innermost loop can cost forty times what the kernel does
    return OPTIONS | {"_nrt": counts_references(namespace), "fastmath": fastmath or {"contract"}}


def _widen(text: Text, namespace: dict[str, Any]) -> bool:
    """Have a function use wide vectors, if what it calls wants them. Updates: text and namespace."""
    if not wants_wide_vectors(namespace):
        return False
    text.lines.insert(1, "    use_wide_vectors__()")
    text.origins.insert(1, None)
    namespace["use_wide_vectors__"] = use_wide_vectors
    return True


def _compile(function: Any, thread: Thread, argument_types: tuple) -> None:
    try:
        function.compile(argument_types)
    except Exception as error:  # also those that Numba did not foresee
        raise CompileError(_explain(error, thread)) from None


def _explain(error: Exception, thread: Thread) -> str:
    positions, sentence = numba_cuda.compile_problem(error)
    sentence = refusals.in_words(sentence)
    for file, emitted_line in positions:
        origin, lines = _origins.get(file, ("", []))
        if origin and lines[emitted_line - 1] is not None:
            line = lines[emitted_line - 1]
            code = linecache.getline(origin, line).strip()
            return f"{thread.name} does not compile: line {line}, `{code}`: {sentence}"
    return f"{thread.name} does not compile: {sentence}"
