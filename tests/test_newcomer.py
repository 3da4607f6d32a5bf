"""A notebook of a newcomer: a kernel in a cell, launched, changed, launched again; an error in it names its line."""

import textwrap

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    """
    import torch
    from numba import cuda
    import workbench as wb
    FACTOR = 2
    x, y = torch.arange(4.0), torch.zeros(4)
    """,
    """
    @cuda.jit
    def scaled(x, y):
        i = cuda.grid(1)
        if i < x.size:
            y[i] = FACTOR * x[i]
    """,
    "wb.launch(scaled[1, 32], x, y); y.tolist()",
    "FACTOR = 5",
    "wb.launch(scaled[1, 32], x, y); y.tolist()",
    """
    @cuda.jit
    def scaled(x, y):
        i = cuda.grid(1)
        if i < x.size:
            y[i] = FACTOR + x[i]
    """,
    "wb.launch(scaled[1, 32], x, y); y.tolist()",
    """
    @cuda.jit
    def faulty(x, y):
        i = cuda.grid(1)
        if i < x.size:
            y[i] = x[i].nothing
    """,
    "wb.launch(faulty[1, 32], x, y)",
    """
    @cuda.jit
    def beyond(x, y):
        y[cuda.grid(1)] = x[cuda.grid(1)]
    """,
    "wb.launch(beyond[1, 32], x, y, sanitize=True)",
]

LAUNCHES = {2: "[0.0, 2.0, 4.0, 6.0]", 4: "[0.0, 5.0, 10.0, 15.0]", 6: "[5.0, 6.0, 7.0, 8.0]"}

ERRORS = {
    8: ("CompileError", "line 5, `y[i] = x[i].nothing`"),
    10: ("KernelFault", "line 3, `y[cuda.grid(1)] = x[cuda.grid(1)]`"),
}


@pytest.fixture(scope="module")
def executed():
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell).strip()) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    return notebook.cells


@pytest.mark.parametrize("cell", LAUNCHES)
def test_a_launch_sees_what_was_changed(executed, cell):
    (output,) = executed[cell].outputs
    assert output["data"]["text/plain"] == LAUNCHES[cell]


@pytest.mark.parametrize("cell", ERRORS)
def test_an_error_names_the_kernels_own_line(executed, cell):
    (output,) = executed[cell].outputs
    name, said = ERRORS[cell]
    assert output["ename"] == name
    assert said in output["evalue"]


def test_nothing_else_is_printed(executed):
    assert [k for k, cell in enumerate(executed) if cell.outputs] == sorted([*LAUNCHES, *ERRORS])
