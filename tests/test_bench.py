"""bench times functions in turns, the first call apart, and waits for a GPU that is in use."""

import torch

import workbench as wb


def test_functions_take_turns_after_a_first_call_each():
    called = []
    found = wb.bench({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, rounds=3)
    assert called == ["a", "b"] * 4
    assert [timing.name for timing in found.timings] == ["a", "b"]
    assert found["a"].least <= found["a"].median
    assert found.ratio("a", to="b") == found["a"].least / found["b"].least


def test_a_gpu_in_use_is_waited_for_whatever_the_inputs_are(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    wb.bench({"a": lambda: None}, rounds=2)
    assert len(waited) == 1 + 1 + 2  # what ran before, the first call, and each round
