"""Models side by side."""

from __future__ import annotations

import csv
import json
from io import StringIO

import partial
import pytest
import sympy

from graphacct import ConfigError, account
from graphacct.errors import UnknownNameError
from graphacct.render.compare import compare

SIZES = ("small", "medium", "large", "xl")


def test_the_worksheets_table() -> None:
    """Shares of the worksheet's four models: attention's rises from 17.96 % to 29.44 %, the head's falls."""
    reports = [account(f"transformer-lm-{size}", convention="worksheet", seq_len=1024) for size in SIZES]
    comparison = compare(reports)
    shares = dict(zip(comparison.paths, comparison.shares, strict=True))
    percent = {path: [f"{share:.2%}" for share in shares[path]] for path in shares}
    assert percent["layers.*.attn"] == ["17.96%", "22.40%", "25.82%", "29.44%"]
    assert percent["layers.*.ffn"] == ["67.34%", "69.97%", "69.15%", "66.90%"]
    assert (percent["lm_head"][0], percent["lm_head"][-1]) == ("14.69%", "3.65%")
    totals = [model["total"]["flops"] for model in comparison.to_dict()["models"]]
    assert totals == [538_120_814_592, 1_381_129_781_248, 2_620_380_938_240, 4_513_733_017_600]
    assert "4.51 TFLOP" in str(comparison)


def test_models_with_other_scopes_keep_their_rows() -> None:
    """A row that a model does not have is empty there, not 0."""
    comparison = compare(
        [account("gpt2", attention="eager"), account("transformer-lm-small", attention="eager")], depth=1
    )
    values = dict(zip(comparison.paths, comparison.values, strict=True))
    assert values["transformer"][1] is None
    assert values["layers.*"][0] is None
    assert None not in values["lm_head"]


def test_shares_are_of_the_compared_quantity() -> None:
    """The token embedding has 50,257 · 768 of gpt2's 124,439,808 parameters, and no FLOPs."""
    comparison = compare([account("gpt2", attention="eager")], "params", depth=2)
    shares = dict(zip(comparison.paths, comparison.shares, strict=True))
    assert shares["transformer.wte"] == (50257 * 768 / 124_439_808,)


def test_rows_of_nothing_are_left_out_of_the_table_and_counted() -> None:
    """The table leaves rows of 0 out and says how many; JSON has them."""
    comparison = compare([account("gpt2", attention="eager")], by="operator")
    rows = comparison.to_dict()["rows"]
    empty = [row for row in rows if row["models"][0]["value"] == 0]
    assert len(comparison.sheet().lines) == len(rows) - len(empty)
    assert f"{len(empty)} rows of 0 not shown" in comparison.sheet().notes


def test_incomplete_totals_say_so() -> None:
    """The model whose coverage is not full is named, beside its total and below."""
    text = str(compare([partial.report(), account("gpt2-medium", attention="eager")], by="operator"))
    assert "(29 of 31 nodes)" in text
    assert "uncosted" in text
    assert "gpt2: incomplete: 29 of 31" in text


def test_json_and_csv_hold_the_same_figures() -> None:
    """One CSV row for each cell of the JSON that is not null."""
    comparison = compare([account("gpt2", attention="eager"), account("gpt2-medium", attention="eager")])
    parsed = json.loads(comparison.json())
    assert parsed["schema"] == "graphacct.compare/1"
    cells = [cell["value"] for row in parsed["rows"] for cell in row["models"] if cell is not None]
    assert [int(row["flops"]) for row in csv.DictReader(StringIO(comparison.csv()))] == cells


def test_symbols_compare() -> None:
    """A model built for n sequences has formulas for values, and the shares that any n gives."""
    n = sympy.Symbol("n", positive=True, integer=True)
    rows = compare(
        [account("gpt2", attention="eager", batch=n), account("gpt2", attention="eager")], by="operator"
    ).to_dict()["rows"]
    cell, numbers = next(row["models"] for row in rows if row["operator"] == "matmul")
    assert cell["value"] == f"{numbers['value']}*n"
    assert cell["share"] == pytest.approx(numbers["share"], rel=1e-15)


def test_only_one_convention_compares() -> None:
    """Figures under two conventions do not compare, and nothing does not compare at all."""
    with pytest.raises(ConfigError, match="several conventions \\(exact, matmul\\)"):
        compare([account("gpt2", attention="eager"), account("gpt2", attention="eager", convention="matmul")])
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare([])
    with pytest.raises(UnknownNameError, match="'flop'"):
        compare([account("gpt2", attention="eager")], "flop")


def test_a_ratio_is_compared_without_shares() -> None:
    """Each cell is the ratio of that row's sums; the total's is of the totals."""
    reports = [account(name, seq_len=8) for name in ("gpt2", "gpt2-xl")]
    found = compare(reports, "arithmetic_intensity", depth=1)
    values = [
        tuple(report.figure("arithmetic_intensity", report[path].values) for report in reports) for path in found.paths
    ]
    assert list(found.values) == values
    assert {share for row in found.shares for share in row} == {None}
    assert "Share" not in str(found)
    assert found.to_dict()["models"][1]["total"]["arithmetic_intensity"] == reports[1].figure("arithmetic_intensity")
    assert "arithmetic_intensity" not in compare(reports, "flops").to_dict()["models"][0]["total"]
