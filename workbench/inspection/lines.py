"""Source, PTX and machine code of a kernel side by side, line by line."""

from __future__ import annotations

import html
import linecache
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from workbench.inspection.float64 import is_of_numba

WIDTH = 52
"""Characters of a PTX instruction that stand beside the machine code in a terminal; a longer one is cut."""

_PRE = "margin:0;font:0.85em/1.35 ui-monospace,monospace;white-space:pre-wrap"
_CELL = "text-align:left;vertical-align:top;padding:0.15em 0.9em 0.15em 0;border-bottom:1px solid #8884"
_HEAD = "text-align:left;padding:0.25em 0.9em 0.25em 0;border-bottom:2px solid"
_FLOAT64 = re.compile(r"^(?:@\S+ )?(?:[\w.]*\.f64\b|D(?:ADD|MUL|FMA|SETP|MNMX)\b|\w+\.F64|\w+\.F32\.F64|MUFU\.\w+64H)")


@dataclass(frozen=True)
class Line:
    """A line of source and the instructions that came from it. Line 0 has those that came from no single line."""

    file: str
    number: int
    source: str
    ptx: tuple[str, ...]
    sass: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class SideBySide:
    """The lines of a kernel and of its device functions; ``has_sass`` is False where there was no nvdisasm."""

    name: str
    architecture: str
    lines: tuple[Line, ...]
    has_sass: bool

    def __repr__(self) -> str:
        right = "machine code" if self.has_sass else 'machine code: pip install -e ".[inspect]"'
        out = [f"{self.name} for {self.architecture}", "", f"{'line, and its PTX':{WIDTH + 8}}{right}"]
        file = ""
        for line in self.lines:
            if line.file != file:
                file = line.file
                out += ["", file or "from no single line"]
            out.append(f"{line.number or '':>5} | {line.source}".rstrip())
            for k in range(max(len(line.ptx), len(line.sass))):
                left = line.ptx[k] if k < len(line.ptx) else ""
                beside = line.sass[k] if k < len(line.sass) else ""
                if beside:
                    left = left if len(left) <= WIDTH else f"{left[: WIDTH - 1]}…"
                out.append(f"        {left:{WIDTH}}{beside}".rstrip())
        return "\n".join(out)

    def _repr_html_(self) -> str:
        columns = ("", "source", "PTX", *(("machine code",) if self.has_sass else ()))
        heads = "".join(f'<th style="{_HEAD}">{column}</th>' for column in columns)
        rows = []
        file = ""
        for line in self.lines:
            if line.file != file:
                file = line.file
                title = html.escape(file.rsplit("/", 1)[-1] or "from no single line")
                rows.append(f'<tr><th style="{_HEAD}" colspan="{len(columns)}">{title}</th></tr>')
            cells = [str(line.number or ""), _pre([line.source]), _pre(line.ptx)]
            if self.has_sass:
                cells.append(_pre(line.sass))
            rows.append("<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>")
        return (
            f"<div><p><strong>{html.escape(self.name)} for {self.architecture}</strong>; what computes in float64 is "
            f'<span style="{_MARK}">marked</span></p><table style="border-collapse:collapse"><thead><tr>{heads}</tr>'
            f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
        )


_MARK = "color:#c2410c;font-weight:600"


def _pre(texts: Any) -> str:
    shown = []
    for text in texts:
        escaped = html.escape(text)
        shown.append(f'<span style="{_MARK}">{escaped}</span>' if _FLOAT64.match(text) else escaped)
    return f'<pre style="{_PRE}">' + "\n".join(shown) + "</pre>"


def side_by_side(name: str, architecture: str, instructions: Any, sass: Any) -> SideBySide:
    """Put instructions beside the source lines that they came from, the kernel's file first.

    Between the first and the last line of a file that have instructions, every line is there; of Numba's own files and
    of code that has no line, only what has instructions.
    """
    ptx_of, sass_of = defaultdict(list), defaultdict(list)
    for one in instructions:
        ptx_of[one.place].append(_short(one.text))
    for one in sass or ():
        sass_of[one.place].append(re.sub(r"_ZN[\w$]+", name, one.text.removesuffix(";").strip()))
    lines = []
    places = list(dict.fromkeys([*ptx_of, *sass_of]))
    files = list(dict.fromkeys(place.file for place in places if place.line))
    for file in [*(f for f in files if not is_of_numba(f)), *filter(is_of_numba, files)]:
        numbers = sorted(place.line for place in places if place.file == file and place.line)
        if not is_of_numba(file):
            numbers = range(numbers[0], numbers[-1] + 1)
        for number in numbers:
            lines.append(_line(file, number, ptx_of, sass_of))
    nowhere = [place for place in places if not place.line]
    if nowhere:
        lines.append(
            Line("", 0, "", tuple(t for p in nowhere for t in ptx_of[p]), tuple(t for p in nowhere for t in sass_of[p]))
        )
    return SideBySide(name, architecture, tuple(lines), sass is not None)


def _line(file: str, number: int, ptx_of: dict, sass_of: dict) -> Line:
    source = linecache.getline(file, number).rstrip("\n")
    return Line(file, number, source, tuple(ptx_of.get((file, number), ())), tuple(sass_of.get((file, number), ())))


def _short(text: str) -> str:
    """Without the mangled name of the kernel before each of its parameters."""
    return re.sub(r"\[[\w$]+_param_(\d+)", r"[param_\1", text).removesuffix(";")
