"""graphacct sweep, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphacct

GRID = ("gpt2", "--over", "n_layer=1:4", "--over", "d_model=96,100", "--seq-len", "8", "--keep", "params,flops")


def test_the_table_has_the_rows_and_what_became_of_other_points(run: Any) -> None:
    text = run("sweep", *GRID, "--where", "n_layer > 1").stdout
    assert "gpt2: 3 rows of 8 points" in text
    assert "1 point left out: the conditions" in text
    assert "4 points refused, the first at n_layer 1, d_model 100: n_embd / n_head: 100 is not divisible by" in text
    assert "5,146,848" in text, "12 · 2 · 96² + 13 · 2 · 96 + 2 · 96 + 51,281 · 96"


def test_rows_on_standard_output(run: Any) -> None:
    flops = graphacct.account("gpt2", seq_len=8, set={"n_layer": 1, "n_embd": 96}).total["flops"]
    result = run("sweep", *GRID, "--format", "csv")
    assert result.stdout.splitlines()[:2] == ["n_layer,d_model,params,flops", f"1,96,5035008,{flops}"]
    assert "4 points refused" in result.stderr
    found = json.loads(run("sweep", *GRID, "--format", "json", "--exact").stdout)
    assert found["axes"][1] == {"name": "d_model", "key": "n_embd", "values": "96, 100"}
    assert found["options"] == {"seq_len": 8}


def test_rows_in_a_file(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    result = run("sweep", *GRID, "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"4 rows of 8 points in {path}" in result.stderr
    assert len(path.read_text().splitlines()) == 5


def test_mistakes_are_said_with_dashes(run: Any) -> None:
    for arguments, status, says in (
        (("--strict",), 1, "'gpt2' refuses n_layer 1, d_model 100"),
        (("--over", "n_layer=3"), 2, "--over n_layer is given twice"),
        (("--set", "n_layer=3"), 1, "--over n_layer: n_layer is swept: leave it out of set"),
        (("--over", "seq_len=3"), 1, "seq_len is swept: leave --seq-len 8 out"),
        (("--over", "batch=1:1e18"), 1, "points, about "),
        (("-o", "rows.txt"), 1, "rows are written as .csv, .json or .parquet, not 'rows.txt'"),
    ):
        result = run("sweep", *GRID, *arguments)
        assert (result.exit_code, result.stdout) == (status, "")
        assert says in result.stderr


def test_another_spelling_of_a_texts_length_is_its_length(run: Any) -> None:
    """seqlen and seq_length are no number of positions: all parameters stay, 124,439,808."""
    for name in ("seqlen", "seq_length", "SeqLen"):
        result = run("sweep", "gpt2", "--over", f"{name}=256,512", "--keep", "params,flops", "--format", "csv")
        rows = result.stdout.splitlines()[1:]
        assert [row.split(",")[:2] for row in rows] == [["256", "124439808"], ["512", "124439808"]]
