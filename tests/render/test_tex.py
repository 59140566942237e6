"""A table in LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.render.tex import escaped, tex


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("q_proj ×2", r"q\_proj $\times$2"),
        ("100 % & more #1 $5 {a}", r"100 \% \& more \#1 \$5 \{a\}"),
        ("a\\b^2 ~ <0.01", r"a\textbackslash{}b\textasciicircum{}2 \textasciitilde{} $<$0.01"),
    ],
)
def test_what_latex_reads_is_escaped(text: str, shown: str) -> None:
    """Each character with a meaning."""
    assert escaped(text) == shown


def test_each_row_has_a_cell_for_each_column() -> None:
    """The rules of booktabs around the rows, the total below, notes in small print."""
    text = tex(graphacct.account("gpt2"), columns=["params", "flops", "share"])
    (columns,) = re.findall(r"\\begin{tabular}{@{}([lr]+)@{}}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert columns == "llrrr"
    assert {line.count(" & ") for line in rows} == {len(columns) - 1}
    assert rows[0] == r"Scope & Operator & Params & FLOPs & Share \\"
    assert rows[-1] == r"Total &  & 124 M & 293 GFLOP & 100.00 \% \\"
    assert text.count("rule\n") == 4
    assert r"\par\smallskip\noindent{\footnotesize convention exact; 25 of 25 nodes costed}" in text


@pytest.mark.parametrize(("name", "begin"), [("t.tex", r"% \usepackage{booktabs}"), ("t.html", "<div>")])
def test_the_ending_gives_the_format(tmp_path: Path, name: str, begin: str) -> None:
    """`graphacct report MODEL -o table.tex`, and `-o table.html`."""
    path = tmp_path / name
    result = CliRunner().invoke(cli, ["report", "gpt2", "-o", str(path)])
    assert result.exit_code == 0, result.output
    assert path.read_text(encoding="utf-8").startswith(begin)
