"""graphacct diff, as a user types it."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.render.diff import sheet

SIZES = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A model, and the same with a wider network."""
    paths = []
    for name, more in (("old", {}), ("new", {"n_inner": 4096})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**SIZES, **more}))
        paths.append(str(path))
    return paths[0], paths[1]


def test_json_is_the_contract(run: Any, pair: tuple[str, str]) -> None:
    result = run("diff", *pair, "--seq-len", "64", "--format", "json", "--fail-if", "flops > 50%")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["schema"]) == (0, "graphacct.diff/1")
    assert (found["added"], found["removed"], found["unchanged"]) == ([], [], 22)
    assert [entry["path"].removeprefix("transformer.h.*.mlp.") for entry in found["changed"]] == [
        "c_fc",
        "act",
        "c_proj",
    ]
    first = found["changed"][0]
    assert (first["operator"], first["differs"]) == ("linear_in_out", ["shapes", "cost"])
    assert first["a"]["params"] == 12 * (768 * 3072 + 3072)
    assert first["b"]["params"] == 12 * (768 * 4096 + 4096)
    assert first["b"]["shapes"] == [
        {
            "operator": "linear_in_out",
            "inputs": [[1, 64, 768], [768, 4096], [4096]],
            "outputs": [[1, 64, 4096]],
            "repeat": 12,
        }
    ]
    assert found["total"]["params"] == {"a": 124_439_808, "b": 143_326_464, "difference": 18_886_656}
    assert found["fail_if"] == [{"condition": "flops > 50%", "holds": False}]
    again = graphacct.diff(*pair, seq_len=64, fail_if=["flops > 50%"])
    assert found == again.to_dict()


def test_the_table_folds_what_does_not_differ(run: Any, pair: tuple[str, str]) -> None:
    text = run("diff", *pair, "--seq-len", "64", "--quantity", "params").stdout
    assert "c_fc" in text
    assert "+9.45 M   +33.33 %" in text  # 12 · (768 + 1) · 1,024
    assert "attn" not in text
    assert "3 changed; 22 unchanged, not shown" in text
    shallow = run("diff", *pair, "--seq-len", "64", "--depth", "1").stdout
    assert "c_fc" not in shallow
    assert run("diff", *pair, "--seq-len", "64", "--format", "markdown").stdout.startswith(
        "**old (A), new (B): FLOPs**"
    )


def test_views_of_more_layers_are_counted() -> None:
    """A view costs nothing, and of more layers there are more of them: nobody asks which, unless for a depth."""
    models = [{**SIZES, "n_layer": layers} for layers in (12, 14)]
    found = graphacct.diff(*models, seq_len=8)
    table = str(found)
    assert "19 changed; 6 unchanged, not shown" in table
    assert "9 of the changed cost nothing in either and are not shown; give a depth to list each" in table
    assert "k_heads" not in table
    assert len(found.to_dict()["changed"]) == 19
    assert any("k_heads" in line.cells for line in sheet(found, depth=4).lines)


def test_csv_has_a_row_for_each_path(run: Any, pair: tuple[str, str]) -> None:
    rows = [*csv.DictReader(StringIO(run("diff", *pair, "--seq-len", "64", "--format", "csv").stdout))]
    assert [row["change"] for row in rows] == ["changed"] * 3
    assert sum(int(row["params_difference"]) for row in rows) == 18_886_656
    assert (rows[0]["model_a"], rows[0]["model_b"]) == ("old", "new")
    same = run("diff", "gpt2", "gpt2", "--seq-len", "64", "--format", "csv").stdout
    assert same.splitlines()[0].startswith("change,path,")
    assert len(same.splitlines()) == 1


def test_a_condition_that_holds_fails(run: Any, pair: tuple[str, str]) -> None:
    """Every one that holds is said, with the figures; the diff is printed all the same."""
    conditions = ("--fail-if", "params > 10%", "--fail-if", "params > 1e9", "--fail-if", "params > 18e6")
    result = run("diff", *pair, "--seq-len", "64", *conditions)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "graphacct: params > 10% holds: params 124,439,808 in A, 143,326,464 in B: +18,886,656 (+15.18 %)",
        "graphacct: params > 18e6 holds: params 124,439,808 in A, 143,326,464 in B: +18,886,656 (+15.18 %)",
    ]
    assert "Total" in result.stdout
    assert run("diff", *pair, "--seq-len", "64", "--fail-if", "params > 20%").exit_code == 0


def test_mistakes_are_said(run: Any, pair: tuple[str, str], tmp_path: Path) -> None:
    cases = {
        ("--quantity", "flop"): "unknown quantity 'flop'; did you mean 'flops'?",
        ("--fail-if", "flop > 3%"): "unknown quantity 'flop'; did you mean 'flops'?",
        ("--fail-if", "flops > 3% + 1"): "a percentage beside a plain number",
        ("--fail-if", "peak_bytes > 1GiB"): "peak_bytes exists only in phase train: add --phase train",
        ("--depth", "0"): "depth must be at least 1",
    }
    for options, words in cases.items():
        result = run("diff", *pair, "--seq-len", "64", *options)
        assert result.exit_code == 1
        assert words in result.stderr
    missing = run("diff", pair[0], str(tmp_path / "none.json"))
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "none.json' (of B)" in missing.stderr
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert "broken.json" in run("diff", str(broken), pair[1]).stderr
    assert run("diff", "gpt2").exit_code == 2
    assert "give --seq-len for both" in run("diff", "gpt2", "llama-3-8b").stderr


def test_a_picture_by_its_ending(run: Any, pair: tuple[str, str], tmp_path: Path) -> None:
    """Written in place of the table; conditions are said as ever; one picture is of one diff."""
    path = tmp_path / "diff.svg"
    result = run("diff", *pair, "--seq-len", "64", "--depth", "1", "-o", str(path), "--fail-if", "params > 0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "params > 0 holds" in result.stderr
    assert path.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    result = run("diff", *pair, "--since", "HEAD", "-o", str(path))
    assert (result.exit_code, "picture is of one diff: give one file" in result.stderr) == (2, True)
    assert run("diff", *pair, "--seq-len", "64", "-o", str(tmp_path / "a.xlsx")).exit_code == 2
