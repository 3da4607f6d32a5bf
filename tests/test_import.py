"""Importing workbench is cheap and silent: what needs a compiler, a plot or a notebook waits until it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import workbench as wb

IMPORT = """
import sys
import torch
import workbench
heavy = ("numba", "llvmlite", "matplotlib", "rich", "jupyter", "jupyterlab", "IPython", "ipywidgets", "sklearn",
         "sympy", "mpmath")
found = sorted({name.split(".")[0] for name in sys.modules} & set(heavy))
assert not found, found
assert not torch.cuda.is_initialized()
"""


def test_import_loads_little_and_says_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-W", "error", "-c", IMPORT], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", wb.__all__)
def test_every_public_name_resolves(name):
    assert getattr(wb, name) is not None


def test_another_name_does_not():
    with pytest.raises(AttributeError, match="no attribute 'lunch'"):
        _ = wb.lunch


TOOLS = ("bench", "gradients", "inspection", "porting", "plot")


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_know_nothing_of_each_other(tool):
    """But for types of data, in annotations, and the audit's own ``.plot()``."""
    home = Path(wb.__file__).parent / tool
    files = [path for path in home.rglob("*.py") if "templates" not in path.parts] or [home.with_suffix(".py")]
    known = {other for path in files for name in imported(path) for other in TOOLS if name[:2] == ["workbench", other]}
    assert known - {tool} == ({"plot"} if tool == "gradients" else set())


def imported(path):
    """The dotted names that a file imports when it runs, in a function or outside."""
    waiting = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}".split(".") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        waiting += ast.iter_child_nodes(node)
