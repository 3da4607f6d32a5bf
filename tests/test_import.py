"""Importing workbench is cheap and silent: what needs a compiler, a plot or a notebook waits until it is used."""

import subprocess
import sys

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
