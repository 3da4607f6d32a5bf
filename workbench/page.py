"""A self-contained HTML page of headings, texts, tables and pictures: no script, no network, light and dark."""

from __future__ import annotations

import html
from pathlib import Path

from workbench.plot import Picture
from workbench.tables import Table

CSS = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
img { max-width: 100%; height: auto; border-radius: 4px; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.7rem 1rem; border: 1px solid #8885; border-radius: 4px; }
.scroll { overflow-x: auto; }
"""


class Page:
    """A page that is filled from top to bottom and then written."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """A paragraph; words between backticks are set as code."""
        pieces = html.escape(text).split("`")
        self.parts.append("<p>" + "".join(f"<code>{p}</code>" if k % 2 else p for k, p in enumerate(pieces)) + "</p>")

    def code(self, text: str) -> None:
        self.parts.append(f"<pre>{html.escape(text)}</pre>")

    def table(self, table: Table) -> None:
        self.parts.append(f'<div class="scroll">{table._repr_html_()}</div>')

    def picture(self, picture: Picture) -> None:
        self.parts.append(picture.html())

    def write(self, path: Path) -> None:
        """Write the page to ``path``, as UTF-8."""
        body = "\n".join(self.parts)
        path.write_text(
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
            encoding="utf-8",
        )
