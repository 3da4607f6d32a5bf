"""Writes the project: C++ from the kernels, Python from the author's source, what builds it, and what tests it."""

from __future__ import annotations

import functools
import keyword
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workbench import numba_cuda
from workbench.errors import PortError
from workbench.port import functions, ops
from workbench.port.bundle import Bundle
from workbench.port.kernels import PortedKernel, translated
from workbench.port.readme import readme
from workbench.port.subject import Named, Observed, callable_of, named, observe

ROOM = Path(__file__).parent
OWN = ("launch", "kernels", "operators")
"""Files of the package that are not the author's."""


@dataclass(frozen=True)
class Port:
    """A PyTorch extension that was written to ``directory``, as the package ``name``.

    ``function`` is what it offers. ``kernels`` were translated; ``missing`` are named by its Python and were not, since
    no example launched them. ``operators`` are those of ``torch.ops``, ``apart`` says of other Functions why they are
    none, ``compiles`` why torch.compile must break the function's graph (empty if it need not). ``warnings`` are what a
    reader of the C++ should know.
    """

    directory: Path
    name: str
    function: str
    kernels: tuple[PortedKernel, ...]
    missing: tuple[str, ...]
    operators: tuple[functions.Operator, ...]
    apart: tuple[str, ...]
    compiles: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.function} as a PyTorch extension in {self.directory}", ""]
        lines += [f"  {kernel.name:36} {kernel.prototype}" for kernel in self.kernels]
        lines += [f"  {name:36} not translated: no example launched it" for name in self.missing]
        lines += [f"  torch.ops.{self.name}.{operator.name}" for operator in self.operators]
        lines += [f"  no operator: {reason}" for reason in self.apart]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join([*lines, "", "Its README.md says how to build and test it, and what to look at next."])


def write(
    function: Callable, inputs: tuple, to: str | Path, name: str | None, reference: Callable | None, progress: Callable
) -> Port:
    """Write the project, as :func:`workbench.port` says. ``progress`` wraps what is gone through."""
    directory = Path(to)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise PortError(f"{directory} exists and is not an empty directory; port writes into a new or an empty one")
    name = _package_name(name or directory.resolve().name)
    found = named(function)
    if not any(isinstance(x, torch.Tensor) and x.is_floating_point() for x in inputs):
        raise PortError("port runs the function to see its kernels, and needs a floating-point tensor to hand it")
    single, double = (observe(callable_of(found), inputs, dtype) for dtype in (torch.float32, torch.float64))
    if not single.launches:
        raise PortError(f"{found.name} launched no kernel for these inputs; hand port inputs that make it launch")
    kernels = translated(single.launches, double.launches, progress)
    missing: dict[str, None] = {}
    bundle = Bundle(found.module, functools.partial(_name_of, kernels, missing), OWN)
    stem, _ = bundle.add(found.module, found.name)
    files = _files(name, found, stem, kernels, tuple(missing), bundle)
    files |= _tests(name, found, inputs, reference)
    try:
        _put(directory, files)
        torch.save(_saved(inputs), directory / "tests" / "example.pt")
        port = _with_operators(directory, name, found, stem, kernels, tuple(missing), bundle, single, inputs)
    except BaseException:
        shutil.rmtree(directory)  # it was new or empty
        raise
    return port


def _package_name(name: str) -> str:
    name = name.replace("-", "_")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise PortError(f"{name!r} cannot be the name of a Python package; pass name=, such as name='my_loss'")
    return name


def _name_of(kernels: dict[str, PortedKernel], missing: dict[str, None], kernel: Any) -> str:
    """The name of a kernel that Python names. Updates: ``missing``, where it is none of those translated."""
    name = numba_cuda.python_function(kernel).__name__
    if name not in kernels:
        missing[name] = None
    return name


def _template(path: str, **marks: str) -> str:
    text = (ROOM / "templates" / path).read_text()
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _files(
    name: str, found: Named, stem: str, kernels: dict[str, PortedKernel], missing: tuple[str, ...], bundle: Bundle
) -> dict[str, str]:
    translations = tuple(kernels.values())
    requirements = {"torch>=2.10" if one == "torch" else one for one in bundle.requirements | {"torch"}}
    listed = ", ".join(f'"{one}"' for one in sorted(requirements))
    files = {f"csrc/{path.name}": path.read_text() for path in sorted((ROOM / "headers").iterdir())}
    files |= {
        "csrc/kernels.cuh": ops.kernels_file(found.name, translations),
        "csrc/ops.cu": ops.ops_file(name, translations),
        "csrc/ops_cpu.cpp": _template("csrc/ops_cpu.cpp"),
        "csrc/call.h": _template("csrc/call.h"),
        "setup.py": _template("setup.py", PACKAGE=name, VARIABLE=name.upper()),
        "pyproject.toml": _template("pyproject.toml", PACKAGE=name, FUNCTION=found.name, REQUIREMENTS=listed),
        ".gitignore": _template("gitignore"),
        f"{name}/launch.py": _template("package/launch.py"),
        f"{name}/kernels.py": _kernels_file(name, translations, missing),
        f"{name}/__init__.py": _init_file(name, found, stem),
    }
    return files | {f"{name}/{file}": text for file, text in bundle.files().items()}


def _kernels_file(name: str, kernels: Iterable[PortedKernel], missing: tuple[str, ...]) -> str:
    text = _template("package/kernels.py", PACKAGE=name, IMPORTED="Kernel, NotPorted" if missing else "Kernel")
    for kernel in kernels:
        given = f'torch.ops.{name}.{kernel.name}.default, "{kernel.prototype}", "{kernel.fingerprint}"'
        line = f"{kernel.name} = Kernel({given})\n"
        if len(line) > 121:
            line = f"{kernel.name} = Kernel(\n" + "".join(f"    {one},\n" for one in given.split(", ")) + ")\n"
        text += line
    return text + "".join(f'{one} = NotPorted("{one}")\n' for one in missing)


def _init_file(name: str, found: Named, stem: str) -> str:
    lines = [f'"""{found.name}, with kernels in CUDA C++."""\n']
    if found.keywords or found.positional:
        given = [*map(repr, found.positional), *(f"{key}={value!r}" for key, value in found.keywords)]
        lines.append("import functools\n\nfrom . import kernels, operators")
        lines.append(f"from .{stem} import {found.name} as _{found.name}\n")
        lines.append(f"{found.name} = functools.partial({', '.join([f'_{found.name}', *given])})\n")
    else:
        lines += ["from . import kernels, operators", f"from .{stem} import {found.name}\n"]
    lines.append(f'__all__ = ["{found.name}", "kernels", "operators"]\n')
    return "\n".join(lines)


def _tests(name: str, found: Named, inputs: tuple, reference: Callable | None) -> dict[str, str]:
    bundle = Bundle(found.module, None)
    stem, _ = bundle.add(found.module, found.name)
    call = f"{found.name}.apply" if found.is_function else found.name
    given = [*map(repr, found.positional), *(f"{key}={value!r}" for key, value in found.keywords)]
    lines = ["import functools\n"] if given else []
    lines.append(f"from .{stem} import {found.name}")
    prototype = f"functools.partial({', '.join([call, *given])})" if given else call
    truth = "None"
    if reference is not None:
        other = named(reference)
        other_stem, _ = bundle.add(other.module, other.name)
        lines.append(f"from .{other_stem} import {other.name} as _reference")
        truth = "_reference"
    text = "\n".join(['"""The Numba prototype that this was ported from, as it then was, and its reference in torch."""\n', *lines])
    text += f"\n\nprototype = {prototype}\nreference = {truth}\n"
    files = {f"tests/prototype/{file}": source for file, source in bundle.files().items()}
    public = f"{name}.{call}"
    return files | {
        "tests/prototype/__init__.py": text,
        "tests/test_parity.py": _template("tests/test_parity.py", FUNCTION=public, PACKAGE=name, VARIABLE=name.upper()),
    }


def _saved(inputs: tuple) -> list:
    return [x.detach().cpu().contiguous().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x for x in inputs]


def _put(directory: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _with_operators(
    directory: Path,
    name: str,
    found: Named,
    stem: str,
    kernels: dict[str, PortedKernel],
    missing: tuple[str, ...],
    bundle: Bundle,
    seen: Observed,
    inputs: tuple,
) -> Port:
    """Add the operators and the README, which need the rest to be written. Updates: the directory."""
    operators, apart = [], []
    with loaded_package(directory, name, (*kernels, *missing)) as load:
        author = getattr(load(stem), found.name)
        whole = functools.partial(author.apply if found.is_function else author, *found.positional, **dict(found.keywords))
        for function, (given, output) in seen.applied.items():
            schema, reason = functions.schema_of(function, given, output)
            home = bundle.of[function.__module__].stem
            if schema is not None and bundle.cached:
                kept = ", ".join(sorted(bundle.cached))
                schema, reason = None, f"{function.__name__}: {kept} would keep tensors that have no memory, in its cache"
            if schema is not None:
                why = functions.runs_without_memory(getattr(load(home), function.__name__).forward, given)
                schema, reason = (None, f"{function.__name__}.forward: {why}") if why else (schema, "")
            if schema is None:
                apart.append(reason)
            else:
                operator = functions.operator_name(function)
                operators.append(functions.Operator(home, function.__name__, operator, schema))
        compiles = "" if bundle.cached else functions.runs_without_memory(whole, inputs)
    warnings = tuple(warning for kernel in kernels.values() for warning in kernel.translation.warnings)
    port = Port(
        directory, name, found.name, tuple(kernels.values()), missing, tuple(operators), tuple(apart), compiles, warnings
    )
    parity = (directory / "tests" / "test_parity.py").read_text().replace("WHOLE_GRAPH", str(not compiles))
    _put(
        directory,
        {f"{name}/operators.py": _operators_file(port), "README.md": readme(port, found), "tests/test_parity.py": parity},
    )
    return port


loaded_package = functions.loaded


def _operators_file(port: Port) -> str:
    text = _template("package/operators.py", PACKAGE=port.name)
    text = text.replace("IMPORTS\n", "".join(f"from .{o.stem} import {o.function}\n" for o in port.operators))
    lines = [f'    {o.function}: _registered({o.function}, "{o.name}", "{o.schema}"),\n' for o in port.operators]
    return text.replace("    OPERATORS\n", "".join(lines))
