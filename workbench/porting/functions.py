"""The autograd.Functions of a port as operators of torch's library, which torch.compile takes as they are.

An operator needs a signature of tensors and numbers, outputs that are memory of their own, and a fake: what says of
tensors without memory what the outputs would be. The Function's own forward is the fake, with kernels that do nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from workbench.porting.bundle import Bundle

KINDS = {torch.Tensor: "Tensor", bool: "bool", int: "SymInt", float: "float", str: "str"}


@dataclass(frozen=True)
class Operator:
    """A Function and its operator: the file and class that it is in, the operator's name and its signature.

    ``asks`` says that its forward asks whether values are true.
    """

    stem: str
    function: str
    name: str
    schema: str
    asks: bool


def schema_of(function: type, inputs: tuple, output: Any) -> tuple[str | None, str]:
    """The signature of a Function that was seen with these inputs and output; None where there is none, and why."""
    name = function.__name__
    if function.setup_context is torch.autograd.Function.setup_context:
        return None, f"{name}.forward takes ctx; with setup_context apart, it could be an operator"
    parameters = list(inspect.signature(function.forward).parameters.values())
    if any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in parameters) or len(parameters) != len(inputs):
        return None, f"{name}.forward takes any number of arguments, and an operator has a fixed signature"
    taken = []
    for parameter, value in zip(parameters, inputs, strict=True):
        kind = next((kind for of, kind in KINDS.items() if isinstance(value, of)), None)
        if kind is None:
            said = f"{name}.forward was given a {type(value).__name__} for {parameter.name}"
            return None, f"{said}, and an operator takes tensors, numbers and text"
        taken.append(f"{kind} {parameter.name}")
    outputs = output if isinstance(output, tuple) else (output,)
    memory = {x.untyped_storage().data_ptr() for x in inputs if isinstance(x, torch.Tensor)}
    if any(x.numel() and x.untyped_storage().data_ptr() in memory for x in outputs):
        return None, f"{name} returns memory of its input, and an operator returns its own"
    results = ", ".join("Tensor" for _ in outputs)
    return f"({', '.join(taken)}) -> " + (f"({results})" if isinstance(output, tuple) else results), ""


def operators_of(
    applied: dict[type, tuple[tuple, Any]], bundle: Bundle, load: Callable[[str], ModuleType]
) -> tuple[tuple[Operator, ...], tuple[str, ...]]:
    """The Functions that were applied, as operators; and of each that cannot be one, why. ``load`` imports a file."""
    operators, apart = [], []
    for function, (inputs, output) in applied.items():
        stem, name = bundle.of[function.__module__].stem, function.__name__
        schema, reason = schema_of(function, inputs, output)
        if schema is not None and bundle.cached:
            kept = " and ".join(sorted(bundle.cached))
            reason = f"{name} needs {kept}, whose cache would keep the tensors without memory that torch compiles with"
        elif schema is not None:
            asks, problem = without_memory(getattr(load(stem), name).forward, inputs)
            if problem:
                reason = f"{name}.forward cannot be run on tensors without memory, as torch compiles: {problem}"
        if reason:
            apart.append(reason)
        else:
            operators.append(Operator(stem, name, operator_name(function), schema, asks))
    return tuple(operators), tuple(apart)


def operator_name(function: type) -> str:
    """``SquaredError`` as ``squared_error``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", function.__name__).lower()


class Answers(TorchFunctionMode):
    """Answers the questions whether a tensor is true: the one of number ``yes`` with yes, all others with no."""

    def __init__(self, yes: int | None = None) -> None:
        self.yes, self.asked = yes, 0

    def __torch_function__(self, function: Any, kinds: Any, arguments: tuple = (), keywords: dict | None = None) -> Any:
        if function is torch.Tensor.__bool__:
            self.asked += 1
            return self.asked - 1 == self.yes
        return function(*arguments, **(keywords or {}))


def without_memory(forward: Callable, inputs: tuple) -> tuple[bool, str]:
    """Run a forward on tensors that have shapes and no memory: whether it asks if values are true, and what went wrong.

    What it asks is taken for a check of its inputs: yes must have it raise, or return what no does.
    """

    def attempt(answers: Answers) -> Any:
        mode = FakeTensorMode()
        given = [mode.from_tensor(x) if isinstance(x, torch.Tensor) else x for x in inputs]
        with mode, answers:
            output = forward(*given)
        outputs = output if isinstance(output, tuple) else (output,)
        return [(x.shape, x.stride(), x.dtype, x.device) for x in outputs]

    answers = Answers()
    try:
        returned = attempt(answers)
    except Exception as problem:
        return False, _reason(problem)
    for yes in range(answers.asked):
        with contextlib.suppress(Exception):
            if attempt(Answers(yes)) != returned:
                return True, "what it returns depends on the values of tensors"
    return answers.asked > 0, ""


def compiled(function: Callable, operators: tuple[type, ...], inputs: tuple) -> tuple[str, str]:
    """How torch.compile takes a function: ``"whole"``, ``"in parts"`` or ``"not"``; and why not whole.

    ``operators`` are the Functions that it need not look into. The function's kernels must do nothing.
    """
    moving = [x for x in inputs if isinstance(x, torch.Tensor) and x.requires_grad]
    given = [x.detach().requires_grad_(x.requires_grad or not moving) if _floats(x) else x for x in inputs]
    for operator in operators:
        torch.compiler.allow_in_graph(operator)
    reason = ""
    for whole, said in ((True, "whole"), (False, "in parts")):
        torch._dynamo.reset()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.compile(function, fullgraph=whole, backend="aot_eager")(*given)
        except Exception as problem:
            reason = reason or _reason(problem)
        else:
            return said, reason
    return "not", reason


def _floats(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def _reason(problem: Exception) -> str:
    return f"{type(problem).__name__}: {str(problem).strip().splitlines()[0]}"


@contextlib.contextmanager
def loaded(folder: Path, package: str, kernels: tuple[str, ...]) -> Iterator[Callable[[str], ModuleType]]:
    """Within this, what was written can be imported, with kernels that do nothing: gives what imports a file of it."""
    alias = f"{package}_{secrets.token_hex(4)}"
    top = ModuleType(alias)
    top.__path__ = [str(folder / package)]
    stand_in = ModuleType(f"{alias}.kernels")
    sys.modules |= {alias: top, f"{alias}.kernels": stand_in}
    launching = importlib.import_module(f"{alias}.launch")
    launching.launch = lambda configured, *arguments: None
    for kernel in kernels:
        setattr(stand_in, kernel, _Nothing())
    try:
        yield lambda stem: importlib.import_module(f"{alias}.{stem}")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == alias]:
            del sys.modules[name]


class _Nothing:
    def __getitem__(self, configuration: tuple) -> None:
        return None
