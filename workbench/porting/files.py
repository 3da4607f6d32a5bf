"""The text of every file of the project that is not C++ from a kernel: from the templates, and from what was found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.porting import ops
from workbench.porting.bundle import Bundle
from workbench.porting.functions import Operator
from workbench.porting.kernels import PortedKernel
from workbench.porting.subject import Call, Named

ROOM = Path(__file__).parent
OWN = ("launch", "kernels", "operators")
"""Files of the package that are not the author's."""


def template(path: str, **marks: str) -> str:
    """The text of a template with what stands for its marks, in their order."""
    text = (ROOM / "templates" / path).read_text(encoding="utf-8")
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def of_package(
    name: str, found: Named, stem: str, kernels: tuple[PortedKernel, ...], missing: tuple[str, ...], bundle: Bundle
) -> dict[str, str]:
    """The C++, the Python around it and what builds them. ``stem`` is the file of the package that has the function."""
    requirements = {"torch>=2.10" if one == "torch" else one for one in bundle.requirements | {"torch"}}
    listed = ", ".join(f'"{one}"' for one in sorted(requirements))
    files = {f"csrc/{path.name}": path.read_text(encoding="utf-8") for path in sorted((ROOM / "headers").iterdir())}
    files |= {
        "csrc/kernels.cuh": ops.kernels_file(found.name, kernels),
        "csrc/ops.cu": ops.ops_file(name, kernels),
        "csrc/ops_cpu.cpp": template("csrc/ops_cpu.cpp"),
        "csrc/call.h": template("csrc/call.h"),
        "setup.py": template("setup.py", PACKAGE=name, VARIABLE=name.upper()),
        "pyproject.toml": template("pyproject.toml", PACKAGE=name, FUNCTION=found.name, REQUIREMENTS=listed),
        ".gitignore": template("gitignore"),
        f"{name}/launch.py": template("package/launch.py"),
        f"{name}/kernels.py": _kernels(name, kernels, missing),
        f"{name}/__init__.py": _package(found, stem),
    }
    return files | {f"{name}/{file}": text for file, text in bundle.files().items()}


def of_tests(
    name: str, found: Named, reference: Named | None, calls: list[Call], compiles: tuple[str, str]
) -> dict[str, str]:
    """The tests, and the prototype beside them; ``compiles`` is as in Port."""
    bundle = Bundle(found.module, None)
    stem, _ = bundle.add(found.module, found.name)
    call, given = _call(found), _given(found)
    imports = ["import functools\n"] if given else []
    imports.append(f"from .{stem} import {found.name}")
    truth = "None"
    if reference is not None:
        other, _ = bundle.add(reference.module, reference.name)
        imports.append(f"from .{other} import {reference.name} as _reference")
        truth = "_reference"
    lines = [
        '"""The Numba prototype that this was ported from, as it then was, and its reference in torch."""\n',
        *imports,
    ]
    lines.append(f"\nprototype = {f'functools.partial({call}, {given})' if given else call}\nreference = {truth}\n")
    more = "".join(f", ({_written(one.keywords)}, {list(one.moving)})" for one in calls[1:])
    marks = {"FUNCTION": f"{name}.{call}", "PACKAGE": name, "VARIABLE": name.upper(), "HOW": compiles[0]}
    marks["WITH_OPTIONS"] = more
    return {
        "tests/test_parity.py": template("tests/test_parity.py", **marks),
        "tests/prototype/__init__.py": "\n".join(lines),
        **{f"tests/prototype/{file}": text for file, text in bundle.files().items()},
    }


def of_operators(name: str, operators: tuple[Operator, ...]) -> str:
    """The text of ``operators.py``."""
    imports = "".join(f"from .{one.stem} import {one.function}\n" for one in operators)
    lines = [
        f'    {one.function}: _registered({one.function}, "{one.name}", "{one.schema}", {not one.asks}),\n'
        for one in operators
    ]
    return template(
        "package/operators.py", **{"IMPORTS\n": imports, "    OPERATORS\n": "".join(lines), "PACKAGE": name}
    )


def of_readme(
    name: str,
    found: Named,
    calls: list[Call],
    kernels: tuple[PortedKernel, ...],
    missing: tuple[str, ...],
    operators: tuple[Operator, ...],
    apart: tuple[str, ...],
    compiles: tuple[str, str],
    warnings: tuple[str, ...],
) -> str:
    """What the project is, how to build it, what was translated and what was not."""
    lines = ["| kernel | from | operator |", "|---|---|---|"]
    lines += [f"| `{k.name}` | `{k.prototype}` | `{ops.schema(k.translation)}` |" for k in kernels] + [""]
    if len(calls) > 1:
        listed = " and ".join(f"`{call}`" for call in calls[1:])
        lines += [f"These are what the example launches, as it is and with {listed}.", ""]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        lines += [
            f"Not translated, since the example does not launch them: {listed}. Their launch raises. To have them too, "
            'port again, with what launches them among `options`, such as `options=[{"keyword": True}]`.',
            "",
        ]
    for one in operators:
        lines += [f"`torch.ops.{name}.{one.name}{one.schema}` is `{one.function}` as a differentiable operator.", ""]
    lines += [text for reason in apart for text in (f"Not every Function is an operator. {reason}.", "")]
    how, why = compiles
    if why:
        lines += [f"`torch.compile` takes `{found.name}` {how}, since it says: {why}", ""]
    if warnings:
        lines += ["The translator warns:", "", *(f"- {warning}" for warning in warnings), ""]
    example = f'inputs = torch.load("tests/example.pt")\nprint({name}.{_call(found)}(*inputs))'
    marks = {"TRANSLATED\n": "\n".join(lines) + "\n", "EXAMPLE": example, "PACKAGE": name, "VARIABLE": name.upper()}
    return template("README.md", **marks, FUNCTION=found.name)


def _kernels(name: str, kernels: Iterable[PortedKernel], missing: tuple[str, ...]) -> str:
    text = template("package/kernels.py", PACKAGE=name, IMPORTED="Kernel, NotPorted" if missing else "Kernel")
    for kernel in kernels:
        given = (f"torch.ops.{name}.{kernel.name}.default", f'"{kernel.prototype}"')
        given += tuple(f'"{one}"' for one in kernel.fingerprints)
        text += f"{kernel.name} = Kernel(\n" + "".join(f"    {one},\n" for one in given) + ")\n"
    return text + "".join(f'{one} = NotPorted("{one}")\n' for one in missing)


def _package(found: Named, stem: str) -> str:
    given = _given(found)
    lines = [f'"""{found.name}, with kernels in CUDA C++."""\n', *(["import functools\n"] if given else [])]
    lines.append("from . import kernels, operators")
    if given:
        lines.append(f"from .{stem} import {found.name} as _{found.name}\n")
        lines.append(f"{found.name} = functools.partial(_{found.name}, {given})\n")
    else:
        lines.append(f"from .{stem} import {found.name}\n")
    lines.append(f'__all__ = ["{found.name}", "kernels", "operators"]\n')
    return "\n".join(lines)


def _written(keywords: dict[str, Any]) -> str:
    return "{" + ", ".join(f'"{name}": {value!r}' for name, value in keywords.items()) + "}"


def _call(found: Named) -> str:
    return f"{found.name}.apply" if found.is_function else found.name


def _given(found: Named) -> str:
    """The arguments that a partial() fixed."""
    return ", ".join([*map(repr, found.positional), *(f"{key}={value!r}" for key, value in found.keywords)])
