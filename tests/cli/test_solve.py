"""graphacct solve, as a user types it."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import graphacct

CROSSING = ("gpt2-xl", "--for", "seq_len", "--where", "flops(attention) == flops(mlp)", "--convention", "matmul")
WIDTH = ("gpt2-xl", "--for", "d_model", "--max", "--where", "params <= 1.5e9")


def test_json_is_the_contract(run: Any) -> None:
    found = json.loads(run("solve", *WIDTH, "--format", "json").stdout)
    assert (found["schema"], found["for"], found["key"]) == ("graphacct.solve/1", "d_model", "n_embd")
    assert (found["size"], found["at"]["size"], found["beside"]["size"]) == (1550, 1550, 1575)
    assert found["at"]["comparisons"] == [
        {
            "left": "params",
            "sign": "<=",
            "right": "1.5e9",
            "left_value": 1_464_295_850,
            "right_value": 1_500_000_000,
            "holds": True,
        }
    ]
    assert found == graphacct.solve("gpt2-xl", for_="d_model", max=True, where="params <= 1.5e9").to_dict()


def test_the_table_has_both_sides_at_both_sizes(run: Any) -> None:
    text = run("solve", *CROSSING).stdout
    lines = {line.split("  ")[0].strip(): line.split()[-2:] for line in text.splitlines() if line.strip()}
    assert lines["flops(attention)"] == ["6,288,507,187,200", "6,291,456,000,000"]
    assert lines["flops(mlp)"] == ["6,289,489,920,000", "6,291,456,000,000"]
    assert lines["difference"] == ["-982,732,800", "+0"]
    assert "3,200 is the smallest seq_len at which flops(attention) reaches flops(mlp), and they are equal" in text


def test_skipped_sizes_are_counted_and_named(run: Any) -> None:
    text = " ".join(run("solve", *WIDTH).stdout.split())
    assert "others that the model refuses skipped, as 1,551: n_embd / n_head: 1551 is not divisible by 25" in text
    assert "d_model is the model's n_embd" in text
    assert "1,550 is the largest d_model at which the conditions hold; at the next, 1,575, they do not" in text


def test_csv_has_a_row_for_each_comparison_and_size(run: Any) -> None:
    rows = [*csv.DictReader(StringIO(run("solve", *WIDTH, "--format", "csv").stdout))]
    assert [(row["size"], row["found"], row["left_value"], row["holds"]) for row in rows] == [
        ("1550", "true", "1464295850", "true"),
        ("1575", "false", "1510593525", "false"),
    ]


def test_mistakes_are_said(run: Any) -> None:
    result = run("solve", "gpt2", "--for", "batch", "--where", "params <= 1e9")
    assert result.exit_code == 1
    assert "ask for the largest (--max) or the smallest (--min)" in result.stderr
    assert run("solve", "gpt2", "--for", "batch").exit_code == 2
    nothing = run("solve", "gpt2", "--for", "batch", "--max", "--where", "peak_bytes <= 1MB", "--phase", "train")
    assert nothing.exit_code == 1
    assert "'gpt2' has no batch at which the conditions hold: at batch 1 peak_bytes (" in nothing.stderr
