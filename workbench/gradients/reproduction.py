"""A few lines of Python that show a wrong element without the audit.

What is shortest is tried first: the row of the wrong element alone, then all values where they are not many, then
random ones of the same shapes and ranges, then the audit's own inputs by their names. Each try is run, and the first
that shows a wrong element is written down with the numbers that it gave.
"""

from __future__ import annotations

import keyword
import math
import pprint
import textwrap
from collections.abc import Callable, Iterator

import torch

from workbench.gradients.check import Check
from workbench.gradients.subject import Subject, is_floating
from workbench.gradients.wrong_element import Element, Search

LITERAL = 64
"""Elements up to which inputs and upstream gradient are written out."""

TAKEN = {"torch", "inf", "nan", "generator", "value", "outputs", "gradient", "got", "expected", "function"}
"""Names that the lines use for other things than inputs."""

SEEDED = "generator = torch.Generator().manual_seed(0)"


def reproduction(check: Check, subject: Subject, reference: Callable | None) -> str | None:
    """Lines that show the fault which ``check`` found; None if it is no wrong element of a value or gradient.

    They need the function under its name, and leave the two numbers in ``got`` and ``expected``.
    """
    fault = check.fault
    label = fault.label if fault else check.question.split(", ")[0]
    if label not in subject.labels:
        return None
    if fault and fault.rows is not None:
        subject = subject.resized(subject.given[subject.moving[0]].shape[0], fault.rows)
        subject.draw_upstream(reference)
    dtype, allowed = (fault.dtype, fault.allowed) if fault else (torch.float64, 0.0)
    search = Search(subject, reference, subject.labels.index(label), dtype, allowed)
    inputs, upstream = subject.inputs(dtype), [None if u is None else u.to(dtype) for u in subject.upstream]
    first = search.wrong_element(inputs, upstream)
    if first is None:
        return None
    names = _names(subject)
    moving = {names[i] for i in subject.moving}
    handed = dict(zip(map(_handed, subject.outputs), upstream, strict=True))
    made = dict(zip(names, inputs, strict=True)) | handed
    alone, everything = _row_alone(search, made, moving, first), _literals(made, moving)
    for lines in (alone, everything, *_random_and_own(names, made, moving, dtype)):
        if not lines:
            continue
        run = {"torch": torch, "inf": math.inf, "nan": math.nan} | dict(zip(names, subject.given, strict=True))
        exec("\n".join(lines), run)  # what is tried is the text that is then shown
        try:
            wrong = search.wrong_element([run[name] for name in names], [run[name] for name in handed])
        except Exception:  # the function may refuse other inputs than its own
            continue
        # fewer elements may be wrong for a reason of their own, such as a size that was written down
        if wrong is not None and (lines is not alone or wrong.is_like(first)):
            return _written(lines, names, handed, search, label, wrong)
    return None


def _handed(output: str) -> str:
    """The name of the upstream gradient of a value."""
    return "upstream" + output.removeprefix("value").removeprefix("output").replace(" ", "_")


def _names(subject: Subject) -> list[str]:
    """The inputs' names, or others where theirs cannot stand in the lines."""
    taken = TAKEN | {_called(subject.function).split(".")[0]}
    usable = [
        name.isidentifier() and not keyword.iskeyword(name) and name not in taken and not name.startswith("upstream")
        for name in subject.names
    ]
    return [name if fits else f"input_{i}" for i, (name, fits) in enumerate(zip(subject.names, usable, strict=True))]


# -- inputs and upstream gradient as statements


def _row_alone(search: Search, made: dict, moving: set[str], wrong: Element) -> list[str]:
    """The row of the wrong element and what belongs to it; none if there is only that row."""
    subject = search.subject
    shape = subject.shapes[search.which] if search.input is None else subject.given[search.input].shape
    if not shape or shape[0] < 2:
        return []
    row = slice(wrong.index[0], wrong.index[0] + 1)
    belongs = {name for name, x in made.items() if isinstance(x, torch.Tensor) and x.ndim and len(x) == shape[0]}
    return _literals({name: x[row] if name in belongs else x for name, x in made.items()}, moving)


def _literals(made: dict, moving: set[str]) -> list[str]:
    """Every value written out; none if they are too many."""
    few = sum(x.numel() for x in made.values() if isinstance(x, torch.Tensor)) <= LITERAL
    if not few or not all(_is_plain(x) for x in made.values()):
        return []
    return [_literal(name, x, name in moving) for name, x in made.items()]


def _random_and_own(names: list[str], made: dict, moving: set[str], dtype: torch.dtype) -> Iterator[list[str]]:
    """Random inputs, and then the audit's own by their names, with a random upstream gradient."""
    drawn = [
        f"{name} = torch.randn({_size(u)}, generator=generator, dtype={dtype}){_to(u)}"
        if u is not None
        else f"{name} = None"
        for name, u in made.items()
        if name not in names
    ]
    inputs = {name: made[name] for name in names}
    if all(_is_plain(x) and not (isinstance(x, torch.Tensor) and not x.isfinite().all()) for x in inputs.values()):
        yield [SEEDED, *(_random(name, x, name in moving) for name, x in inputs.items()), *drawn]
    own = [
        f"{name} = {name}.detach().to({dtype}){'.requires_grad_()' if name in moving else ''}"
        for name, x in inputs.items()
        if is_floating(x)
    ]
    yield [f"# {', '.join(names)}: as they were handed to the audit; others do not show it", *own, SEEDED, *drawn]


def _is_plain(x: object) -> bool:
    return isinstance(x, (torch.Tensor, bool, int, float, str, type(None)))


def _size(x: torch.Tensor) -> str:
    return ", ".join(map(str, x.shape)) or "()"


def _to(x: torch.Tensor) -> str:
    return "" if x.device.type == "cpu" else f'.to("{x.device}")'


def _literal(name: str, x: object, moving: bool) -> str:
    if not isinstance(x, torch.Tensor):
        return f"{name} = {x!r}"
    options = f"dtype={x.dtype}"
    options += "" if x.device.type == "cpu" else f', device="{x.device}"'
    options += ", requires_grad=True" if moving else ""
    if not x.numel():
        return f"{name} = torch.zeros({_size(x)}, {options})"
    values = pprint.pformat(x.tolist(), width=92, compact=True)
    if len(name) + len(values) + len(options) <= 92:
        return f"{name} = torch.tensor({values}, {options})"
    return f"{name} = torch.tensor(\n{textwrap.indent(values, '    ')},\n    {options},\n)"


def _random(name: str, x: object, moving: bool) -> str:
    """Random values between the smallest and the largest of ``x``, from the generator."""
    if not isinstance(x, torch.Tensor) or not x.numel():
        return _literal(name, x, moving)
    low, high = x.detach().min().item(), x.detach().max().item()
    if not x.is_floating_point():
        drawn = f"torch.randint({int(low)}, {int(high) + 1}, ({_size(x)},), generator=generator)"
        return f"{name} = {drawn}.to({x.dtype}){_to(x)}"
    if high > low:  # to as few digits as leave them between the two
        scale = 10.0 ** (2 - math.floor(math.log10(high - low)))
        low, high = math.ceil(low * scale) / scale, math.floor(high * scale) / scale
    drawn = f"torch.empty({_size(x)}, dtype={x.dtype}).uniform_({low}, {high}, generator=generator)"
    return f"{name} = {drawn}{_to(x)}{'.requires_grad_()' if moving else ''}"


# -- the whole


def _called(function: Callable) -> str:
    """How the function is called by its name, as ``Name.apply`` is; "function" if it has none."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{name}" if owner.__name__.isidentifier() else "function"
    return name if name.isidentifier() and owner is None else "function"


def _written(
    lines: list[str], names: list[str], handed: dict[str, object], search: Search, label: str, wrong: Element
) -> str:
    called = _called(search.subject.function)
    at = f"[{', '.join(map(str, wrong.index))}]" if wrong.index else ""
    head = ["import torch", ""]
    if any(word in line for line in lines for word in ("inf", "nan")):
        head.insert(0, "from math import inf, nan\n")
    if called == "function":
        head.append("# function is the one that was audited")
    alone = search.subject.outputs == ["value"]
    body = [f"{'value' if alone else 'outputs'} = {called}({', '.join(names)})"]
    values = ["value" if alone else f"outputs[{name.removeprefix('output ')}]" for name in search.subject.outputs]
    used = [(value, u) for value, u in zip(values, handed, strict=True) if handed[u] is not None]
    pulled = ", ".join(value for value, _ in used), ", ".join(u for _, u in used)
    if search.input is None:
        lines = [line for line in lines if not line.startswith("upstream")]
        body.append(f"got = {values[search.which]}{at}.item()")
    elif wrong.came:
        back = f"torch.autograd.backward([{pulled[0]}], [{pulled[1]}])"
        body += ["value.backward(upstream)" if alone else back, f"got = {names[search.input]}.grad{at}.item()"]
    else:
        asked = f"torch.autograd.grad([{pulled[0]}], [{names[search.input]}], [{pulled[1]}], allow_unused=True)[0]"
        body += [
            f"gradient = {asked} if {used[0][0]}.requires_grad else None",
            f"got = 0.0 if gradient is None else gradient{at}.item()  # None: no gradient comes at all",
        ]
    expected = repr(wrong.expected) if math.isfinite(wrong.expected) else f'float("{wrong.expected}")'
    truth = "the reference" if search.reference else "differences of the value"
    body += [
        f"expected = {expected}  # {truth}, in float64",
        f'print(f"{label}{" at " * bool(at)}{at}: it is {{got:.6g}} and should be {{expected:.6g}}")',
        f"# it is {wrong.got:.6g} and should be {wrong.expected:.6g}",
    ]
    return "\n".join([*head, *lines, "", *body])
