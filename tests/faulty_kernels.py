"""Kernels that no executor, or not the CPU's, can run. Each takes an input x and an output y."""

import inspect

from numba import cuda


def line_of(kernel, code):
    """The line number in this file of the one line of the kernel that holds the code."""
    lines, first = inspect.getsourcelines(kernel.py_func)
    (found,) = [first + i for i, line in enumerate(lines) if code in line]
    return found


@cuda.jit
def grid_barrier(x, y):
    grid = cuda.cg.this_grid()
    grid.sync()
    y[0] = x[0]


@cuda.jit
def text(x, y):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i] + "one"


@cuda.jit(device=True)
def faulty_device_function(x):
    doubled = x + x
    return doubled.nothing


@cuda.jit
def calls_faulty(x, y):
    y[0] = faulty_device_function(x[0])


@cuda.jit
def undefined(x, y):
    y[0] = no_such_function(x[0])  # noqa: F821


@cuda.jit
def undefined_attribute(x, y):
    y[0] = inspect.no_such_function(x[0])


@cuda.jit
def with_statement(x, y):
    y[0] = 1
    with x:
        y[0] = 2


@cuda.jit
def try_statement(x, y):
    try:
        y[0] = 1
    except ValueError:
        y[0] = 2


@cuda.jit
def list_comprehension(x, y):
    y[0] = sum([2 * k for k in range(3)])


@cuda.jit
def variable_arguments(x, *outputs):
    outputs[0][0] = x[0]


@cuda.jit(device=True)
def endless_device_function(x):
    return endless_device_function(x)


@cuda.jit
def recursion(x, y):
    y[0] = endless_device_function(x[0])


@cuda.jit
def returns_a_value(x, y):
    y[0] = 1
    return x[0]


@cuda.jit
def generator(x, y):
    y[0] = 1
    yield x[0]


def _without_source():
    space = {}
    exec("def without_source(x, y):\n    y[0] = x[0]\n", space)
    return cuda.jit(space["without_source"])


without_source = _without_source()
