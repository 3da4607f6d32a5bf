"""A table is text in a terminal and HTML in a notebook, with nothing of its cells read as markup."""

import pytest

from workbench.tables import Table


@pytest.fixture
def table():
    return Table("a <title>", ("question", "answer"), (("is [b] <b>?", "right"), ("and?", "wrong")), ("a & note",))


def test_text(table):
    lines = str(table).splitlines()
    assert lines[0].strip() == "a <title>"
    assert lines[-1] == "a & note"
    assert any(line.split() == ["is", "[b]", "<b>?", "✓", "right"] for line in lines)
    assert any(line.split() == ["and?", "✗", "WRONG"] for line in lines)
    assert lines == [line.rstrip() for line in lines]


def test_page(table):
    page = table._repr_html_()
    for text in (
        "a &lt;title&gt;",
        ">question</th>",
        ">is [b] &lt;b&gt;?</td>",
        ">✓ right</td>",
        "<p>a &amp; note</p>",
    ):
        assert text in page
    assert "<b>" not in page


def test_without_heads_there_is_no_head_row():
    table = Table("title", ("", ""), (("one", "two"),))
    assert "<thead>" not in table._repr_html_()
    assert [line.split() for line in str(table).splitlines() if line.strip()] == [["title"], ["one", "two"]]


def test_in_a_notebook_the_text_is_the_same_and_not_shown_by_itself(table, monkeypatch):
    shown = str(table)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel has it
    monkeypatch.setattr("rich.jupyter.display", lambda *_: pytest.fail("rich displays what was to be text"))
    assert str(table) == shown
