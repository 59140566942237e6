"""graphacct formula, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphacct


def test_text_has_the_value_and_the_conditions(run: Any) -> None:
    lines = run("formula", "gpt2-xl", "--quantity", "params").stdout.splitlines()
    assert lines == [
        "gpt2-xl",
        "",
        "params = n_embd · (n_layer · (12 · n_embd + 13) + vocab_size + n_positions + 2)",
        "       = 1,557,611,200",
        "for n_head divides n_embd, n_embd > n_head",
        "",
        "with vocab_size 50,257, n_positions 1,024, n_embd 1,600, n_layer 48",
    ]


def test_json_is_the_contract(run: Any) -> None:
    found = json.loads(run("formula", "gpt2-xl", "mlp", "--by", "scope", "--format", "json").stdout)
    assert (found["schema"], found["model"], found["held"]) == ("graphacct.formula/1", "gpt2-xl", [])
    assert [formula["quantity"] for formula in found["formulas"]] == ["params", "flops"]
    params, flops = found["formulas"]
    assert params["text"] == "n_layer · n_embd · (8 · n_embd + 5)"
    assert (params["symbols"], params["value"]) == ({"n_embd": 1600, "n_layer": 48}, 983_424_000)
    assert params["path"] == "transformer.h.*.mlp"
    assert sum(part["value"] for part in flops["parts"]) == flops["value"]
    assert found == graphacct.formula("gpt2-xl", "mlp", by="scope").to_dict()


def test_the_ending_of_a_file_is_its_format(run: Any, tmp_path: Path) -> None:
    starts = {"tex": "% params of gpt2", "md": "**gpt2**", "py": "def params(", "json": "{", "txt": "gpt2\n"}
    for ending, start in starts.items():
        path = tmp_path / f"formula.{ending}"
        assert run("formula", "gpt2", "-o", str(path)).exit_code == 0
        assert path.read_text(encoding="utf-8").startswith(start)
    wrong = run("formula", "gpt2", "-o", str(tmp_path / "formula.pdf"))
    assert (wrong.exit_code, "no format ends in '.pdf'" in wrong.stderr) == (2, True)


def test_exponents_are_a_table(run: Any) -> None:
    text = run("formula", "gpt2-xl", "--exponents").stdout
    assert "exponent of    params     flops\n" in text
    assert "n_embd          1.947     1.855\n" in text
    markdown = run("formula", "gpt2-xl", "--exponents", "--format", "markdown").stdout
    assert "| `n_embd` | 1.947 | 1.855 |" in markdown


def test_errors_are_one_line(run: Any) -> None:
    for arguments, said in (
        (("--symbols", "colour"), "unknown size 'colour'; known: of the workload"),
        (("--quantity", "peak_bytes"), "peak_bytes exists only in phase train: add --phase train"),
        (("mpl",), "unknown node 'mpl'"),
    ):
        result = run("formula", "gpt2", *arguments)
        assert result.exit_code == 1
        assert said in result.stderr
