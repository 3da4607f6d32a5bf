"""The twelve examples of the documents that this project grew out of: as printed, as they are here, and how exact.

``python benchmarks/documents.py`` runs each example as printed (tests/printed_examples.py), audits each mistake in it
and each loss and pattern that does it right, and measures these in float64 against truths to 40 digits
(exact_values.py), beside torch. Then it compares the two ways of summing the squared distance. It prints Markdown.
"""

from __future__ import annotations

import functools
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import exact_values
import numba
import torch
from cpu_executor import markdown, on_threads, processor
from printed_examples import MISTAKES, TWELVE, outcome
from tqdm import tqdm

import workbench as wb
from workbench import losses, patterns
from workbench.bench import duration
from workbench.gradients.audit import GradientAudit
from workbench.patterns import Pattern

CPU = torch.device("cpu")


def deterministic() -> Pattern:
    of = losses.ALL["squared_distance"]
    function = functools.partial(of.function, deterministic=True)
    return Pattern("squared_distance, deterministic", of.summary, function, of.reference, of.example)


def by_differences() -> Pattern:
    """The shape and the scale are constants, since differences give a gradient for the residuals alone."""
    of = losses.ALL["adaptive_robust"]

    def example(device: torch.device) -> tuple[torch.Tensor, ...]:
        x, *constants = of.example(device)
        return x, *(constant.detach() for constant in constants)

    function = functools.partial(of.function, by_differences=True)
    return Pattern("adaptive_robust, by differences", of.summary, function, of.reference, example)


HERE = losses.ALL | patterns.ALL | {made.name: made for made in (deterministic(), by_differences())}


@dataclass(frozen=True)
class Measured:
    """The audit of a loss or pattern, and worst errors in ulps, its own and torch's, as (value, gradient)."""

    audit: GradientAudit
    own64: tuple[float, float]
    torch64: tuple[float, float]
    own32: tuple[float, float]
    torch32: tuple[float, float]


def measure(name: str) -> Measured:
    subject = HERE[name]
    inputs = subject.example(CPU)
    audit = wb.audit(subject.function, *inputs, reference=subject.reference, name=name)
    own64, torch64 = exact_values.errors(name, inputs, [subject.function, subject.reference])
    own32, torch32 = [], []
    for kind in (False, True):
        checks = [c for c in audit.checks if c.question.endswith("float32, against torch")]
        checks = [c for c in checks if c.question.startswith("gradient") == kind]
        own32.append(max(check.error for check in checks))
        torch32.append(max(check.reference_error for check in checks))
    return Measured(audit, own64, torch64, tuple(own32), tuple(torch32))


def verdict(name: str, audit: GradientAudit, dtype: str) -> str:
    """What the audit says in one precision; the questions that name none are asked in float64."""
    other = {"float64": "float32", "float32": "float64"}[dtype]
    checks = [c for c in audit.checks if other not in c.question and (dtype == "float64" or dtype in c.question)]
    wrong = [check.question for check in checks if check.verdict == "wrong"]
    unclear = [check.question for check in checks if check.verdict == "unclear"]
    if getattr(HERE[name], "stand_in", False) and HERE[name].is_as_claimed(audit):
        return (
            "right, for what it claims; not the derivative, say differences" if wrong else "right, for what it claims"
        )
    if wrong:
        return f"wrong: {'; '.join(wrong)}"
    return f"unclear: {'; '.join(unclear)}" if unclear else "right"


def beside(own: float, theirs: float) -> str:
    return f"{own:.2g} ({theirs:.2g})"


def exactness(measured: dict[str, Measured]) -> Iterator[list[str]]:
    for of, example in TWELVE.items():
        for k, name in enumerate(example.here):
            m = measured[name]
            verdicts = [verdict(name, m.audit, dtype) for dtype in ("float64", "float32")]
            pairs = [(m.own64, m.torch64), (m.own32, m.torch32)]
            errors = [beside(own[kind], theirs[kind]) for own, theirs in pairs for kind in (0, 1)]
            yield [of if k == 0 else "", f"`{name}`", *verdicts, *errors]


def as_printed() -> Iterator[list[str]]:
    for of, example in TWELVE.items():
        found = outcome(example)
        does = f"{found.kind}: {found.told}" if found.told else found.kind
        yield [of, example.name, does, example.fault, ", ".join(f"`{name}`" for name in example.here)]


def mistakes() -> Iterator[list[str]]:
    for name, mistake in MISTAKES.items():
        audit = wb.audit(mistake.function, *mistake.inputs, reference=mistake.reference)
        count = f"{len(audit.wrong)} of {len(audit.checks)}"
        at_these_inputs = [note for note in audit.table.notes if not note.startswith("sizes")]
        yield [mistake.of, name, count, "<br>".join(at_these_inputs[:2])]


N = 1 << 20
RUNS = 1000


def two_sums() -> Iterator[list[str]]:
    """The squared distance of 1,048,576 float32 elements with atomics, and with partial sums in a fixed order."""
    x, y = torch.randn(2, N, generator=torch.Generator().manual_seed(0))
    true = float(losses.references.squared_distance(x.double(), y.double(), "sum"))
    ulp = torch.finfo(torch.float32).eps * true
    ways = {"with atomics": False, "deterministic": True}

    def sums(fixed: bool, workers: int) -> Callable[[], float]:
        return on_threads(workers, lambda: float(losses.squared_distance(x, y, "sum", deterministic=fixed)))

    for workers in (1, 2):
        calls = {way: sums(fixed, workers) for way, fixed in ways.items()}
        timings = wb.bench(calls, rounds=RUNS)
        for way, call in calls.items():
            values = [call() for _ in range(RUNS)]
            error = max(abs(value - true) for value in values) / ulp
            spread = (max(values) - min(values)) / ulp
            yield [
                f"{way}, {workers} worker{'s' if workers > 1 else ''}",
                f"{len(set(values))}",
                f"{spread:.2g} ulp",
                f"{error:.2g} ulp",
                duration(timings[way].least),
                f"{timings.ratio(way, 'with atomics'):.2f}",
            ]


def main() -> None:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numba {numba.__version__}"
    print(f"# The twelve examples of the documents, {date.today()}\n\n{processor()}; {versions}.\n")
    count = Counter(outcome(example).kind for example in TWELVE.values())
    print("## As printed, and what does it here\n")
    print(
        f"Of the twelve, {count['cannot run']} cannot run, {count['crashes']} crash, {count['silently wrong']} are "
        f"silently wrong and {count['right']} are right.\n"
    )
    print(markdown(["example", "what it is", "as printed", "why", "here"], list(as_printed()), texts=5))
    names = [name for example in TWELVE.values() for name in example.here]
    measured = {name: measure(name) for name in tqdm(names, desc="audits and truths")}
    print(
        "\n## How exact they are here\n\n"
        "The verdict of the audit on the CPU executor, and the worst error of any element of the value and of the "
        "gradients in ulps, torch's own after it in parentheses. The unit is an ulp of the element, or of the root "
        "mean square of the whole tensor where that is larger. In float64 the truth has 40 digits; in float32 it is "
        "torch in float64. The audit's other questions, of memory, sizes and repetition, are asked in float64.\n"
    )
    columns = ["example", "here", "audit, float64", "audit, float32", "value, float64", "gradient, float64"]
    print(markdown([*columns, "value, float32", "gradient, float32"], list(exactness(measured)), texts=4))
    print(
        "\nA gradient by differences is there to be compared with: it keeps about two thirds of the digits, and "
        "the audit, which holds a gradient to its last digits, says so.\n\n"
        "## The mistakes, handed to the audit\n\n"
        "Each in the form in which it occurs: how many of the audit's answers are wrong, and its first two sentences "
        "about these inputs. The weights of the first example of 001 are tried with three samples and three classes; "
        "with more samples the function itself raises what is told above, and the audit passes it on.\n"
    )
    print(markdown(["example", "mistake", "answers wrong", "it says"], list(mistakes()), texts=4))
    print(
        f"\n## The squared distance in two ways\n\nOf {N:,} float32 elements, each way called {RUNS:,} times, in turns:"
        " with one atomic addition a block, and in two stages of a fixed order. An ulp is that of the sum.\n"
    )
    columns = ["", "different results", "from least to most", "worst error", "least time", "over atomics"]
    print(markdown(columns, list(two_sums())))


if __name__ == "__main__":
    main()
