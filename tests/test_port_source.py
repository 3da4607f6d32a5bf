"""The Python of a port: what is reached by name, as its author wrote it, and no workbench or Numba."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import ported_losses
import pytest
import torch
from numba import types

from workbench import losses, numba_cuda, patterns
from workbench.porting.bundle import Bundle
from workbench.porting.subject import named
from workbench.porting.translation import translate

ALL = {**losses.ALL, **patterns.ALL}


def bundled(function, kernels=lambda kernel: numba_cuda.python_function(kernel).__name__):
    found = named(function)
    bundle = Bundle(found.module, kernels, ("launch", "kernels", "operators"))
    bundle.add(found.module, found.name)
    return bundle.files()


def imports(text):
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", ALL)
def test_every_loss_and_pattern_stands_alone(name):
    for text in bundled(ALL[name].function).values():
        assert imports(text) <= {
            ".",
            "torch",
            "math",
            "numpy",
            "functools",
            "fractions",
            "typing",
            "collections",
            "__future__",
        }
        assert "cuda.jit" not in text
        undefined = ast.parse(text)
        compile(undefined, "ported", "exec")


def test_what_is_carried():
    files = bundled(ported_losses.summed)
    assert set(files) == {"ported_losses.py", "arguments.py"}
    text = files["ported_losses.py"]
    assert text.startswith('"""Losses to port')
    assert (
        '# How many threads a block has.\nBLOCK = 64\n"""A constant with a comment above it and a text below."""'
        in text
    )
    assert (
        "from . import launch as wb\nfrom .arguments import reduced\nfrom .kernels import elementwise_kernel\n" in text
    )
    assert "wb.launch(kernel[blocks(x.numel(), BLOCK), BLOCK], x.reshape(-1), out.view(-1))  # flat" in text
    assert "    from .launch import blocks\n" in text
    for left in ("UNUSED", "made_for", "references", "copy_kernel", "numba"):
        assert left not in text
    assert "def reduced" in files["arguments.py"]
    assert "check_floating" not in files["arguments.py"]


def test_a_table_of_kernels_is_written_out():
    text = bundled(ported_losses.half_square)["ported_losses.py"]
    scope = {"torch": torch, "elementwise_kernel": "kernel", "Pair": ported_losses.Pair}
    table = next(
        node for node in ast.parse(text).body if isinstance(node, ast.Assign) and node.targets[0].id == "TABLE"
    )
    exec(compile(ast.Module([table], []), "table", "exec"), scope)
    row = (ported_losses.Pair("kernel", "kernel"), "kernel")
    assert scope["TABLE"] == {torch.float32: row, torch.float64: row}


def test_names_are_followed_through_a_package_that_passes_them_on():
    files = bundled(ported_losses.through_modules)
    assert "from .squared_error import squared_error as squared_errors" in files["ported_losses.py"]
    assert "def squared_error(" in files["squared_error.py"]


def test_the_prototype_is_carried_as_it_is():
    files = bundled(ported_losses.half_square, None)
    text = files["ported_losses.py"]
    for kept in ("from numba import cuda, float32, float64", "import workbench as wb", "@cuda.jit(device=True)"):
        assert kept in text
    assert "TABLE = {torch.float32: made_for(float32), torch.float64: made_for(float64)}" in text


def test_the_decorator_that_refuses_second_derivatives_goes_along():
    files = bundled(ported_losses.Marked)
    assert set(files) == {"ported_losses.py", "second_derivatives.py"}
    text = files["ported_losses.py"]
    assert "from . import launch as wb, second_derivatives\n" in text
    assert "    @second_derivatives.once_differentiable\n    def backward" in text
    assert "def once_differentiable(" in files["second_derivatives.py"]
    by_name = bundled(ported_losses.MarkedByName)["ported_losses.py"]
    assert "from .second_derivatives import once_differentiable\n" in by_name


def test_modules_of_one_name_stay_apart():
    files = bundled(patterns.ALL["activation_vjp"].function)
    bundle = Bundle("workbench", None)
    bundle.add("workbench.losses.references", "squared_error")
    bundle.add("workbench.patterns.references", "activation")
    assert set(bundle.files()) == {"references.py", "patterns_references.py"}
    assert "references.py" in files


def test_the_readme_shows_a_kernel_and_what_becomes_of_it():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    section = readme.split("## From Python to CUDA C++")[1]
    python, cpp = (re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1] for language in ("python", "cpp"))
    source = inspect.getsource(importlib.import_module("workbench.losses.squared_error"))
    for part in python.strip().split("\n\n\n"):
        assert part in source
    array = types.Array(types.float32, 1, "A")
    translation = translate(losses.squared_error.__globals__["squared_error_kernel"], (array,) * 3)
    assert cpp == "\n".join([*(source for _, source in translation.devices), translation.source])
