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

TAKEN = {"torch", "inf", "nan", "generator", "upstream", "value", "gradient", "got", "expected", "function"}
"""Names that the lines use for other things than inputs."""

SEEDED = "generator = torch.Generator().manual_seed(0)"


def reproduction(check: Check, subject: Subject, reference: Callable | None) -> str | None:
    """Lines that show the fault which ``check`` found; None if it is no wrong element of a value or gradient.

    Nor are there lines for a function of several outputs. They need the function under its name, and leave the two
    numbers in ``got`` and ``expected``.
    """
    fault = check.fault
    label = fault.label if fault else check.question.split(", ")[0]
    if label not in subject.labels or subject.outputs != ["value"]:
        return None
    if fault and fault.rows is not None:
        subject = subject.resized(subject.given[subject.moving[0]].shape[0], fault.rows)
        subject.draw_upstream(reference)
    dtype, allowed = (fault.dtype, fault.allowed) if fault else (torch.float64, 0.0)
    search = Search(subject, reference, subject.labels.index(label), dtype, allowed)
    inputs, upstream = subject.inputs(dtype), subject.upstream[0].to(dtype)
    first = search.wrong_element(inputs, upstream)
    if first is None:
        return None
    names = _names(subject)
    moving = {names[i] for i in subject.moving}
    alone, small = (
        _row_alone(search, names, moving, inputs, upstream, first),
        _literals(names, moving, inputs, upstream),
    )
    for lines in (alone, small, *_random_and_own(names, moving, inputs, upstream)):
        if not lines:
            continue
        made = {"torch": torch, "inf": math.inf, "nan": math.nan} | dict(zip(names, subject.given, strict=True))
        exec("\n".join(lines), made)  # what is tried is the text that is then shown
        try:
            wrong = search.wrong_element([made[name] for name in names], made["upstream"])
        except Exception:  # the function may refuse other inputs than its own
            continue
        # fewer elements may be wrong for a reason of their own, such as a size that was written down
        if wrong is not None and (lines is not alone or wrong.is_like(first)):
            return _written(lines, names, search, label, wrong)
    return None


def _names(subject: Subject) -> list[str]:
    """The inputs' names, or others where theirs cannot stand in the lines."""
    taken = TAKEN | {_called(subject.function).split(".")[0]}
    usable = [name.isidentifier() and not keyword.iskeyword(name) and name not in taken for name in subject.names]
    return [name if fits else f"input_{i}" for i, (name, fits) in enumerate(zip(subject.names, usable, strict=True))]


# -- inputs and upstream gradient as statements


def _row_alone(
    search: Search, names: list[str], moving: set[str], inputs: list, upstream: torch.Tensor, wrong: Element
) -> list[str]:
    """The row of the wrong element and what belongs to it; none if there is only that row."""
    shape = inputs[search.input].shape if search.which else upstream.shape
    if not shape or shape[0] < 2:
        return []
    row = slice(wrong.index[0], wrong.index[0] + 1)
    *few, u = (
        x[row] if isinstance(x, torch.Tensor) and x.ndim and len(x) == shape[0] else x for x in (*inputs, upstream)
    )
    return _literals(names, moving, few, u)


def _literals(names: list[str], moving: set[str], inputs: list, upstream: torch.Tensor) -> list[str]:
    """Every value written out; none if they are too many."""
    made = (*inputs, upstream)
    few = sum(x.numel() for x in made if isinstance(x, torch.Tensor)) <= LITERAL
    if not few or not all(_is_plain(x) for x in made):
        return []
    return [_literal(name, x, name in moving) for name, x in zip((*names, "upstream"), made, strict=True)]


def _random_and_own(names: list[str], moving: set[str], inputs: list, upstream: torch.Tensor) -> Iterator[list[str]]:
    """Random inputs, and then the audit's own by their names, with a random upstream gradient."""
    dtype = upstream.dtype
    drawn = f"upstream = torch.randn({_size(upstream)}, generator=generator, dtype={dtype}){_to(upstream)}"
    if all(_is_plain(x) and not (isinstance(x, torch.Tensor) and not x.isfinite().all()) for x in inputs):
        yield [SEEDED, *(_random(n, x, n in moving) for n, x in zip(names, inputs, strict=True)), drawn]
    own = [
        f"{name} = {name}.detach().to({dtype}){'.requires_grad_()' if name in moving else ''}"
        for name, x in zip(names, inputs, strict=True)
        if is_floating(x)
    ]
    yield [f"# {', '.join(names)}: as they were handed to the audit; others do not show it", *own, SEEDED, drawn]


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


def _written(lines: list[str], names: list[str], search: Search, label: str, wrong: Element) -> str:
    called = _called(search.subject.function)
    at = f"[{', '.join(map(str, wrong.index))}]" if wrong.index else ""
    head = ["import torch", ""]
    if any(word in line for line in lines for word in ("inf", "nan")):
        head.insert(0, "from math import inf, nan\n")
    if called == "function":
        head.append("# function is the one that was audited")
    body = [f"value = {called}({', '.join(names)})"]
    if not search.which:
        lines = [line for line in lines if not line.startswith("upstream")]
        body.append(f"got = value{at}.item()")
    elif wrong.came:
        body += ["value.backward(upstream)", f"got = {names[search.input]}.grad{at}.item()"]
    else:
        asked = f"torch.autograd.grad(value, [{names[search.input]}], upstream, allow_unused=True)"
        body += [
            f"gradient = {asked}[0] if value.requires_grad else None",
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
