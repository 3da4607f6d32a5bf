"""Answers to the exercises of the course, tried: right ones, and wrong ones as readers give them."""

from __future__ import annotations

from typing import Any

import pytest
from everyday import everyday

import workbench as wb


def tried(right: dict[str, Any], wrong: dict[str, list[tuple[Any, str]]]) -> tuple:
    """Two tests: every right answer is found right, and each wrong one wrong, with the words beside it.

    Every day the right answers of every second exercise are tried, and all of them with the long tests.
    """

    @pytest.mark.parametrize("name", everyday(right, 2))
    def test_right_answer(name):
        verdict = wb.exercise(name).check(right[name])
        assert verdict.passed, verdict

    mistakes = [
        pytest.param(name, answer, words, id=f"{name}-{words}", marks=pytest.mark.long)
        for name, answers in wrong.items()
        for answer, words in answers
    ]

    @pytest.mark.parametrize(("name", "answer", "words"), mistakes)
    def test_wrong_answer(name, answer, words):
        verdict = wb.exercise(name).check(answer)
        assert not verdict.passed
        assert words in str(verdict)

    return test_right_answer, test_wrong_answer
