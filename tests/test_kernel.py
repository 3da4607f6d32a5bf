"""describe says which parameters a kernel writes; launch checks and counts the writes of those."""

import pytest
from faulty_kernels import without_source
from kernels import reverse
from numba import cuda

from workbench.kernel import describe


@cuda.jit(device=True)
def store(value, array, i):
    array[i] = value


@cuda.jit(device=True)
def store_indirectly(array, i, value):
    store(value, array, i)


@cuda.jit(device=True)
def element(array, i):
    return array[i]


@cuda.jit
def nothing(x, out):
    i = cuda.grid(1)
    y = x[i] + out[i]
    y += 1


@cuda.jit
def direct(x, out):
    out[0] = x[0]


@cuda.jit
def augmented(x, out):
    out[0] += x[0]


@cuda.jit
def several_targets(x, out):
    out[1], out[0] = x[0], x[1]


@cuda.jit
def slice_store(x, out):
    out[1:3] = x[0]


@cuda.jit
def both(x, out):
    out[0] = x[0]
    x[0] = 0.0


@cuda.jit
def in_a_branch(x, out):
    for i in range(3):
        if x[i] > 0:
            while out[i] > 0:
                out[i] -= 1


@cuda.jit
def row(x, out):
    y = out[0]
    z = y[1:]
    z[0] = x[0]


@cuda.jit
def transposed_view(x, out):
    y = out.T
    y[0, 0] = x[0]


@cuda.jit
def reshaped_view(x, out):
    y = out.reshape(out.size)
    y[0] = x[0]


@cuda.jit
def attribute(x, out):
    out[0].real = x[0]


@cuda.jit
def several_names(x, out):
    y, z = x, out
    z[0] = y[0]


@cuda.jit
def chained_names(x, out):
    y = z = out
    y[0] = z[1] + x[0]


@cuda.jit
def annotated_name(x, out):
    y: object = out
    y[0] = x[0]


@cuda.jit
def over_rows(x, out):
    for y in out:
        y[0] = x[0]


@cuda.jit
def one_of_two(x, out):
    y = out if x[0] > 0 else out[1:]
    y[0] = x[0]


@cuda.jit
def by_device_function(x, out):
    store(x[0], out, 0)


@cuda.jit
def by_nested_device_functions(x, out):
    store_indirectly(out[0], 1, x[0])


@cuda.jit
def by_keyword(x, out):
    store(value=x[0], array=out, i=0)


@cuda.jit
def view_by_device_function(x, out):
    y = element(out, 0)
    y[0] = x[0]


@cuda.jit
def read_by_device_function(x, out):
    out[0] = element(x, 0)


@cuda.jit
def by_atomic(x, out):
    cuda.atomic.add(out, 0, x[0])


@cuda.jit
def by_atomic_in_an_expression(x, out):
    y = 1 + cuda.atomic.max(out[0], 1, x[0])
    y += 1


OUT_ONLY = [
    direct, augmented, several_targets, slice_store, in_a_branch, row, transposed_view, reshaped_view, attribute,
    several_names, chained_names, annotated_name, over_rows, one_of_two, by_device_function,
    by_nested_device_functions, by_keyword, view_by_device_function, read_by_device_function, by_atomic,
    by_atomic_in_an_expression,
]  # fmt: skip


@pytest.mark.parametrize("kernel", OUT_ONLY, ids=lambda kernel: kernel.py_func.__name__)
def test_writes_out_and_not_x(kernel):
    assert describe(kernel).written == {"out"}


def test_writes_nothing():
    assert describe(nothing).written == set()


def test_writes_both():
    assert describe(both).written == {"x", "out"}


@cuda.jit
def scratch(x, out):
    y = cuda.local.array(3, x.dtype)
    n = x.shape[0]
    y[0] = x[n - 1]
    out[0] = y[0]


def test_shared_and_local_memory_are_no_parameters():
    assert describe(reverse).written == {"y"}
    assert describe(scratch).written == {"out"}


def test_without_source_nothing_is_known_to_be_written():
    assert describe(without_source).written == set()


@cuda.jit
def with_defaults(x, out, factor=2.0):
    out[0] = factor * x[0]


def test_name_parameters_and_defaults():
    kernel = describe(with_defaults)
    assert (kernel.name, kernel.parameters, kernel.required) == ("with_defaults", ("x", "out", "factor"), 2)


def test_a_kernel_is_read_once():
    assert describe(direct) is describe(direct)
