"""Every notebook runs from top to bottom, and is committed as such a run left it."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbclient", reason="needs the lab or test extra")

FOLDER = Path(__file__).parent.parent / "notebooks"
sys.path.append(str(FOLDER))

from execute import METADATA, clean, execute  # noqa: E402

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(notebook):
    """What each cell shows: the types of its outputs and the media types in them."""
    return [[(o.output_type, sorted(o.get("data", ()))) for o in cell.outputs] for cell in code(notebook)]


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.long if p.stem[:2] in ("03", "06", "07") else ()) for p in NOTEBOOKS],
    ids=[path.stem for path in NOTEBOOKS],
)
def test_runs_from_top_to_bottom(path):
    """Raises for a cell that raises or writes to stderr, and for a widget without a still."""
    notebook = execute(path)
    assert kinds(clean(notebook)) == kinds(nbformat.read(path, as_version=4)), "execute it again: notebooks/execute.py"


@every
def test_carries_its_outputs_in_order(path):
    cells = code(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(o.output_type == "error" or o.get("name") == "stderr" for cell in cells for o in cell.outputs)
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) // 2


@every
def test_cells_are_short(path):
    for cell in code(nbformat.read(path, as_version=4)):
        assert len(cell.source.splitlines()) <= 15, cell.source


@every
def test_holds_no_control_characters(path):
    """Such as the vertical tab that a backslash and a v become, in a formula written as a plain Python string."""
    for cell in nbformat.read(path, as_version=4).cells:
        assert not re.search(r"[^\n -~\u00a0-\U0010ffff]", cell.source), cell.source


@every
def test_says_nothing_of_a_machine_or_a_moment(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == METADATA
    assert [cell.id for cell in notebook.cells] == [f"cell-{k:02}" for k in range(len(notebook.cells))]
    written = path.read_text(encoding="utf-8")
    clean(notebook)
    assert nbformat.writes(notebook) + "\n" == written
    text = "\n".join(
        str(o.get("text", "")) + str(o.get("data", {}).get("text/plain")) for c in code(notebook) for o in c.outputs
    )
    assert not re.search(r"/tmp/|/home/|/Users/|[A-Z]:\\", text)


@every
def test_links_lead_somewhere(path):
    text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in link:
            assert (FOLDER / link).exists(), link
