"""A table as data, shown as text in a terminal and as HTML in a notebook or a page."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

STYLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.5em 0",
    "text-align:left;padding:0.25em 0.9em 0.25em 0;border-bottom:2px solid;vertical-align:bottom",
    "text-align:left;padding:0.25em 0.9em 0.25em 0;border-bottom:1px solid #8884;vertical-align:top",
)
"""Inline styles of the table, its head and its cells: a notebook keeps no style sheet. Colours follow the theme."""

MARKS = {"right": "✓ right", "wrong": "✗ WRONG", "unclear": "? unclear"}
COLOURS = {"right": "#1a7f5a", "wrong": "#c2410c", "unclear": "#8a6d00"}


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of short texts under column heads, with a title above and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(box=box.SIMPLE_HEAD, title=self.title, title_justify="left", title_style="", pad_edge=False)
        table.show_header = any(self.columns)
        for column in self.columns:
            table.add_column(column)
        for row in self.rows:
            table.add_row(*(MARKS.get(cell, cell) for cell in row))
        out = io.StringIO()
        # in a notebook's kernel rich would show the text by itself, and put escape codes into it
        console = Console(file=out, width=100, highlight=False, markup=False, force_jupyter=False, force_terminal=False)
        console.print(table)
        for note in self.notes:
            console.print(note)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")

    def _repr_html_(self) -> str:
        table, head, cell = STYLE
        heads = ""
        if any(self.columns):
            heads = "".join(f'<th style="{head}">{html.escape(c)}</th>' for c in self.columns)
            heads = f"<thead><tr>{heads}</tr></thead>"
        rows = "".join("<tr>" + "".join(_cell(text, cell) for text in row) + "</tr>" for row in self.rows)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return (
            f"<div><p><strong>{html.escape(self.title)}</strong></p>"
            f'<table style="{table}">{heads}<tbody>{rows}</tbody></table>{notes}</div>'
        )


def _cell(text: str, style: str) -> str:
    if text in MARKS:
        style = f"{style};color:{COLOURS[text]};font-weight:600"
        text = MARKS[text]
    return f'<td style="{style}">{html.escape(text)}</td>'
