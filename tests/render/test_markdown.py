"""Markdown."""

from __future__ import annotations

import re

import hostile
import partial
import pytest

from graphacct import account
from graphacct.render.markdown import markdown


@pytest.mark.parametrize("by", ["scope", "operator", "parameter"])
def test_every_row_has_the_cells_of_the_heading(by: str) -> None:
    """All rows of a table have as many cells as its heading, whatever is in a name."""
    for report in (account("gpt2", attention="eager"), hostile.report(), partial.report()):
        rows = [line for line in markdown(report, by).splitlines() if line.startswith("|")]
        assert len(rows) > 2
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_the_model_and_its_terms_stand_around_the_table() -> None:
    """The heading has the model and the workload, the last line the convention and the coverage."""
    text = markdown(account("gpt2-xl", attention="eager", seq_len=1024, convention="matmul"))
    assert text.startswith("**gpt2-xl**: batch 1, seq_len 1024, attention eager, dtype float32\n")
    assert text.endswith("convention matmul; 31 of 31 nodes costed\n")
    assert "| `transformer.h.*` ×48 |" in text
    assert "| **Total** |  | **1.56 B** | **3.51 TFLOP** |" in text  # 3,506,703,564,800 under matmul


def test_an_incomplete_report_says_so() -> None:
    """What is missing stands in bold below, and in the line of totals."""
    text = markdown(partial.report())
    assert "**Total (29 of 31 nodes)**" in text
    assert "**incomplete: 29 of 31 nodes costed" in text


def test_names_cannot_become_markup() -> None:
    """No name opens a tag, a link, a code span or a heading."""
    text = markdown(hostile.report())
    assert "<" not in text
    assert "&lt;script&gt;" in text
    assert "[red]" not in text
    assert "`*" not in text
    assert hostile.harmless(text)
