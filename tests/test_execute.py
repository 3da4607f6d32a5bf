"""The command that executes notebooks: what it leaves out of them, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbclient", reason="needs the lab or test extra")

FOLDER = Path(__file__).parent.parent / "notebooks"
sys.path.append(str(FOLDER))

from execute import METADATA, WIDGET, Refused, clean, execute  # noqa: E402


def notebook(folder, *cells, **metadata):
    """A notebook of these code cells, after one cell of text."""
    made = nbformat.v4.new_notebook(metadata=metadata)
    made.cells = [nbformat.v4.new_markdown_cell("text"), *map(nbformat.v4.new_code_cell, cells)]
    path = folder / "made.ipynb"
    nbformat.write(made, path)
    return path


NOISY = [
    "import tempfile, pathlib\nprint('a', flush=True)\nprint(object())\nprint('b')",
    "(lambda: 0).__code__.co_filename",
    "f'{tempfile.mkdtemp()}/x, {pathlib.Path.home()}/y, {pathlib.Path.cwd().name}'",
    "import ipywidgets, matplotlib.figure\nfrom workbench import plot\n"
    "plot.slider(lambda k: matplotlib.figure.Figure((k, 1)), k=[1, 2])",
]


def test_a_second_run_is_the_same_to_the_byte(tmp_path):
    path = notebook(tmp_path, *NOISY, kernelspec={"name": "python3", "display_name": "mine"}, widgets={"state": 1})
    runs = []
    for _ in range(2):
        nbformat.write(clean(execute(path)), path)
        runs.append(path.read_bytes())
    assert runs[0] == runs[1]
    done = nbformat.read(path, as_version=4)
    assert done.metadata == METADATA
    assert [cell.id for cell in done.cells] == [f"cell-{k:02}" for k in range(5)]
    assert all(cell.metadata == {} for cell in done.cells)
    printed, file, folders, slider = (cell.outputs for cell in done.cells[1:])
    assert [output.text for output in printed] == ["a\n<object object at 0x…>\nb\n"]
    assert file[0].data["text/plain"] == "'cell'"
    assert folders[0].data["text/plain"] == f"'temporary/x, ~/y, {tmp_path.name}'"
    assert sorted(slider[0].data) == ["image/png", "text/plain"]
    assert WIDGET not in path.read_text(encoding="utf-8")


def test_progress_bars_leave_nothing(tmp_path):
    bars = (
        "from tqdm.auto import tqdm\nfor _ in tqdm(range(3), leave=False): pass\nprint('done')",
        "with tqdm(bar_format='{desc} {elapsed}', leave=False): pass",
    )
    done = clean(execute(notebook(tmp_path, *bars)))
    assert [output.text for output in done.cells[1].outputs] == ["done\n"]
    assert done.cells[2].outputs == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x = 1\n1 / 0", r"made.ipynb: cell \[2\], which begins with `x = 1`,\n(.|\n)*ZeroDivisionError"),
        (
            "import sys\nprint('oh', file=sys.stderr)",
            r"cell \[2\], which begins with `import sys`, writes to stderr:\noh",
        ),
        ("import ipywidgets\nipywidgets.IntSlider()", r"cell \[2\], .* shows a widget without a still"),
    ],
)
def test_refusals_name_the_cell(tmp_path, cell, said):
    path = notebook(tmp_path, "import os", cell, "never = True")
    with pytest.raises(Refused, match=said):
        execute(path)


def test_the_command_knows_the_notebooks_by_how_they_begin():
    done = subprocess.run([sys.executable, FOLDER / "execute.py", "99"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no notebook begins with '99'; there are 00_start_here" in done.stderr
