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


@pytest.mark.parametrize("width", [20, 30, 60, 80, 120, 200])
def test_no_figure_is_cut(width: int) -> None:
    """However narrow the terminal, each figure stands whole on one line; a column without room goes, but for FLOPs."""
    drawn = table(account("gpt2-xl", attention="eager"), width=width)
    columns = {"Params": "1.56 B", "FLOPs": "3.52 TFLOP", "Share": "100.00 %", "Outputs": "26.3 GB"}
    shown, _, left_out = drawn.partition("no room in")
    assert "FLOPs" in shown
    for title, figure in columns.items():
        assert figure in shown if title in shown else title in left_out
    assert max(map(len, drawn.splitlines())) <= width


def test_a_table_of_many_lines_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows 2,000 lines, here 200, and says how many more there are; the totals are those of all."""
    assert tables.MOST == 2000
    monkeypatch.setattr(tables, "MOST", 200)
    builder = Builder("long", default().operators)
    x = builder.input("x", (1, 8))
    for index in range(250):
        x = builder.apply("relu", x, name=f"act_{index}")
    drawn = table(account(builder.graph(x)), by="scope", depth=1)
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


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (140, ""),
        (126, ""),
        (120, "Operator"),
        (100, "Operator, Update"),
        (80, "Operator, Input grad, Weight grad, Update"),
    ],
)
def test_a_table_that_is_too_wide_loses_space_and_then_columns(width: int, left_out: str) -> None:
    """A training step has nine columns; those that go are named. Long operators end in an ellipsis."""
    drawn = table(account("gpt2", batch=1, seq_len=64, phase="train", loss="sum"), width=width)
    _, rows, notes = drawn.split("\n\n", 2)
    assert max(map(len, drawn.splitlines())) <= width
    assert ("Operator" in rows) is ("Operator" not in left_out)
    assert ("layer_norm" in rows) is ("Operator" not in left_out)
    assert (f"no room in {width} characters for: {left_out}\n" in notes) is bool(left_out)


def test_chosen_columns_stay() -> None:
    """What was asked for is below the rest where it has no room beside it."""
    names = ["params", "flops", "activation_bytes", "read_bytes", "write_bytes", "macs"]
    drawn = table(account("gpt2", seq_len=64), columns=names, width=60)
    _, *blocks = drawn.split("\n\nScope")
    assert len(blocks) == 2
    assert all("transformer" in block for block in blocks)
    assert max(map(len, drawn.splitlines())) <= 60
