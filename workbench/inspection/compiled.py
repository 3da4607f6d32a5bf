"""From PTX to machine code and the resources that it takes: NVIDIA's linker, with no GPU and no driver."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from typing import NamedTuple

from workbench.inspection.ptx import Place, shared_bytes


@dataclass(frozen=True)
class Resources:
    """What one thread, or where it says so one block, takes; in bytes but for the registers.

    ``registers`` count those of called functions too. ``local`` is the stack frame of a thread, which lies in device
    memory; spills are the part of its traffic that the compiler had no registers for. ``shared`` is static, a block's.
    """

    registers: int
    shared: int
    local: int
    constant: int
    spill_stores: int
    spill_loads: int

    @property
    def spills(self) -> int:
        return self.spill_stores + self.spill_loads


class LinkError(RuntimeError):
    """The linker made no machine code; the message has its own words."""


class MachineCode(NamedTuple):
    """A cubin, the resources of its kernel, and the functions of CUDA's library that it calls, not inlined."""

    cubin: bytes
    resources: Resources
    callees: tuple[str, ...]


class SassInstruction(NamedTuple):
    """One machine instruction, with its line and the lines of the calls around it, innermost first."""

    function: str
    place: Place
    callers: tuple[Place, ...]
    opcode: str
    text: str

    @property
    def lines(self) -> tuple[Place, ...]:
        return (self.place, *self.callers)


def assemble(ptx: str, architecture: str, max_registers: int | None = None) -> MachineCode:
    """Machine code for an architecture such as ``"sm_90"``. Raises LinkError.

    Code that only a launch links is missing here: of ``x.reshape(...)`` in a kernel and of a barrier of the whole grid.
    """
    from cuda.bindings import nvjitlink

    options = [f"-arch={architecture}", "-lineinfo", "-verbose", "-Xptxas=-v"]
    if max_registers:
        options.append(f"-maxrregcount={max_registers}")
    handle = nvjitlink.create(len(options), options)
    try:
        text = ptx.encode()
        try:
            nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text, len(text), "kernel")
            nvjitlink.complete(handle)
        except nvjitlink.nvJitLinkError:
            log = bytearray(nvjitlink.get_error_log_size(handle))
            nvjitlink.get_error_log(handle, log)
            said = " ".join(_text(log).split())
            raise LinkError(f"NVIDIA's linker for {architecture} says: {said}") from None
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    return MachineCode(bytes(cubin), _resources(_text(log), ptx, bytes(cubin)), _callees(bytes(cubin)))


def compiler_version() -> str:
    """The version of the compiler behind every figure, such as ``"13.5"``."""
    from cuda.bindings import nvjitlink

    return ".".join(map(str, nvjitlink.version()))


def _text(log: bytearray) -> str:
    return bytes(log).decode(errors="replace").rstrip("\0\n ")


def _resources(log: str, ptx: str, cubin: bytes) -> Resources:
    """From the linker's closing line, the only one that counts what called functions take, and the kernel's own."""
    closing = re.findall(r"used (\d+) registers(.*)", log)[-1]
    own = log[log.index("Compiling entry function") :]
    frame = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", own)
    stack = re.search(r"(\d+) stack", closing[1])
    return Resources(
        registers=int(closing[0]),
        shared=shared_bytes(ptx),
        local=int(stack[1]) if stack else int(frame[1]),
        constant=sum(section.size for section in _sections(cubin) if section.name.startswith(".nv.constant")),
        spill_stores=int(frame[2]),
        spill_loads=int(frame[3]),
    )


class _Section(NamedTuple):
    name: str
    kind: int
    at: int
    size: int
    link: int
    entry: int


def _sections(cubin: bytes) -> list[_Section]:
    """The sections of the cubin, which is an ELF file of 64 bits."""
    at = struct.unpack_from("<Q", cubin, 0x28)[0]
    size, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    raw = [struct.unpack_from("<IIQQQQIIQQ", cubin, at + k * size) for k in range(count)]
    texts = raw[names][4]
    return [_Section(_name(cubin, texts + r[0]), r[1], r[4], r[5], r[6], r[9]) for r in raw]


def _name(cubin: bytes, at: int) -> str:
    return cubin[at : cubin.index(b"\0", at)].decode()


def _callees(cubin: bytes) -> tuple[str, ...]:
    """The local functions in the cubin's table of symbols: what the kernel calls."""
    sections = _sections(cubin)
    found = set()
    for table in sections:
        if table.kind != 2:  # a table of symbols
            continue
        for k in range(table.size // table.entry):
            name, info = struct.unpack_from("<IB", cubin, table.at + k * table.entry)
            if info & 15 == 2 and info >> 4 == 0:  # a function, local
                found.add(re.sub(r"^\$.*\$(?=__)", "", _name(cubin, sections[table.link].at + name)))
    return tuple(sorted(found))


def nvdisasm() -> str | None:
    """The path of NVIDIA's disassembler, or None where neither the wheel nor a CUDA toolkit has it."""
    from cuda.pathfinder import find_nvidia_binary_utility

    return find_nvidia_binary_utility("nvdisasm")


_SASS_LINE = re.compile(r'//## File "([^"]+)", line (\d+)(?: inlined at "([^"]+)", line (\d+))?')
_SASS = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+((?:@!?U?P\w+\s+)?([A-Z][\w.]*).*?);?\s*$")


def disassemble(cubin: bytes) -> tuple[SassInstruction, ...] | None:
    """The machine instructions with their lines, or None where there is no disassembler."""
    program = nvdisasm()
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.cubin")
        with open(path, "wb") as file:
            file.write(cubin)
        done = subprocess.run([program, "-c", "-gi", path], capture_output=True, text=True, check=True)
    found: list[SassInstruction] = []
    function, place, callers, fresh = "", Place("", 0), (), True
    for line in done.stdout.splitlines():
        if located := _SASS_LINE.search(line):
            here = Place(located[1], int(located[2]))
            outer = (Place(located[3], int(located[4])),) if located[3] else ()
            if fresh:
                place, callers, fresh = here, outer, False
            else:  # the next line of the chain of calls
                callers = (*callers, *(p for p in outer if p not in callers))
        elif line.startswith(".text."):
            function, place, callers = line.strip()[6:-1], Place("", 0), ()
        elif matched := _SASS.match(line):
            found.append(SassInstruction(function, place, callers, matched[2], " ".join(matched[1].split())))
            fresh = True
    return tuple(found)
