"""Writes the project: runs the function to see what it launches, translates that, carries the rest over."""

from __future__ import annotations

import keyword
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workbench.errors import PortError
from workbench.porting import files
from workbench.porting.bundle import Bundle
from workbench.porting.functions import Operator, compiled, loaded, operators_of
from workbench.porting.kernels import Kernels, PortedKernel
from workbench.porting.subject import callable_of, called, named, observe


@dataclass(frozen=True, repr=False)
class Port:
    """A PyTorch extension that was written to ``directory``, as the package ``name``, which offers ``function``.

    ``kernels`` were translated. ``missing`` are named by the function's Python and were not, since nothing launched
    them. ``operators`` are those of ``torch.ops``, and ``apart`` says of each other Function why it is none.
    ``compiles`` says how torch.compile takes the function, ``"whole"``, ``"in parts"`` or ``"not"``, and why not whole.
    ``warnings`` are what a reader of the C++ should know.
    """

    directory: Path
    name: str
    function: str
    kernels: tuple[PortedKernel, ...]
    missing: tuple[str, ...]
    operators: tuple[Operator, ...]
    apart: tuple[str, ...]
    compiles: tuple[str, str]
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [f"{self.function} as a PyTorch extension in {self.directory}", ""]
        lines += [f"  {kernel.name} from {kernel.prototype}" for kernel in self.kernels]
        lines += [f"  torch.ops.{self.name}.{operator.name} from {operator.function}" for operator in self.operators]
        lines += [f"  not translated, since nothing launched it: {name}" for name in self.missing]
        lines += [f"  no operator: {reason}" for reason in self.apart]
        how, why = self.compiles
        lines += [f"  torch.compile takes it {how}: {why}"] if why else []
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join([*lines, "", "Its README.md says how to build and test it, and what to look at next."])


def write(
    function: Callable,
    inputs: tuple,
    to: str | Path,
    name: str | None,
    reference: Callable | None,
    options: Sequence[Mapping[str, Any]],
    step: Callable[[str], Any],
) -> Port:
    """Write the project, as :func:`workbench.port` says. ``step`` is told what is done next."""
    directory = Path(to)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise PortError(f"{directory} exists and is not an empty directory; port writes into a new or an empty one")
    name = _package_name(name or directory.resolve().name)
    found, truth = named(function), None if reference is None else named(reference)
    if not any(isinstance(x, torch.Tensor) and x.is_floating_point() for x in inputs):
        raise PortError("port runs the function to see its kernels, and needs a floating-point tensor to hand it")
    _check_options(options)
    step("run in float32")
    single = observe(callable_of(found), inputs, torch.float32, options)
    step("run in float64")
    double = observe(callable_of(found), inputs, torch.float64, options)
    if not single.launches:
        raise PortError(f"{found.name} launched no kernel for these inputs; hand port inputs that make it launch one")
    kernels = Kernels(single.launches, double.launches, step)
    bundle = Bundle(found.module, kernels.name_of, files.OWN)
    stem, _ = bundle.add(found.module, found.name)
    step("write")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder)
        translations, left = tuple(kernels.ported.values()), tuple(kernels.missing)
        _put(draft, files.of_package(name, found, stem, translations, left, bundle))
        with loaded(draft, name, (*kernels.ported, *kernels.missing)) as load:
            operators, apart = operators_of(single.applied, bundle, load)
            taken = tuple(getattr(load(one.stem), one.function) for one in operators if not one.asks)
            compiles = compiled(called(found, getattr(load(stem), found.name)), taken, inputs)
        warnings = tuple(warning for kernel in translations for warning in kernel.translation.warnings)
        about = (translations, left, operators, apart, compiles, warnings)
        _put(draft, files.of_tests(name, found, truth, single.calls, compiles))
        _put(draft, {f"{name}/operators.py": files.of_operators(name, operators)})
        _put(draft, {"README.md": files.of_readme(name, found, single.calls, *about)})
        torch.save([_saved(x) for x in inputs], draft / "tests" / "example.pt")
        shutil.copytree(draft, directory, dirs_exist_ok=True)
    return Port(directory, name, found.name, *about)


def _package_name(name: str) -> str:
    name = name.replace("-", "_")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise PortError(f"{name!r} cannot be the name of a Python package; pass name=, such as name='my_loss'")
    return name


def _check_options(options: Sequence[Mapping[str, Any]]) -> None:
    for keywords in options:
        for name, value in keywords.items():
            if not (value is None or isinstance(value, (bool, int, float, str))):
                raise PortError(f"the option {name} is a {type(value).__name__}; options are numbers, texts or None")


def _put(directory: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _saved(x: Any) -> Any:
    return x.detach().cpu().clone().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x
