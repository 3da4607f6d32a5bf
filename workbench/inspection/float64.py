"""Where a float64 comes into a kernel, as Numba typed it and as the compiler emitted it, and how to keep it out.

A float64 has an origin: a literal such as ``0.1``, an operator that makes one of float32 and int64, an argument. From
there it spreads to whatever is computed with it, through variables and device functions. An origin is a leak where it
reaches a line that has a float64 instruction in the compiled code; where the compiler has folded it away, it costs
nothing. Two kinds of float64 are nobody's leak: what the author asked for, by a float64 array or ``float64(x)``, and
what CUDA's own float32 functions do inside, such as the reduction of large arguments in ``sin``.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from workbench.inspection.expressions import Expressions
from workbench.inspection.origins import describe
from workbench.inspection.ptx import Instruction, Place, file_of
from workbench.numba_cuda_compile import Step, TypedFunction
from workbench.source import SourceError, function_tree

REDUCTION = "0d3BF921FB54442D19"
"""π / 2 · 2⁻⁶⁴ as PTX writes it: in float32 functions of CUDA's library it stands in the only float64 product."""


@dataclass(frozen=True)
class Float64:
    """One origin of float64 values.

    ``verdict`` is "leak", "harmless" (typed, and folded away in the compiled code), "declared" (the author asked for
    it), "once" (an argument that is cast to a narrower type where it is used) or "library" (inside CUDA's or Numba's
    own functions). ``emitted`` has the float64 instructions on the lines that it reaches, with their counts.
    """

    place: Place
    expression: str
    reason: str
    fix: str
    verdict: str
    emitted: tuple[tuple[str, int], ...]


class _Origin(NamedTuple):
    typed: TypedFunction
    step: Step
    expression: str
    reason: str
    fix: str
    declared: bool


class _Node(NamedTuple):
    function: int
    variable: str


def emitted(instructions: tuple[Instruction, ...]) -> tuple[list[Instruction], list[Instruction]]:
    """The float64 arithmetic of the kernel's author, and that of CUDA's float32 functions; moves are neither."""
    inside: dict[str, set[str]] = defaultdict(set)
    for one in instructions:
        if REDUCTION in one.text:
            inside[one.function].update(re.findall(r"%\w+", one.text))
    kernel = instructions[0].function if instructions else ""
    own, library = [], []
    for one in instructions:
        if one.function == kernel and _is_float64(one.opcode):
            registers = set(re.findall(r"%\w+", one.text))
            (library if registers & inside[one.function] else own).append(one)
    return own, library


def _is_float64(opcode: str) -> bool:
    name, *parts = opcode.split(".")
    return "f64" in parts and name not in ("ld", "st", "mov", "selp")


def find(typed: TypedFunction, instructions: tuple[Instruction, ...]) -> tuple[Float64, ...]:
    """Every origin of float64 in a kernel and the device functions that it calls, by line."""
    every = list(functions(typed))
    own, library = emitted(instructions)
    by_place: dict[Place, Counter] = defaultdict(Counter)
    author: dict[Place, Place] = {}
    for one in own:
        by_place[one.place][one.opcode] += 1
        author[one.place] = next((p for p in one.lines if p.line and not is_of_numba(p.file)), one.place)
    flow = _Flow(every)
    origins = [origin for each in every for origin in _origins(each, each is typed)]
    reached = {id(origin): flow.reach(origin) for origin in origins}
    declared = set().union(*(reached[id(origin)].nodes for origin in origins if origin.declared))
    cast_only = {place for place, counts in by_place.items() if all(map(_narrows, counts))} & flow.casts
    found, explained = [], set(cast_only)
    for origin in origins:
        places, casts, nodes = reached[id(origin)]
        explained |= places
        if not origin.declared and flow.meets(nodes, declared):
            continue  # it takes part in what is float64 on purpose
        evidence = {place for place in places - (casts & cast_only) if by_place.get(place)}
        verdict = _verdict(origin, evidence, places, casts)
        if verdict is not None:
            counts = sum((by_place[place] for place in sorted(evidence)), Counter())
            found.append(_float64(origin, verdict, counts))
    if not any(one.emitted for one in found):  # else it is theirs: the compiler moves code out of loops
        left: dict[Place, Counter] = defaultdict(Counter)
        for place, counts in by_place.items():
            if place not in explained:
                left[author[place]] += counts
        with_line = {place: counts for place, counts in left.items() if place.line}
        found += [_unexplained(place, counts) for place, counts in (with_line or left).items()]
    found += _of_library(library)
    return tuple(sorted(_merged(found), key=lambda one: (one.place, one.expression)))


def _verdict(origin: _Origin, evidence: set[Place], places: set[Place], casts: set[Place]) -> str | None:
    """The verdict of an origin; None for what is not worth a word: a constant that is cast where it stands."""
    if origin.declared:
        return "declared"
    if is_of_numba(file_of(origin.typed.function)):
        return "library" if evidence else None
    if evidence:
        return "leak"
    if casts and places == casts:
        return "once" if origin.step.kind == "argument" else None
    return "harmless"


def _float64(origin: _Origin, verdict: str, counts: Counter) -> Float64:
    place = _place(origin.typed, origin.step)
    reason, fix = origin.reason, origin.fix
    if verdict == "library":
        reason, fix = f"{origin.typed.function.__name__} of Numba computes in float64 inside", ""
    if verdict == "once":
        reason = f"the argument {origin.expression} is a float64, cast once by each thread"
    return Float64(place, origin.expression, reason, fix, verdict, tuple(sorted(counts.items())))


def _merged(found: list[Float64]) -> list[Float64]:
    """One of those that say the same of the same line."""
    return list({(one.place, one.expression, one.verdict, one.reason): one for one in found}.values())


def _unexplained(place: Place, counts: Counter) -> Float64:
    reason = "Numba computes in float64 what it types otherwise, as a power of two integers"
    return Float64(place, "", reason, "look at the PTX of this line: .lines()", "leak", tuple(sorted(counts.items())))


def _of_library(library: list[Instruction]) -> list[Float64]:
    by_place: dict[Place, Counter] = defaultdict(Counter)
    for one in library:
        by_place[one.place][one.opcode] += 1
    reason = "CUDA's float32 function reduces large arguments (sin, cos, tan and their kin) with float64 inside"
    return [
        Float64(place, "", reason, "", "library", tuple(sorted(counts.items()))) for place, counts in by_place.items()
    ]


def functions(typed: TypedFunction) -> Iterator[TypedFunction]:
    """The function and every device function that it reaches, each once."""
    waiting, seen = [typed], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [step.callee for step in one.steps if step.callee is not None]


def is_float64(kind: Any) -> bool:
    """Whether a Numba type is float64 or complex128, or an array or tuple of those."""
    from numba.core import types

    if isinstance(kind, types.BaseTuple):
        return any(map(is_float64, kind))
    kind = getattr(kind, "dtype", kind) if isinstance(kind, types.Array) else kind
    return kind in (types.float64, types.complex128)


def _is_wide_integer(kind: Any) -> bool:
    """Whether Numba makes a float64 of this type and a float32."""
    from numba.core import types

    return isinstance(kind, (types.Integer, types.IntegerLiteral)) and types.unliteral(kind).bitwidth >= 32


def _is_array(kind: Any) -> bool:
    from numba.core import types

    return isinstance(kind, types.Array)


def _place(typed: TypedFunction, step: Step) -> Place:
    line = step.line
    if step.kind == "argument":  # Numba gives it the line of the decorator
        with contextlib.suppress(SourceError):
            line = function_tree(typed.function).lineno
    return Place(file_of(typed.function), line)


def _is_cast(typed: TypedFunction, step: Step) -> bool:
    """Whether the step is a conversion that the author wrote, such as ``float32(x)``, to a type that is no float64."""
    from numba.core import types

    return step.kind == "call" and isinstance(typed.types.get(step.what), types.NumberClass)


def _narrows(opcode: str) -> bool:
    return opcode.startswith("cvt.") and opcode.endswith(".f64") and ".f64.f64" not in opcode


@functools.cache
def _numba_folders() -> tuple[str, ...]:
    import numba
    from numba import cuda

    return str(Path(numba.__file__).parent), str(Path(cuda.__file__).parent)


def is_of_numba(file: str) -> bool:
    return file.startswith(_numba_folders())


class _Reach(NamedTuple):
    """The lines that compute with a value, those of them that only cast it, and the variables that hold it."""

    places: set[Place]
    casts: set[Place]
    nodes: set[_Node]


class _Flow:
    """How float64 values go from variable to variable, also into device functions and back."""

    def __init__(self, functions: list[TypedFunction]) -> None:
        self.uses: dict[_Node, list[tuple[TypedFunction, Step]]] = defaultdict(list)
        self.returned: dict[int, list[_Node]] = defaultdict(list)
        self.casts: set[Place] = set()
        for typed in functions:
            for step in typed.steps:
                for operand in step.operands:
                    self.uses[_Node(id(typed), operand)].append((typed, step))
                if step.callee is not None:
                    self.returned[id(step.callee)].append(_Node(id(typed), step.target))
                if _is_cast(typed, step):
                    self.casts.add(_place(typed, step))

    def meets(self, nodes: set[_Node], others: set[_Node]) -> bool:
        """Whether a step takes one of the variables together with one of the others."""
        return not nodes.isdisjoint(others) or any(
            _Node(node.function, operand) in others
            for node in nodes
            for _, step in self.uses[node]
            for operand in step.operands
        )

    def reach(self, origin: _Origin) -> _Reach:
        """Where the origin's value goes."""
        typed, step = origin.typed, origin.step
        places: set[Place] = set()
        casts: set[Place] = set()
        if step.kind not in ("constant", "outside", "argument"):
            places.add(_place(typed, step))
        waiting = [_Node(id(typed), step.target)] if is_float64(typed.types.get(step.target)) else []
        seen: set[_Node] = set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            for user, use in self.uses[node]:
                waiting += self._onward(user, use, node, places, casts)
        return _Reach(places | casts, casts - places, seen)

    def _onward(
        self, typed: TypedFunction, step: Step, node: _Node, places: set[Place], casts: set[Place]
    ) -> list[_Node]:
        """Where a value goes from one use. Updates: places, casts."""
        if step.callee is not None:
            positions = [k for k, operand in enumerate(step.operands) if operand == node.variable]
            parameters = step.callee.parameters
            onward = [_Node(id(step.callee), parameters[k]) for k in positions if k < len(parameters)]
            return [inner for inner in onward if is_float64(step.callee.types.get(inner.variable))]
        if step.kind == "return":
            return [outer for outer in self.returned[id(typed)]]
        if _is_cast(typed, step):
            casts.add(_place(typed, step))
        elif step.kind != "copy" and not (step.kind == "call" and step.target and _is_array(typed.types[step.target])):
            places.add(_place(typed, step))
        target = typed.types.get(step.target) if step.target else None
        return [_Node(node.function, step.target)] if is_float64(target) else []


def _origins(typed: TypedFunction, is_kernel: bool) -> Iterator[_Origin]:
    """The steps that make a float64 of other types, and those that would if their float64 operand were a float32."""
    expressions = Expressions(typed)
    unified: set[str] = set()
    for step in typed.steps:
        if step.callee is not None or (step.kind == "argument" and not is_kernel):
            continue
        into = is_float64(typed.types.get(step.target)) if step.target else False
        kinds = [typed.types.get(operand) for operand in step.operands]
        resolved = step.signature.args if step.kind in ("operator", "call") and step.signature is not None else ()
        compares = not into and not _is_cast(typed, step) and any(map(is_float64, resolved))
        mixes = step.kind == "operator" and any(map(_is_wide_integer, kinds))
        if not (into or compares) or (any(map(is_float64, kinds)) and not mixes):
            continue
        if step.kind == "copy":
            if step.target in unified:
                continue
            unified.add(step.target)
        described = describe(typed, step, expressions)
        if described is not None:
            yield _Origin(typed, step, *described)
