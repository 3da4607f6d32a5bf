"""The exercises of the notebook on speed: out of float64, side by side, and bytes counted."""

import math

from answers import tried
from numba import cuda, float32


@cuda.jit
def in_float32(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = float32(0)
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(float32(1) + d * d)
        loss[i] = total / float32(x.shape[1])


@cuda.jit
def by_log1p(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = float32(0)
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log1p(d * d)
        loss[i] = total / float32(x.shape[1])


@cuda.jit
def as_given(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = 0.0
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(1.0 + d * d)
        loss[i] = total / x.shape[1]


@cuda.jit
def rounded_at_the_end(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = 0.0
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(float32(1) + d * d)
        loss[i] = float32(total) / float32(x.shape[1])


@cuda.jit
def divided_by_an_integer(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = float32(0)
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(float32(1) + d * d)
        loss[i] = total / x.shape[1]


@cuda.jit
def integers(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = 0
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(1 + d * d)
        loss[i] = total / float32(x.shape[1])


@cuda.jit
def sum_of_the_row(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        total = float32(0)
        for k in range(x.shape[1]):
            d = x[i, k] - y[i, k]
            total += math.log(float32(1) + d * d)
        loss[i] = total


@cuda.jit
def along_columns(x, factor, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = factor[j] * x[i, j]


@cuda.jit
def by_number(x, factor, out):
    i = cuda.threadIdx.y + cuda.blockIdx.y * cuda.blockDim.y
    j = cuda.threadIdx.x + cuda.blockIdx.x * cuda.blockDim.x
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = factor[j] * x[i, j]


@cuda.jit
def along_rows(x, factor, out):
    i, j = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = factor[j] * x[i, j]


@cuda.jit
def everything_exchanged(x, factor, out):
    i, j = cuda.grid(2)
    if i < out.shape[1] and j < out.shape[0]:
        out[j, i] = factor[j] * x[j, i]


@cuda.jit
def guard_left_behind(x, factor, out):
    j, i = cuda.grid(2)
    if j < out.shape[0] and i < out.shape[1]:
        out[i, j] = factor[j] * x[i, j]


@cuda.jit
def guard_for_columns_alone(x, factor, out):
    j, i = cuda.grid(2)
    if j < out.shape[1]:
        out[i, j] = factor[j] * x[i, j]


@cuda.jit
def factors_of_rows(x, factor, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = factor[i] * x[i, j]


RIGHT = {
    "one precision": in_float32,
    "neighbours": along_columns,
    "bytes moved": 4 * (4096 * 1024 + 1024 + 4096 * 1024),
}
WRONG = {
    "one precision": [
        (as_given, "part of the kernel computes in float64:"),
        (rounded_at_the_end, "0.0 is a float64, as every Python float; write total = float32(0.0)"),
        (divided_by_an_integer, "write total / float32(x.shape[1])"),
        (integers, "float64"),
        (sum_of_the_row, "that is the sum over each row; its mean is asked for"),
    ],
    "neighbours": [
        (along_rows, "is strided by 103, along dimension 0 of x: 32 sectors for a warp"),
        (factors_of_rows, "each row is scaled by its factor"),
        (everything_exchanged, "each row is scaled by its factor; it is the columns that have one each"),
        (guard_left_behind, "outside"),
        (guard_for_columns_alone, "outside"),
    ],
    "bytes moved": [
        (None, "there is no answer yet"),
        (4096 * 1024 * 4, "out has to be written, too, and the bias read"),
        (4 * (4096 * 1024 + 1024), "out has to be written, too."),
        (4 * 3 * 4096 * 1024, "after its first use it need not come again"),
        (2 * 4096 * 1024 + 1024, "those are elements; each has 4 bytes"),
        (33e6, "it is not 33000000.0"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)
test_another_right_answer, _ = tried({"one precision": by_log1p, "neighbours": by_number}, {})
