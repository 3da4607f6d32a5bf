"""The exercises of the notebook on the forward kernel: a shift, a grid-stride loop, and two dimensions."""

from answers import tried
from numba import cuda

import workbench as wb


@cuda.jit
def shift(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i - 1] if i > 0 else 0


@cuda.jit
def shift_not(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i]


@cuda.jit
def shift_round(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i - 1]


@cuda.jit
def shift_without_first(x, out):
    i = cuda.grid(1)
    if 0 < i < out.size:
        out[i] = x[i - 1]


@cuda.jit
def shift_past_the_end(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i + 1]


@cuda.jit
def shift_left(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i + 1] if i + 1 < x.size else 0


@cuda.jit
def shift_in_a_block(x, out):
    i = cuda.threadIdx.x
    if i < out.size:
        out[i] = x[i - 1] if i > 0 else 0


@cuda.jit
def hinge(x, y, loss):
    for i in range(cuda.grid(1), loss.size, cuda.gridsize(1)):
        loss[i] = max(0, 1 - x[i] * y[i])


@cuda.jit
def hinge_in_shares(x, y, loss):
    share = (loss.size + cuda.gridsize(1) - 1) // cuda.gridsize(1)
    first = cuda.grid(1) * share
    for i in range(first, min(first + share, loss.size)):
        loss[i] = max(0, 1 - x[i] * y[i])


@cuda.jit
def hinge_of_one_each(x, y, loss):
    i = cuda.grid(1)
    if i < loss.size:
        loss[i] = max(0, 1 - x[i] * y[i])


@cuda.jit
def hinge_a_block_further(x, y, loss):
    for i in range(cuda.grid(1), loss.size, cuda.blockDim.x):
        loss[i] = max(0, 1 - x[i] * y[i])


@cuda.jit
def hinge_for_one_grid(x, y, loss):
    for i in range(cuda.grid(1), loss.size, 64):
        loss[i] = max(0, 1 - x[i] * y[i])


@cuda.jit
def hinge_below_zero(x, y, loss):
    for i in range(cuda.grid(1), loss.size, cuda.gridsize(1)):
        loss[i] = 1 - x[i] * y[i]


@cuda.jit
def pairs(x, y, out):
    column, row = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = x[row] - y[column]


@cuda.jit
def pairs_half_guarded(x, y, out):
    column, row = cuda.grid(2)
    if column < out.shape[1]:
        out[row, column] = x[row] - y[column]


@cuda.jit
def pairs_row_first(x, y, out):
    row, column = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = x[row] - y[column]


@cuda.jit
def pairs_other_sign(x, y, out):
    column, row = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = y[column] - x[row]


@cuda.jit
def pairs_of_x(x, y, out):
    column, row = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = x[row]


RIGHT = {"idle threads": 152, "shift": shift, "grid stride": hinge, "all pairs": pairs}
WRONG = {
    "idle threads": [(232, "the last block do"), (1152, "how many threads there are"), (24, "blocks of 256")],
    "shift": [
        (shift_not, "where it was"),
        (shift_round, "a negative index counts from the end"),
        (shift_without_first, "it has to write"),
        (shift_past_the_end, "out of bounds"),
        (shift_left, "to the other side"),
        (shift_in_a_block, "race"),
    ],
    "grid stride": [
        (hinge_of_one_each, "each took one"),
        (hinge_a_block_further, "race"),
        (hinge_for_one_grid, "block 2 writes element 64"),
        (hinge_below_zero, "never below 0"),
    ],
    "all pairs": [
        (pairs_half_guarded, "out of bounds"),
        (pairs_row_first, "`column, row = cuda.grid(2)`"),
        (pairs_other_sign, "the sign is flipped"),
        (pairs_of_x, "Subtract y[column]."),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)


def test_shares_are_an_answer_too():
    assert wb.exercise("grid stride").check(hinge_in_shares).passed
