"""CSV."""

from __future__ import annotations

import csv as standard
from io import StringIO

import hostile
import partial
import pytest

from graphacct import Report, account
from graphacct.render.csv import csv, table

TERMS = ["model", "convention", "nodes_costed", "nodes_total", "workload"]


def read(report: Report, by: str) -> list[dict[str, str]]:
    """The rows of a report's CSV, as any reader sees them."""
    return list(standard.DictReader(StringIO(csv(report, by)), strict=True))


@pytest.mark.parametrize("by", ["scope", "operator", "parameter", "node"])
def test_each_row_carries_its_terms(by: str) -> None:
    """Model, convention, coverage and workload end every row."""
    rows = read(account("gpt2", attention="eager", convention="matmul"), by)
    assert rows
    for row in rows:
        assert list(row)[-5:] == TERMS
        assert [row[name] for name in TERMS[:4]] == ["gpt2", "matmul", "31", "31"]
        assert row["workload"] == "batch=1 seq_len=1024 attention=eager dtype=float32"


def test_figures_are_raw_integers() -> None:
    """Operators' parameters add up to 1,557,611,200, those of gpt2-xl, without any unit to strip."""
    rows = read(account("gpt2-xl", attention="eager"), "operator")
    assert sum(int(row["params"]) for row in rows) == 1_557_611_200
    tensors = read(account("gpt2-xl", attention="eager"), "parameter")
    assert tensors[0]["shape"] == "50257x1600"
    assert sum(int(row["params"]) for row in tensors) == 1_557_611_200


def test_what_is_missing_has_a_column() -> None:
    """Where nodes have no cost, every row says how many it lacks."""
    rows = {row["path"]: row for row in read(partial.report(), "scope")}
    assert rows["transformer"]["uncosted"] == "2"
    assert rows["lm_head"]["uncosted"] == "0"
    assert rows["lm_head"]["nodes_costed"] == "29"


def test_names_are_neither_formulas_nor_controls() -> None:
    """A spreadsheet takes no name for a formula, a terminal obeys none, and the rows stay rows."""
    report = hostile.report()
    for by in ("scope", "operator", "parameter", "node"):
        text = csv(report, by)
        assert hostile.harmless(text)
        cells = [cell for row in standard.reader(StringIO(text)) for cell in row]
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert "'-cmd|' /C calc'!A0" in [row["path"] for row in read(report, "scope")]


@pytest.mark.parametrize("name", ["=1+1", " =1+1", "  @x", "-1", "+1", "＝1+1", "＋1", "－1", "＠x", "﹣1"])
def test_a_spreadsheet_takes_no_cell_for_a_formula(name: str) -> None:
    """Nor behind blanks, in wide characters, or in a list of texts; a number and a shape stay what they are."""
    assert table([{"name": name, "both": [name, "x"]}]).splitlines()[1] == f"'{name},'{name} x"
    assert table([{"name": -1, "shape": [2, 3]}]).splitlines()[1] == "-1,2x3"


def test_a_control_character_in_front_is_an_escape() -> None:
    """A tab or a line's end would hide the formula behind it."""
    assert table([{"name": "\t=1+1"}]).splitlines()[1] == r"\t=1+1"
    assert table([{"name": "\r=1+1"}]).splitlines()[1] == r"\r=1+1"
