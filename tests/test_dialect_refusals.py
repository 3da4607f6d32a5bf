"""What a CUDA kernel cannot contain, or the CPU executor does not cover: refused with its line and a sentence."""

import re

import numpy as np
import pytest
from dialect import kernel
from numba import cuda
from numba.cuda import cg, libdevice

import workbench as wb

CANNOT = "is not something that a CUDA kernel can do"

REFUSED = {
    "g = cg.this_grid()": r"`g = cg.this_grid\(\)`|does not cover cuda.cg.this_grid",
    "try:\n        a[0] = 1\n    except ZeroDivisionError:\n        pass": CANNOT,
    "with manager:\n        a[0] = 1": CANNOT,
    "b = [k for k in range(3)]": CANNOT,
    "b = {k: 1 for k in range(3)}": CANNOT,
    "b = sum(k for k in range(3))": CANNOT,
    "b = [1, 2]": CANNOT,
    "b = {1: 2}": CANNOT,
    "b = {1, 2}": CANNOT,
    "f = lambda x: x": CANNOT,
    "def f(x):\n        return x": CANNOT,
    "class C:\n        pass": CANNOT,
    "import os": CANNOT,
    "global b": CANNOT,
    "del a": CANNOT,
    "yield a": CANNOT,
    "return a": "a kernel returns nothing",
    "a[0] = missing": "'missing' is not defined",
    "a[0] = math.missing": "'math.missing' does not exist",
    "a[0] = cuda.missing()": "'cuda.missing' does not exist",
    "a[0] = math": "module 'math' is not a value",
    "a[0] = libdevice.j0(1.0)": "does not cover cuda.libdevice.j0",
    "a[0] = cuda.grid(a.ndim)": "takes the constant 1, 2 or 3",
    "a[0] = cuda.grid(4)": "takes the constant 1, 2 or 3",
    "s = cuda.shared.array(a.size, np.float32)": "must be a compile-time constant",
    "s = cuda.local.array(4)": "needs a shape and a dtype",
    "a[0] = cuda.shfl_sync(1)": "cuda.shfl_sync takes other arguments",
    "a[0] = math.gamma(a, 1)": "",
    "a.append(1)": "append",
    "a[0] = 'text'": "",
    "a[0] = np.linalg.norm(a)": "",
    "open('file')": "open",
}
"""The second line of a kernel, and what the refusal says of it."""


@pytest.mark.parametrize("code", REFUSED, ids=lambda code: code.split("\n")[0])
def test_a_statement_is_refused_with_its_line(code):
    text = f"def refused(a, n):\n    {code}\n"
    bad = kernel(text, cg=cg, libdevice=libdevice)
    with pytest.raises(wb.CompileError) as refusal:
        wb.launch(bad[1, 4], np.zeros(4), 3)
    said = str(refusal.value)
    assert said.startswith("refused")
    assert "line 2" in said
    assert re.search(REFUSED[code], said), said


def test_variable_arguments():
    bad = kernel("def refused(*arrays):\n    arrays[0][0] = 1\n")
    with pytest.raises(wb.CompileError, match=r"line 1: \*args and keyword-only parameters are not covered"):
        wb.launch(bad[1, 4], np.zeros(4))


def test_a_lambda():
    with pytest.raises(wb.CompileError, match=r"a lambda has no source|cannot be read"):
        wb.launch(cuda.jit(lambda a: None)[1, 4], np.zeros(4))


def test_an_element_type_that_kernels_do_not_have():
    text = "def refused(a):\n    a[0] = a[1]\n"
    with pytest.raises((wb.LaunchError, ValueError)):
        wb.launch(kernel(text)[1, 4], np.zeros(4, object))
