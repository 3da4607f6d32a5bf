"""Read PTX: each instruction with the source line that it came from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple


class Place(NamedTuple):
    """A line of a source file; line 0 where the compiler merged code of several lines."""

    file: str
    line: int


def file_of(function: Callable) -> str:
    """The file of a function as the compiler names it, which is absolute."""
    return os.path.abspath(function.__code__.co_filename)


class Instruction(NamedTuple):
    """One PTX instruction.

    ``callers`` are the lines of the calls that its device function was inlined through, innermost first. ``function``
    is the PTX function that it stands in: the kernel's own, or one of CUDA's library that was not inlined.
    """

    function: str
    place: Place
    callers: tuple[Place, ...]
    opcode: str
    text: str

    @property
    def lines(self) -> tuple[Place, ...]:
        """Its own line and those of the calls around it."""
        return (self.place, *self.callers)


_LOCATION = re.compile(r"\.loc\s+(\d+)\s+(\d+)\s+\d+")
_INLINED = re.compile(r"inlined_at\s+(\d+)\s+(\d+)\s+\d+")
_FILE = re.compile(r'\.file\s+(\d+)\s+"([^"]+)"')
_OPCODE = re.compile(r"^(?:@!?%p\d+\s+)?([a-z][\w.:]*)")
_FUNCTION = re.compile(r"\.(?:entry|func)\b(?:\s*\(.*?\))?\s*([\w$]+)")
_SHARED = re.compile(r"^\s*(?:\.visible\s+)?\.shared\s+\.align\s+(\d+)\s+\.b8\s+[\w$]+\[(\d+)\];", re.MULTILINE)


def instructions(ptx: str) -> tuple[Instruction, ...]:
    """Every instruction of the PTX, in its order, with declarations and directives left out."""
    files = {int(number): name for number, name in _FILE.findall(ptx)}
    found: list[Instruction] = []
    function, depth, place, callers, pending = "", 0, Place("", 0), (), ""
    for raw in ptx.splitlines():
        line = raw.split("//")[0].strip()
        if location := _LOCATION.match(line):
            if "inlined_at" not in line or "function_name" in line:
                place, callers = _place(files, *location.groups()), ()
            callers += tuple(_place(files, *at) for at in _INLINED.findall(line))
            continue
        if depth == 0:
            pending = f"{pending} {line}"
            if line.startswith("{") or line.endswith("{"):
                function, place, callers = _function(pending), Place("", 0), ()
                depth, pending = 1, ""
            elif line.endswith((";", "}")):
                pending = ""
            continue
        if not pending and line in ("{", "}"):
            depth += 1 if line == "{" else -1
            continue
        if not pending and (not line or line.startswith(".") or line.endswith(":")):
            continue
        if not pending and line.startswith(("{ ", "} ")):  # a scope with a comment, or with a directive, beside it
            depth += 1 if line[0] == "{" else -1
            continue
        pending = f"{pending} {line}".strip()
        if pending.endswith(";"):
            opcode = _OPCODE.match(pending)
            if opcode:
                found.append(Instruction(function, place, callers, opcode[1], " ".join(pending.split())))
            pending = ""
    return tuple(found)


def _place(files: dict[int, str], number: str, line: str) -> Place:
    return Place(files.get(int(number), ""), int(line))


def _function(header: str) -> str:
    names = _FUNCTION.findall(header)
    return names[-1] if names else ""


def shared_bytes(ptx: str) -> int:
    """The static shared memory that the PTX declares, in bytes, each array at its alignment."""
    total = 0
    for alignment, size in _SHARED.findall(ptx):
        total = -(-total // int(alignment)) * int(alignment) + int(size)
    return total


def width(instruction: Instruction) -> int:
    """The bits that one thread moves with a load or store: 32 for ``ld.global.f32``, 128 for ``ld.global.v4.f32``."""
    parts = instruction.opcode.split(".")
    count = next((int(p[1:]) for p in parts if re.fullmatch(r"v\d", p)), 1)
    bits = next((int(p[1:]) for p in reversed(parts) if re.fullmatch(r"[bsuf]\d+", p)), 0)
    return count * bits
