"""The exercises themselves: what they say of answers that are no answers, and that each has its answers tested."""

import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
import torch
from numba import cuda

import workbench as wb
from workbench.course import exercises
from workbench.course.exercises import ALL
from workbench.course.function_exercise import FunctionExercise
from workbench.course.kernel_exercise import Case, KernelExercise, unwritten
from workbench.course.value_exercise import ValueExercise
from workbench.course.values import Mistake


@cuda.jit
def shift_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + 10


@cuda.jit
def unguarded_kernel(x, out):
    i = cuda.grid(1)
    out[i] = x[i] + 10


@cuda.jit
def first_block_kernel(x, out):
    i = cuda.grid(1)
    if i < min(out.size, 256):
        out[i] = x[i] + 10


@cuda.jit
def one_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + 1


@cuda.jit
def empty_kernel(x, out):
    pass


@cuda.jit
def racing_kernel(x, out):
    i = cuda.threadIdx.x
    if i < out.size:
        out[i] = x[i] + 10


@cuda.jit
def in_place_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        x[i] += 10
        out[i] = x[i]


@cuda.jit
def three_kernel(x, y, out):
    pass


@cuda.jit(device=True)
def device_function(x):
    return x + 10


def broken_kernel():
    @cuda.jit
    def broken(x, out):
        out[0] = x.nothing

    return broken


SHIFT = KernelExercise(
    name="shift",
    task="Add 10 to each element of `x`.",
    case=lambda n: Case((torch.rand(n),), (unwritten(n),), wb.blocks(n), 256),
    reference=lambda x: x + 10,
    mistakes=(Mistake(lambda x: x + 1, "You added 1."),),
    also=(lambda kernel, case: "too slow" if kernel is slow_kernel else None,),
)


@cuda.jit
def slow_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + 10


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (unguarded_kernel, "out of bounds"),
        (first_block_kernel, "the first at [256]"),
        (one_kernel, "You added 1."),
        (empty_kernel, "no thread wrote"),
        (racing_kernel, "race"),
        (in_place_kernel, "the kernel writes into x, which is an input: read it, and write elsewhere"),
        (three_kernel, "should take 2 arguments, and takes 3: x, y, out"),
        (device_function, "should be a kernel"),
        (shift_kernel.py_func, "should be a kernel: a function under @cuda.jit"),
        (..., "the answer is a ellipsis"),
        (broken_kernel(), "nothing"),
        (slow_kernel, "too slow"),
    ],
)
def test_wrong_kernel(answer, words):
    verdict = SHIFT.check(answer)
    assert not verdict.passed
    assert words in str(verdict)


def test_right_kernel():
    verdict = SHIFT.check(shift_kernel)
    assert verdict.passed
    assert "n = 1, 31, 32, 33, 257, 1,000, 0" in str(verdict)
    assert "✓ shift: right" in verdict._repr_html_()


def shifted(x):
    out = torch.empty_like(x)
    wb.launch(shift_kernel[wb.blocks(x.numel()), 256], x, out)
    return out


FUNCTION = FunctionExercise(
    name="function",
    task="The same as a function.",
    inputs=lambda n: (torch.rand(n),),
    reference=lambda x: x + 10,
    gradient=False,
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x + 10, "no kernel was launched"),
        (lambda x: shifted(x)[:-1], "shape (0,) and should have (1,)"),
        (lambda x: shifted(x).tolist(), "returns a list"),
        (lambda x: shifted(x) + 1, "every element"),
        (lambda x: shifted(x, x), "it raises TypeError"),
        (7, "the answer is a int"),
    ],
)
def test_wrong_function(answer, words):
    verdict = FUNCTION.check(answer)
    assert not verdict.passed
    assert words in str(verdict)


def test_right_function():
    assert FUNCTION.check(shifted).passed


class RacingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return shifted(x)

    @staticmethod
    @wb.once_differentiable
    def backward(ctx, upstream):
        gradient = torch.empty_like(upstream)
        wb.launch(racing_kernel[2, 256], upstream.contiguous() - 10, gradient)
        return gradient


def test_a_race_in_a_backward():
    exercise = FunctionExercise(
        name="watched", task="", inputs=lambda n: (torch.rand(n).requires_grad_(),), reference=lambda x: x + 10
    )
    verdict = exercise.check(RacingBackward)
    assert not verdict.passed
    assert "write-write race" in str(verdict)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, 3, "block"), "2 of 3 are right; the first that is not is number 2, 3."),
        ((1, 2), "the answer is 3 values, in the order that they are asked for."),
        (1, "the answer is 3 values, in the order that they are asked for."),
    ],
)
def test_several_values(answer, said):
    exercise = ValueExercise(name="values", task="Which?", value=(1, 2, "block"), because="So it is.")
    assert exercise.check(answer).said == (said,)


@pytest.mark.parametrize(
    ("value", "right", "wrong"),
    [(0.3, 0.1 + 0.2, 0.3001), ("warp", " Warp", "block"), ((1, 2), [1, 2], (2, 1)), (4, 4, None)],
)
def test_value(value, right, wrong):
    exercise = ValueExercise(name="value", task="Which?", value=value, because="So it is.", mistakes={7: "Seven?"})
    assert exercise.check(right).said == ("So it is.",)
    assert not exercise.check(wrong).passed
    assert exercise.check(7).said == ("Seven?",)
    assert exercise.check(...).said == ("there is no answer yet.",)


def test_unknown_name():
    with pytest.raises(ValueError, match="there is no exercise 'hubr'; did you mean 'huber'"):
        wb.exercise("hubr")


def test_task_is_shown():
    assert "<code>" in wb.exercise("huber")._repr_html_()
    assert repr(wb.exercise("huber")).startswith("huber: ")


def test_names_are_unique():
    modules = [import_module(f"{exercises.__name__}.{module.name}") for module in iter_modules(exercises.__path__)]
    names = [one.name for module in modules for one in module.EXERCISES]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert sorted(names) == sorted(ALL)


def test_each_exercise_has_a_right_answer_and_three_wrong_ones():
    """Read as text, so that the answers' kernels are not compiled here."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_answers_*.py"))
    for name in ALL:
        assert len(re.findall(f'"{re.escape(name)}":', tests)) >= 2, name


def test_each_exercise_is_in_a_notebook():
    notebooks = (Path(__file__).parent.parent / "notebooks").glob("*.ipynb")
    text = "".join(path.read_text(encoding="utf-8") for path in notebooks)
    for name in ALL:
        assert f'wb.exercise(\\"{name}\\")' in text, name
