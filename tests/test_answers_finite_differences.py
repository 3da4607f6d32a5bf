"""The exercises on finite differences: predictions, and a kernel that differences its own element."""

from answers import tried
from numba import cuda

import workbench as wb


@cuda.jit(device=True)
def bump(x):
    return x / (1 + x * x)


@cuda.jit
def central(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (bump(x[i] + step[i]) - bump(x[i] - step[i])) / (2 * step[i])


@cuda.jit
def over_what_came_out(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        right, left = x[i] + step[i], x[i] - step[i]
        gradient[i] = (bump(right) - bump(left)) / (right - left)


@cuda.jit
def forward(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (bump(x[i] + step[i]) - bump(x[i])) / step[i]


@cuda.jit
def over_one_step(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (bump(x[i] + step[i]) - bump(x[i] - step[i])) / step[i]


@cuda.jit
def halved(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (bump(x[i] + step[i]) - bump(x[i] - step[i])) / 2


@cuda.jit
def unguarded(x, step, gradient):
    i = cuda.grid(1)
    gradient[i] = (bump(x[i] + step[i]) - bump(x[i] - step[i])) / (2 * step[i])


@cuda.jit
def moves_x(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        x[i] += step[i]
        right = bump(x[i])
        x[i] -= 2 * step[i]
        gradient[i] = (right - bump(x[i])) / (2 * step[i])


@cuda.jit
def step_of_element_0(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = (bump(x[i] + step[0]) - bump(x[i] - step[0])) / (2 * step[0])


@cuda.jit
def starter(x, step, gradient):
    i = cuda.grid(1)
    if i < gradient.size:
        gradient[i] = 0


RIGHT = {"step": 5e-3, "evaluations": 20, "central difference": central, "kink": 0.5}
WRONG = {
    "step": [
        (..., "there is no answer yet"),
        (1e-6, "a tenth of the derivative"),
        (3e-4, "for a forward difference"),
        (1e-7, "one rounding or none"),
        (0.3, "cut off"),
    ],
    "evaluations": [
        (5120, "all rows can move in one evaluation"),
        (2, "share one softmax"),
        (10, "looks to both sides"),
        (21, "errors=False leaves that out"),
    ],
    "central difference": [
        (forward, "This is the forward difference"),
        (over_one_step, "you divide by one"),
        (halved, "do not divide by the step"),
        (unguarded, "out of bounds"),
        (moves_x, "writes into x"),
        (step_of_element_0, "the step of element 0 for all"),
        (starter, "it is 0 and should be"),
    ],
    "kink": [
        (0, "what torch's autograd says"),
        (1.0, "looks to the right alone"),
        ("none", "it is not 'none'"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)


def test_the_distance_as_it_came_out_is_as_good():
    assert wb.exercise("central difference").check(over_what_came_out).passed
