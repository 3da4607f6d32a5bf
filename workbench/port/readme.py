"""The README of a port."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.port.ops import schema
from workbench.port.subject import Named

if TYPE_CHECKING:
    from workbench.port.project import Port

TEMPLATE = Path(__file__).parent / "templates" / "README.md"


def readme(port: Port, found: Named) -> str:
    """What the project is, how to build it, what was translated and what was not."""
    text = TEMPLATE.read_text().replace("TRANSLATED\n", "\n".join(_translated(port)) + "\n")
    marks = {"EXAMPLE": _example(found), "PACKAGE": port.name, "VARIABLE": port.name.upper(), "FUNCTION": port.function}
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


def _example(found: Named) -> str:
    call = f"PACKAGE.{found.name}" + ".apply" * found.is_function
    return f'inputs = torch.load("tests/example.pt")\nprint({call}(*inputs))'


def _translated(port: Port) -> list[str]:
    lines = ["| kernel | from | operator |", "|---|---|---|"]
    lines += [f"| `{k.name}` | `{k.prototype}` | `{schema(k.translation)}` |" for k in port.kernels]
    lines.append("")
    if port.missing:
        listed = ", ".join(f"`{name}`" for name in port.missing)
        lines += [f"Not translated, since nothing launched them when this was written: {listed}. To call them raises.", ""]
    for operator in port.operators:
        lines += [f"`torch.ops.PACKAGE.{operator.name}{operator.schema}` is `{operator.function}` as a differentiable operator.", ""]
    for reason in port.apart:
        lines += [f"No operator was made of every Function. {reason}.", ""]
    if port.compiles:
        lines += [f"`torch.compile` breaks the graph of `FUNCTION`: {port.compiles}. The operators above are taken whole.", ""]
    if port.warnings:
        lines += ["The translator warns:", "", *(f"- {warning}" for warning in port.warnings), ""]
    return lines
