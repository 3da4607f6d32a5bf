"""Build a static site of the executed notebooks, to read without Jupyter and without a network.

    python pages/make.py --to DIR

A page for each notebook, an index and a sheet of all pictures, which open from their files. Formulas become MathML,
pictures are in the pages, and there is no script; light or dark is the reader's own choice.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import nbformat
from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from tqdm.auto import tqdm

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"

LIGHT, DARK = "xcode", "github-dark"
"""The colours of code, of Pygments' own styles."""

FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.DOTALL)

BETTER = [
    (re.compile(r'(<mo[^>]*stretchy="false")(?=>&#x(0007C|02016);)'), r'\1 lspace="0" rspace="0"'),
    (re.compile(r"<mo>([A-Za-z]{2,})</mo>"), r"<mi>\1</mi>"),
]
"""Bars stand close to what they enclose, and named functions to their parentheses."""

SCRIPTED = ("msub", "msup", "msubsup", "munder", "mover", "munderover")


class FormulaError(Exception):
    """A formula that cannot be set without a network: the message has it."""


class Page(NamedTuple):
    """One notebook as a page: its number, file name and title, and in HTML its first paragraph, body and pictures."""

    number: str
    file: str
    title: str
    summary: str
    body: str
    pictures: list[str]


def mathml(latex: str, display: str) -> str:
    """LaTeX as MathML. Raises FormulaError for a command that has no counterpart."""
    known = re.sub(r"\\(begin|end)\{(aligned|split|gathered)\}", r"\\\1{align*}", latex.strip())
    found = convert(known.replace(r"\displaystyle", ""), display=display)
    for pattern, better in BETTER:
        found = pattern.sub(better, found)
    if display == "inline" and r"\displaystyle" in latex:
        found = found.replace("<math ", '<math displaystyle="true" ', 1)
    soup = BeautifulSoup(found, "html.parser")
    text = soup.get_text()
    if "\\" in text or "&" in text:
        raise FormulaError(f"this formula has a command that MathML is not made of: {latex}")
    for name in soup.find_all("mi", string=re.compile(r"^[A-Za-z]{2,}$")):
        _set_apart(name, soup)
    return str(soup)


def _set_apart(name: Tag, soup: BeautifulSoup) -> None:
    """Updates: ``soup``: a thin space between a named function and a letter or number beside it, as TeX has."""
    if name.parent.name in SCRIPTED and name.previous_sibling is None:
        name = name.parent
    elif name.parent.name in SCRIPTED:
        return
    for beside, put in ((name.previous_sibling, name.insert_before), (name.next_sibling, name.insert_after)):
        if beside is not None and beside.name not in ("mo", "mspace"):
            put(soup.new_tag("mspace", width="0.167em"))


class _Renderer(IPythonRenderer):
    """Markdown as in Jupyter, with formulas as MathML."""

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


class _Exporter(HTMLExporter):
    """The body of a notebook alone, without the head that brings scripts of a network."""

    def __init__(self) -> None:
        super().__init__(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)

    @jinja2.pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        return MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(source)


def page(path: Path) -> Page:
    """The page of one executed notebook. Raises FormulaError for a formula that cannot be set."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _ready(output)
    soup = BeautifulSoup(_Exporter().from_notebook_node(notebook)[0], "html.parser")
    for link in soup.find_all("a", href=True):
        _lead(link)
    summary = soup.find("p")
    title = re.sub(r"^\d+\W+", "", soup.h1.get_text())
    number = re.match(r"\d*", path.stem)[0]
    said = summary.decode_contents() if summary else ""
    return Page(number, f"{path.stem}.html", title, said, str(soup), [str(image) for image in soup.find_all("img")])


def _ready(output: NotebookNode) -> None:
    """Updates: ``output``: formulas in it become MathML, and a picture's words its alternative text."""
    data = output.get("data", {})
    latex = data.pop("text/latex", None)
    if latex is not None and "text/html" not in data:
        data["text/html"] = latex
    if "$" in data.get("text/html", ""):
        data["text/html"] = _with_formulas(data["text/html"])
    if "image/png" in data and not data.get("text/plain", "<").startswith("<"):  # "<Figure size …>" says nothing
        output.metadata.setdefault("image/png", {}).setdefault("alt", data["text/plain"])


def _with_formulas(source: str) -> str:
    soup = BeautifulSoup(source, "html.parser")
    for text in soup.find_all(string=FORMULA):
        if not text.find_parent(["pre", "code", "script", "style"]):
            text.replace_with(BeautifulSoup(FORMULA.sub(_formula, text), "html.parser"))
    return str(soup)


def _formula(found: re.Match) -> str:
    block = found["block"]
    return mathml(block, "block") if block is not None else mathml(found["inline"], "inline")


def _lead(link: Tag) -> None:
    """Updates: ``link``: to a notebook, it leads to its page; to another file of the project, it is words alone."""
    target, _, place = link["href"].partition("#")
    if "://" in target or not target:
        return
    if target.endswith(".ipynb") and "/" not in target:
        link["href"] = target.removesuffix(".ipynb") + ".html" + (f"#{place}" if place else "")
    else:
        link.unwrap()


def style() -> str:
    """The style sheet: the page's own, and the colours of code in light and in dark."""
    dark = HtmlFormatter(style=DARK).get_style_defs(".highlight")
    return "\n".join(
        [
            (HERE / "style.css").read_text(encoding="utf-8"),
            HtmlFormatter(style=LIGHT).get_style_defs(".highlight"),
            f"@media (prefers-color-scheme: dark) {{\n{dark}\n}}",
            ".highlight { background: none; }\n",
        ]
    )


def build(folder: Path) -> list[Path]:
    """The site, in ``folder``, which is made where it does not exist.

    Updates: the pages, the style sheet and the font of the formulas there. Returns the pages, the index first.
    """
    pages = [page(path) for path in tqdm(sorted(NOTEBOOKS.glob("*.ipynb")), unit="page")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "style.css").write_text(style(), encoding="utf-8")
    (folder / "math.ttf").write_bytes(resources.files("ziamath").joinpath("fonts/STIXTwoMath-Regular.ttf").read_bytes())
    shell = jinja2.Environment(autoescape=True).from_string((HERE / "page.html").read_text(encoding="utf-8"))
    index, pictures = folder / "index.html", folder / "pictures.html"
    index.write_text(shell.render(pages=pages), encoding="utf-8")
    pictures.write_text(shell.render(pages=pages, only_pictures=True), encoding="utf-8")
    written = [index, pictures]
    for number, this in enumerate(pages):
        around = {"before": pages[number - 1] if number else None, "after": (*pages, None)[number + 1 :][0]}
        written.append(folder / this.file)
        written[-1].write_text(shell.render(page=this, **around), encoding="utf-8")
    return written


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a static site of the executed notebooks.")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where to write it")
    index = build(parser.parse_args().to)[0]
    print(f"The site: {index.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
