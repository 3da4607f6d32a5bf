"""report: what the compiler made of a kernel, read on any machine, for any GPU from sm_75 to sm_121.

The kernel is compiled as a launch would compile it, with source lines, down to the machine code of the GPU that is
named, with no GPU and no driver. Nothing runs.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench import numba_cuda
from workbench.errors import CompileError, LaunchError
from workbench.inspection import compiled, float64, instructions, ptx
from workbench.inspection.access import Access, accesses
from workbench.inspection.compiled import Resources, SassInstruction
from workbench.inspection.float64 import Float64
from workbench.inspection.instructions import SlowPath
from workbench.inspection.lines import SideBySide, side_by_side
from workbench.inspection.occupancy import MULTIPROCESSORS, Occupancy, occupancy
from workbench.inspection.ptx import Instruction, Place, file_of
from workbench.kernel import describe
from workbench.launch import check_argument
from workbench.numba_cuda_compile import Step, TypedFunction, compile_kernel
from workbench.tables import Table
from workbench.tensors import argument_type

BLOCKS = (64, 128, 256, 512, 1024)
"""The block sizes that occupancy is given for, besides the kernel's own."""


@dataclass(frozen=True, repr=False)
class CompileReport:
    """What the compiler made of one kernel for one architecture.

    ``arguments`` has each parameter with its type; ``block`` is that of ``kernel[grid, block]``, or None. ``mix`` and
    ``widths`` count PTX instructions. ``callees`` are functions of CUDA's library that the machine code calls.
    ``compiler`` is the version of NVIDIA's compiler: another one may make other code.
    """

    name: str
    architecture: str
    compiler: str
    arguments: tuple[tuple[str, str], ...]
    block: tuple[int, int, int] | None
    resources: Resources
    occupancies: tuple[Occupancy, ...]
    mix: dict[str, int]
    widths: dict[str, int]
    callees: tuple[str, ...]
    slow_paths: tuple[SlowPath, ...]
    float64: tuple[Float64, ...]
    accesses: tuple[Access, ...]
    file: str
    ptx: str = field(repr=False)
    cubin: bytes = field(repr=False)

    @property
    def leaks(self) -> tuple[Float64, ...]:
        """The float64 that came in unasked and costs instructions."""
        return tuple(one for one in self.float64 if one.verdict == "leak")

    @functools.cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """The PTX, instruction by instruction, with source lines."""
        return ptx.instructions(self.ptx)

    @functools.cached_property
    def sass(self) -> tuple[SassInstruction, ...] | None:
        """The machine code, instruction by instruction, with source lines; None where there is no nvdisasm.

        ``pip install -e ".[inspect]"`` brings it. It takes about a second.
        """
        return compiled.disassemble(self.cubin)

    def lines(self) -> SideBySide:
        """Source, PTX and, where nvdisasm is installed, machine code, side by side by line."""
        return side_by_side(self.name, self.architecture, self.instructions, self.sass)

    def tables(self) -> list[Table]:
        """The report as tables, those that have something to say."""
        return [table for table in _tables(self) if table.rows]

    def __repr__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables())


def report(kernel: Any, *example_arguments: Any, arch: str = "sm_90") -> CompileReport:
    """What the compiler makes of a ``cuda.jit`` kernel for arguments such as these, on a GPU of this architecture.

    ``kernel`` may be configured, ``kernel[grid, block]``: its block's occupancy comes first then, and its shape says
    how threads lie in a warp. ``example_arguments`` are those of a launch: torch tensors on any device, NumPy arrays,
    scalars. Their types, shapes and strides matter, and their values do not. ``arch`` is "sm_75" to "sm_121".

    Raises LaunchError for something else than a kernel, a wrong number of arguments or an unknown architecture, and
    its subclass CompileError for a kernel that does not compile.
    """
    (only,) = reports(kernel, *example_arguments, architectures=(arch,))
    return only


def reports(kernel: Any, *example_arguments: Any, architectures: Sequence[str]) -> tuple[CompileReport, ...]:
    """As :func:`report`, for several architectures, in the time of little more than one."""
    configuration = numba_cuda.configuration(kernel)
    bare = configuration.kernel if configuration else kernel
    _check(bare, example_arguments)
    capabilities = {arch: _capability(arch) for arch in architectures}
    described = describe(bare)
    example_arguments += _defaults(bare, len(example_arguments))
    argument_types = tuple(map(argument_type, example_arguments))
    try:
        compilation = compile_kernel(bare, argument_types, tuple(capabilities.values()))
    except Exception as error:  # also those that Numba did not foresee
        raise CompileError(f"{described.name}: {_why(error)}") from None
    block = configuration.block if configuration else None
    dynamic = configuration.shared_bytes if configuration else 0
    of_source = accesses(bare, example_arguments, configuration)
    found = []
    for arch, capability in capabilities.items():
        text = compilation.ptx[capability]
        try:
            code = compiled.assemble(text, arch, bare.targetoptions.get("max_registers"))
        except compiled.LinkError as error:
            raise CompileError(f"{described.name}: {error}") from None
        each = ptx.instructions(text)
        found.append(
            CompileReport(
                name=described.name,
                architecture=arch,
                compiler=compiled.compiler_version(),
                arguments=tuple(zip(described.parameters, map(_shown, argument_types), strict=False)),
                block=block,
                resources=code.resources,
                occupancies=_occupancies(capability, block, code.resources, dynamic),
                mix=instructions.mix(each),
                widths=instructions.widths(each),
                callees=code.callees,
                slow_paths=instructions.slow_paths(each, _source(each), _powers(compilation.typed)),
                float64=float64.find(compilation.typed, each),
                accesses=of_source,
                file=file_of(numba_cuda.python_function(bare)),
                ptx=text,
                cubin=code.cubin,
            )
        )
    return tuple(found)


def _check(kernel: Any, arguments: Sequence[Any]) -> None:
    if not numba_cuda.is_kernel(kernel):
        raise LaunchError(f"{kernel!r} is a {type(kernel).__name__}, not a cuda.jit kernel; report(kernel, *arguments)")
    name = numba_cuda.python_function(kernel).__name__
    if numba_cuda.simulated():
        raise LaunchError(f"{name}: Numba's simulator compiles nothing; start Python without NUMBA_ENABLE_CUDASIM")
    if not hasattr(kernel, "targetoptions"):
        raise LaunchError(f"{name} is a kernel of numba_cuda_mlir, which is not read here; decorate it with numba.cuda")
    if numba_cuda.is_device_function(kernel):
        raise LaunchError(f"{name} is a device function; report a kernel that calls it")
    described = describe(kernel)
    if not described.required <= len(arguments) <= len(described.parameters):
        raise LaunchError(
            f"{name} takes {len(described.parameters)} arguments ({', '.join(described.parameters)}), and got "
            f"{len(arguments)} examples"
        )
    for parameter, argument in zip(described.parameters, arguments, strict=False):
        check_argument(described, parameter, argument)


def _why(error: Exception) -> str:
    """Why a kernel does not compile, with its line where Numba names one."""
    from numba.core.errors import NumbaError

    positions, sentence = numba_cuda.compile_problem(error)
    where = f"line {positions[0][1]}: " if positions else ""
    if not isinstance(error, NumbaError):
        return f"{where}Numba's own compiler fails, with {type(error).__name__}: {sentence}"
    return f"{where}{sentence}"


def _defaults(kernel: Any, given: int) -> tuple[Any, ...]:
    """The default values of the parameters that are not given."""
    parameters = list(inspect.signature(numba_cuda.python_function(kernel)).parameters.values())
    return tuple(one.default for one in parameters[given:])


def _capability(arch: str) -> tuple[int, int]:
    found = re.fullmatch(r"sm_(\d+)(\d)", str(arch))
    capability = (int(found[1]), int(found[2])) if found else None
    if capability not in MULTIPROCESSORS:
        known = ", ".join(f"sm_{major}{minor}" for major, minor in MULTIPROCESSORS)
        raise LaunchError(f"arch={arch!r} is not one of {known}")
    return capability


def _shown(kind: Any) -> str:
    """A Numba type in few words: float32[:, :] for an array, with its layout where it is not C's."""
    if hasattr(kind, "layout"):
        layout = {"C": "", "F": ", in Fortran order", "A": ", strided"}[kind.layout]
        return f"{kind.dtype}[{', '.join(':' * kind.ndim)}]{layout}"
    return str(kind)


def _occupancies(
    capability: tuple[int, int], block: tuple[int, int, int] | None, resources: Resources, dynamic: int
) -> tuple[Occupancy, ...]:
    sizes = list(BLOCKS)
    if block is not None:
        own = block[0] * block[1] * block[2]
        sizes = [own, *(size for size in sizes if size != own)]
    shared = resources.shared + dynamic
    return tuple(occupancy(capability, size, resources.registers, shared) for size in sizes)


def _source(found: tuple[Instruction, ...]) -> dict[Place, str]:
    places = {place for one in found for place in one.lines}
    return {place: linecache.getline(place.file, place.line).strip() for place in places if place.line}


def _powers(typed: TypedFunction) -> set[Place]:
    """The lines that raise a float32 to a power that is not a literal integer."""
    return {
        Place(file_of(one.function), step.line)
        for one in float64.functions(typed)
        for step in one.steps
        if _is_power(one, step)
    }


def _is_power(typed: TypedFunction, step: Step) -> bool:
    if step.signature is None or [str(kind) for kind in step.signature.args] != ["float32", "float32"]:
        return False
    if step.kind == "operator":
        return step.what in ("**", "**=")
    return step.kind == "call" and "built-in function pow" in str(typed.types.get(step.what))


def _tables(one: CompileReport) -> list[Table]:
    title = f"{one.name} for {one.architecture}, by compiler {one.compiler}"
    arguments = ", ".join(f"{name}: {kind}" for name, kind in one.arguments)
    resources = one.resources
    figures = (
        ("arguments", arguments),
        ("registers", f"{resources.registers} a thread"),
        ("spills", f"{resources.spill_stores} bytes stored, {resources.spill_loads} loaded"),
        ("local memory", f"{resources.local} bytes a thread"),
        ("shared memory", f"{resources.shared} bytes a block, static"),
        ("constant memory", f"{resources.constant} bytes"),
        ("instructions", ", ".join(f"{count} {what}" for what, count in one.mix.items())),
        ("global memory", ", ".join(f"{count} {what}" for what, count in one.widths.items()) or "none"),
        ("calls in the machine code", ", ".join(one.callees) or "none"),
        ("float64", _float64_in_words(one)),
    )
    return [
        Table(title, ("", ""), figures),
        _occupancy_table(one),
        Table(
            "Where a float64 comes in",
            ("line", "expression", "why", "what to do", "ops"),
            tuple(_float64_row(one, each) for each in one.float64 if each.verdict != "harmless"),
            ("ops: the float64 instructions on the lines that it reaches",),
        ),
        Table(
            "Accesses of a warp",
            ("line", "element", "access", "pattern"),
            tuple((_line(one, each.place), each.text, each.what, each.pattern) for each in one.accesses),
        ),
        Table(
            "Slow paths",
            ("line", "what", "what to do"),
            tuple(
                (_line(one, each.place), f"{each.count} × {each.what}" if each.count > 1 else each.what, each.advice)
                for each in one.slow_paths
            ),
        ),
    ]


def _float64_in_words(one: CompileReport) -> str:
    lines = sorted({leak.place.line for leak in one.leaks})
    if lines:
        return f"leaks in on line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
    verdicts = {each.verdict for each in one.float64}
    if "declared" in verdicts:
        return "as declared"
    folded = sum(each.verdict == "harmless" for each in one.float64)
    if folded:
        return f"none of the kernel's own; {folded} typed and folded away"
    return "none of the kernel's own"


def _float64_row(one: CompileReport, each: Float64) -> tuple[str, ...]:
    count = sum(number for _, number in each.emitted)
    advice = each.fix if each.verdict in ("leak", "once") else "nothing"
    return _line(one, each.place), each.expression, each.reason, advice, str(count)


def _occupancy_table(one: CompileReport) -> Table:
    rows = []
    for each in one.occupancies:
        is_own = one.block is not None and each is one.occupancies[0]
        rows.append(
            (
                f"{each.block:,}{' (its own)' if is_own else ''}",
                str(each.blocks),
                f"{each.warps} of {each.most_warps}",
                f"{each.fraction:.0%}",
                " and ".join(each.limits),
            )
        )
    columns = ("threads a block", "blocks", "warps", "occupancy", "limited by")
    return Table("Occupancy, in theory", columns, tuple(rows))


def _line(one: CompileReport, place: Place) -> str:
    """The line, with its file where that is not the kernel's."""
    if place.file == one.file or not place.file:
        return str(place.line)
    return f"{place.file.rsplit('/', 1)[-1]}:{place.line}"
