"""A notebook that was run, read as a module: what was mended stands once, and lines are counted within their cell."""

import ast
import sys
from types import ModuleType

import pytest

from workbench.errors import PortError
from workbench.porting.bundle import Bundle
from workbench.porting.cells import Cells

RUN = [
    "",
    "import math",
    "def half(x):\n    return x / 3",
    "%matplotlib inline",
    "# how many\nTHREADS = 64\n\n\n@register\ndef _():\n    pass",
    "half(2.0)\n\n\ndef half(x):\n    return x / 2",
    "@register\ndef _():\n    return half(math.pi)",
]


def test_a_cell_that_was_mended_and_run_again_counts_once():
    tree = ast.parse(Cells(RUN).source)
    assert [ast.unparse(node) for node in tree.body if getattr(node, "name", "") == "half"] == [
        "def half(x):\n    return x / 2"
    ]
    assert sum(getattr(node, "name", "") == "_" for node in tree.body) == 2
    assert "matplotlib" not in Cells(RUN).source


@pytest.mark.parametrize(("text", "place"), [("import math", "In [1], line 1"), ("    return x / 2", "In [5], line 5")])
def test_a_place_is_a_cell_and_a_line_in_it(text, place):
    cells = Cells(RUN)
    assert cells.place(cells.source.splitlines().index(text) + 1) == place


def test_a_port_carries_what_the_last_run_defined_and_names_the_cell(monkeypatch):
    module = ModuleType("made_notebook")
    module.In = [*RUN[:4], RUN[5], "def asks():\n    return half(missing)"]
    module.missing = 3
    monkeypatch.setitem(sys.modules, "made_notebook", module)
    bundle = Bundle("made_notebook", None)
    bundle.add("made_notebook", "half")
    assert bundle.files() == {"made_notebook.py": "def half(x):\n    return x / 2\n"}
    with pytest.raises(PortError, match=r"^In \[5\], line 1 needs 'missing'"):
        bundle.add("made_notebook", "asks")
