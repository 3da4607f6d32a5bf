"""The static site: every notebook has its page, nothing of it comes from a network, and its formulas are set."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

for package in ("nbconvert", "bs4", "latex2mathml", "ziamath"):
    pytest.importorskip(package, reason="needs the site or test extra")

from bs4 import BeautifulSoup  # noqa: E402

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "pages"))

from make import FormulaError, mathml, page  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "pages" / "make.py", "--to", folder], check=True, capture_output=True)
    return folder


def soups(site):
    return {path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in site.glob("*.html")}


def test_every_notebook_has_a_page_and_the_index_leads_there(site):
    pages = soups(site)
    assert sorted(pages) == sorted([*(f"{path.stem}.html" for path in NOTEBOOKS), "index.html", "pictures.html"])
    listed = [link["href"] for link in pages["index.html"].select(".index > li > a")]
    assert listed == [f"{path.stem}.html" for path in NOTEBOOKS]


def test_nothing_comes_from_a_network(site):
    for name, soup in soups(site).items():
        assert not soup.find_all(["script", "iframe", "object", "embed"]), name
        sources = [tag.get("src") or tag["href"] for tag in soup.select("[src], link[href]")]
        assert all(source == "style.css" or source.startswith("data:image/") for source in sources), name
        assert "@import" not in str(soup)
    style = (site / "style.css").read_text(encoding="utf-8")
    assert re.findall(r"url\(([^)]*)\)", style) == ['"math.ttf"']
    assert "@import" not in style
    assert (site / "math.ttf").stat().st_size > 100_000


def test_links_within_the_site_lead_somewhere(site):
    pages = soups(site)
    for name, soup in pages.items():
        for link in soup.find_all("a", href=True):
            target, _, place = link["href"].partition("#")
            if "://" not in target:
                there = pages[target or name]
                assert not place or there.find(id=unquote(place)), link


def test_every_picture_is_on_the_sheet(site):
    pages = soups(site)
    shown = [image["src"] for path in NOTEBOOKS for image in pages[f"{path.stem}.html"].find_all("img")]
    assert [image["src"] for image in pages["pictures.html"].find_all("img")] == shown
    assert len(shown) > 20


def test_light_and_dark_follow_the_reader(site):
    style = (site / "style.css").read_text(encoding="utf-8")
    assert style.count("@media (prefers-color-scheme: dark)") == 2


def test_no_formula_is_left_as_it_was_typed(site):
    for name, soup in soups(site).items():
        for tag in soup.find_all(["pre", "code", "annotation"]):
            tag.decompose()
        assert not re.search(r"\$[^$]*\\|\\[a-z]+\{", soup.get_text()), name


def made(folder, *cells):
    path = folder / "made.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return page(path)


def shown(**data):
    output = nbformat.v4.new_output("display_data", {kind.replace("_", "/"): text for kind, text in data.items()})
    return nbformat.v4.new_code_cell("shown", outputs=[output])


def test_a_page(tmp_path):
    text = (
        "# 07 · A *title*\n\nFirst $x_i$ and `$5`.\n\n"
        "To [the next](01_next.ipynb#Its-part), [a file](../README.md), [out](https://example.org/x.ipynb).\n\n$$a$$"
    )
    found = made(tmp_path, nbformat.v4.new_markdown_cell(text))
    soup = BeautifulSoup(found.body, "html.parser")
    assert (found.file, found.title) == ("made.html", "A title")
    assert [link["href"] for link in soup.find_all("a")] == ["01_next.html#Its-part", "https://example.org/x.ipynb"]
    assert "a file" in soup.get_text()
    assert [formula["display"] for formula in soup.find_all("math")] == ["inline", "block"]
    assert soup.code.get_text() == "$5"
    assert BeautifulSoup(found.summary, "html.parser").get_text() == "First xi and $5."


def test_outputs(tmp_path):
    picture = shown(image_png="iVBORw0KGgo=", text_plain="what it shows")
    derived = shown(text_html="<p>f: $a^2$</p><pre>$b$</pre>", text_latex="$a^2$", text_plain="a**2")
    bare = shown(image_png="iVBORw0KGgo=", text_plain="<Figure size 640x480 with 1 Axes>")
    latex = shown(text_latex=r"$\displaystyle c$")
    found = made(tmp_path, nbformat.v4.new_markdown_cell("# T"), picture, bare, derived, latex)
    soup = BeautifulSoup(found.body, "html.parser")
    described, silent = (image["alt"] for image in soup.find_all("img"))
    assert described == "what it shows"
    assert "Figure" not in silent
    assert [formula.get_text() for formula in soup.find_all("math")] == ["a2", "c"]
    assert "$b$" in soup.get_text()


@pytest.mark.parametrize("latex", [r"\nosuchcommand x"])
def test_a_formula_that_cannot_be_set_is_named(latex):
    with pytest.raises(FormulaError, match=re.escape(latex)):
        mathml(latex, "block")


def test_aligned_lines_are_rows():
    soup = BeautifulSoup(mathml(r"\begin{aligned} a &= b \\ &= c \end{aligned}", "block"), "html.parser")
    assert [[cell.get_text() for cell in row.find_all("mtd")] for row in soup.find_all("mtr")] == [
        ["a", "=b"],
        ["", "=c"],
    ]


@pytest.mark.parametrize(
    ("latex", "spaces"),
    [
        (r"2 \sin x", ["2", " ", "sin", " ", "x"]),
        (r"\log_2 n", ["log2", " ", "n"]),
        (r"\log(x)", ["log", "(", "x", ")"]),
        (r"a + \operatorname{relu} x", ["a", "+", "relu", " ", "x"]),
        (r"L_{\max} x", ["Lmax", "x"]),
    ],
)
def test_named_functions_stand_apart_from_letters(latex, spaces):
    row = BeautifulSoup(mathml(latex, "inline"), "html.parser").math.mrow
    assert [" " if tag.name == "mspace" else tag.get_text() for tag in row.children] == spaces
