"""Tables in a terminal."""

from __future__ import annotations

from io import StringIO

import hostile
import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from graphacct import Builder, account
from graphacct.hooks.manager import default
from graphacct.render import table as tables
from graphacct.render.sheet import sheet
from graphacct.render.table import show, table


def test_a_table_as_it_is_printed(snapshot: SnapshotAssertion) -> None:
    """gpt2-xl at 1,024 tokens: a tree with repeated blocks once, shares as bars, totals and terms."""
    assert table(account("gpt2-xl", attention="eager", seq_len=1024), width=100) == snapshot


def test_str_of_a_report_is_its_table() -> None:
    """print(report) shows the table."""
    report = account("gpt2", attention="eager")
    assert str(report) == table(report)


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
def test_no_figure_is_cut(width: int) -> None:
    """However narrow the terminal, each figure stands whole on one line."""
    drawn = table(account("gpt2-xl", attention="eager"), width=width)
    for figure in ("1.56 B", "3.52 TFLOP", "100.00 %", "26.3 GB"):
        assert figure in drawn


def test_a_table_of_many_lines_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows 2,000 lines, here 200, and says how many more there are; the totals are those of all."""
    assert tables.MOST == 2000
    monkeypatch.setattr(tables, "MOST", 200)
    builder = Builder("long", default().operators)
    x = builder.input("x", (1, 8))
    for index in range(250):
        x = builder.apply("relu", x, name=f"act_{index}")
    drawn = table(account(builder.graph(x)), by="scope")
    assert "50 more lines are not shown: use a smaller depth, or the format csv or json" in drawn
    assert "act_199 " in drawn
    assert "act_200 " not in drawn
    assert "2.00 kFLOP" in drawn  # 250 nodes of 8 elements, 1 each


def test_names_are_shown_and_not_obeyed() -> None:
    """Escape sequences, newlines and rich's markup in names stay characters, in colour too."""
    report = hostile.report()
    drawn = table(report)
    assert hostile.harmless(drawn)
    assert "[red]no[/red] \\x1b[31m\\n" in drawn
    file = StringIO()
    show(sheet(report), Console(file=file, force_terminal=True, width=200, color_system="standard"))
    assert "[red]no[/red]" in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()
    assert "\u202e" not in file.getvalue()


@pytest.mark.parametrize(("width", "has_operators"), [(140, True), (120, True), (110, False), (104, False)])
def test_a_table_that_is_too_wide_loses_space_and_then_its_operators(width: int, has_operators: bool) -> None:
    """A training step has nine columns. Operators stand whole or not at all: no name is broken over two lines."""
    drawn = table(account("gpt2", batch=1, seq_len=64, phase="train", loss="sum"), width=width)
    _, rows, *_ = drawn.split("\n\n")
    assert max(map(len, rows.splitlines())) <= width
    assert ("Operator" in rows) is has_operators
    assert ("layer_norm" in rows) is has_operators
