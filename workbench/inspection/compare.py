"""compare: what changed between two versions of a kernel, or from one architecture to another."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.inspection.report import CompileReport
from workbench.tables import Table


@dataclass(frozen=True)
class Change:
    """One figure of both reports; ``change`` is the second less the first, where both are numbers."""

    what: str
    first: str
    second: str
    change: float | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two reports beside each other: the figures that every kernel has, and the others that differ."""

    first: str
    second: str
    changes: tuple[Change, ...]

    def table(self) -> Table:
        rows = tuple((one.what, one.first, one.second, _signed(one.change)) for one in self.changes)
        return Table("What the compiler made of both", ("", self.first, self.second, "change"), rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def compare(report_a: CompileReport, report_b: CompileReport) -> Comparison:
    """Two versions of a kernel, or one kernel on two architectures, figure by figure, from the first to the second."""
    one, other = report_a, report_b
    changes = [
        _number("registers", one.resources.registers, other.resources.registers),
        _number("bytes spilled", one.resources.spills, other.resources.spills),
        _number("local memory, bytes", one.resources.local, other.resources.local),
        _number("shared memory, bytes", one.resources.shared, other.resources.shared),
        _occupancy(one, other),
        _number("instructions", sum(one.mix.values()), sum(other.mix.values())),
    ]
    for kind in dict.fromkeys([*one.mix, *other.mix]):
        changes += _differing(f"  {kind}", one.mix.get(kind, 0), other.mix.get(kind, 0))
    for kind in dict.fromkeys([*one.widths, *other.widths]):
        changes += _differing(f"  {kind}", one.widths.get(kind, 0), other.widths.get(kind, 0))
    changes.append(_number("float64 leaks", len(one.leaks), len(other.leaks)))
    if one.callees != other.callees:
        names = (", ".join(each.callees) or "none" for each in (one, other))
        changes.append(Change("calls in the machine code", *names, None))
    if one.compiler != other.compiler:
        changes.append(Change("compiler", one.compiler, other.compiler, None))
    return Comparison(*_titles(one, other), tuple(changes))


def _titles(one: CompileReport, other: CompileReport) -> tuple[str, str]:
    if one.name == other.name and one.architecture != other.architecture:
        return one.architecture, other.architecture
    if one.architecture == other.architecture and one.name != other.name:
        return one.name, other.name
    return f"{one.name}, {one.architecture}", f"{other.name}, {other.architecture}"


def _number(what: str, first: int, second: int) -> Change:
    return Change(what, f"{first:,}", f"{second:,}", second - first)


def _differing(what: str, first: int, second: int) -> list[Change]:
    return [_number(what, first, second)] if first != second else []


def _occupancy(one: CompileReport, other: CompileReport) -> Change:
    """At the block of the first report, or at 256 threads."""
    size = one.occupancies[0].block if one.block else 256
    first, second = (next((o for o in each.occupancies if o.block == size), None) for each in (one, other))
    if second is None:
        first, second = (next(o for o in each.occupancies if o.block == 256) for each in (one, other))
        size = 256
    what = f"warps, {size:,} threads a block"
    texts = (f"{each.warps} of {each.most_warps}" for each in (first, second))
    return Change(what, *texts, second.warps - first.warps)


def _signed(change: float | None) -> str:
    if change is None:
        return ""
    return f"{change:+,}" if change else "same"
