"""The documents that this project grew out of: what their examples do as printed, and what the audit says of each."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from printed_examples import MISTAKES, TWELVE, WEIGHT, X, Y, differenced, outcome

import workbench as wb
from workbench import losses, patterns

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "documents.md"

CANNOT_RUN = ("000, 1", "000, 2", "000, 3")

DOES = {
    "001, 1": ("crashes", "weight tensor should be defined either for all 3 classes"),
    "001, 2": ("right", ""),
    "001, 3": ("crashes", "grad can be implicitly created only for scalar outputs"),
    "002, 1": ("right", ""),
    "002, 2": ("crashes", "Trying to backward through the graph a second time"),
    "002, 3": ("crashes", "got [] but expected shape compatible with [5]"),
    "003, 1": ("silently wrong", "the gradient is off by"),
    "003, 2": ("right", ""),
    "003, 3": ("silently wrong", "the gradient is off by"),
}


def test_the_twelve_are_there():
    assert list(TWELVE) == [*CANNOT_RUN, *DOES]
    assert all(outcome(TWELVE[name]).kind == "cannot run" for name in CANNOT_RUN)


@pytest.mark.parametrize("name", DOES)
def test_what_each_does_as_printed(name):
    kind, told = DOES[name]
    found = outcome(TWELVE[name])
    assert found.kind == kind
    assert told in found.told


def test_each_that_crashes_or_is_silently_wrong_is_handed_to_the_audit():
    faulty = {name for name, (kind, _) in DOES.items() if kind != "right"}
    assert len(faulty) == 6
    assert {mistake.of for mistake in MISTAKES.values()} - set(CANNOT_RUN) == faulty


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_caught_and_told(mistake):
    audit = wb.audit(mistake.function, *mistake.inputs, reference=mistake.reference)
    assert not audit.passed
    said = " ".join(str(audit).split())
    for some in mistake.words:
        assert some in said


def test_how_wrong_differences_over_1e_6_are_in_float32():
    x, y = X.float().requires_grad_(), Y.float()
    truth = 2 * (x - y).detach()
    relative = (differenced(torch.ones(()), x.detach(), y) - truth).norm() / truth.norm()
    assert relative > 0.5


def test_more_samples_than_classes_is_what_the_function_itself_raises():
    logits, target = torch.zeros(9, 3), torch.tensor([2, 0, 2]).repeat(3)
    with pytest.raises(RuntimeError, match="weight tensor should be defined"):
        wb.audit(lambda z: F.cross_entropy(z, target, weight=WEIGHT[target]), logits)


def rows(title):
    """The cells of the committed table under this title, from the first row on."""
    part = RESULTS.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_table_says_what_each_does_as_printed_and_what_is_here():
    """But for the digits of an error, which depend on the processor."""
    table = rows("As printed, and what does it here")
    assert [row[0] for row in table] == list(TWELVE)
    for (_, what, does, why, here), example in zip(table, TWELVE.values(), strict=True):
        found = outcome(example)
        expected = f"{found.kind}: {found.told}" if found.told else found.kind
        assert re.sub(r"\d+ %", "", does) == re.sub(r"\d+ %", "", expected)
        assert (what, why) == (example.name, example.fault)
        assert tuple(re.findall("`(.*?)`", here)) == example.here


def test_the_table_holds_every_loss_and_pattern_and_says_which_is_not_right():
    table = {row[1].strip("`"): row[2:] for row in rows("How exact they are here")}
    assert list(table) == [name for example in TWELVE.values() for name in example.here]
    known = losses.ALL | patterns.ALL
    assert set(table) - set(known) == {"squared_distance, deterministic", "adaptive_robust, by differences"}
    assert set(known) <= set(table)
    for name, (float64, float32, *errors) in table.items():
        if getattr(known.get(name), "stand_in", False):
            assert float64.startswith("right, for what it claims; not the derivative")
        elif name == "adaptive_robust, by differences":
            assert float64.startswith("wrong: gradient by x, float64, against torch")
        else:
            assert (float64, float32) == ("right", "right")
            own, torchs = zip(*(re.fullmatch(r"(\S+) \((\S+)\)", error).groups() for error in errors), strict=True)
            assert all(float(mine) <= 4 * max(1.0, float(theirs)) for mine, theirs in zip(own, torchs, strict=True))


def test_the_table_holds_every_mistake():
    table = rows("The mistakes, handed to the audit")
    assert [(row[1], row[0]) for row in table] == [(name, mistake.of) for name, mistake in MISTAKES.items()]
    assert all(int(row[2].split(" of ")[0]) > 0 and row[3] for row in table)
