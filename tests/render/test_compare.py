"""Models side by side."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import partial
import pytest
import sympy

import graphacct
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


def test_roles_are_the_same_rows_for_every_family() -> None:
    """Experts are none of Llama's, and no row is 0 where there is nothing; a model's rows sum to its total."""
    found = graphacct.compare(
        "llama-3-8b", "mixtral-8x7b", "bert-base-uncased", by="role", quantity="params", seq_len=8
    )
    values = dict(zip(found.paths, found.values, strict=True))
    assert values["experts"] == (None, 32 * 8 * 3 * 4096 * 14336, None)
    assert values["router"][1] == 32 * 8 * 4096
    assert values["mlp"][0] == 32 * 3 * 4096 * 14336
    for place, report in enumerate(found.reports):
        assert sum(row[place] or 0 for row in found.values) == report.total["params"]
    assert found.to_dict()["rows"][0]["role"] == "embedding"
    assert found.records()[0]["role"] == "embedding"


def test_models_are_under_one_workload() -> None:
    """The shortest of the models' own lengths is for all, and is said; a length that is given is taken."""
    found = graphacct.compare("gpt2", "llama-3-8b", quantity="params", depth=1)
    assert [report.workload["seq_len"] for report in found.reports] == [1024, 1024]
    assert "seq_len 1024 for all: the shortest that a model has of its own (gpt2); the longest is 8192" in str(found)
    assert found.to_dict()["chosen"] == {"seq_len": {"size": 1024, "own": [1024, 8192]}}
    given = graphacct.compare("gpt2", "llama-3-8b", seq_len=512, depth=1)
    assert (given.chosen, given.reports[1].workload["seq_len"]) == ((), 512)
    assert "chosen" not in given.to_dict()


def test_models_of_two_workloads_are_refused_by_name() -> None:
    """A finished graph has a length of its own. Reports are shown as they are, with what they differ in."""
    graph = graphacct.build("gpt2", seq_len=64)
    other = graphacct.build("gpt2", seq_len=32)
    assert graphacct.compare(graph, "llama-3-8b", depth=1).reports[1].workload["seq_len"] == 64
    with pytest.raises(ConfigError, match="two workloads, seq_len 64 in 'gpt2' and 32 in 'gpt2': give seq_len= for"):
        graphacct.compare(graph, other)
    assert "gpt2: seq_len 64" in str(graphacct.compare(account(graph), account(other), depth=1))
    with pytest.raises(ConfigError, match="seq_len: 'gpt2' is a report already"):
        graphacct.compare(account(graph), other, seq_len=8)


def test_one_model_at_several_sizes() -> None:
    """Each column is the report of its size, and the crossing of attention and the network is exact: `solve` finds the
    same, and gpt2's positions are raised beyond its own."""
    found = graphacct.compare("gpt2", over="seq_len=1k,4k", by="role")
    for place, length in enumerate((1024, 4096)):
        alone = account("gpt2", seq_len=length, set={"n_positions": length})
        assert found.reports[place].total == (alone if length > 1024 else account("gpt2")).total
    assert found.over is not None
    (crossing,) = found.over.crossings
    solved = graphacct.solve("gpt2", for_="seq_len", where="flops(attention) == flops(mlp)")
    assert (crossing.size, crossing.passing, crossing.equal) == (solved.size, "attention", solved.equal)
    text = str(found)
    assert f"attention passes mlp at seq_len {solved.size:,}" in text
    assert "n_positions is raised with seq_len" in text
    told = found.to_dict()
    assert [model["at"] for model in told["models"]] == [{"seq_len": 1024}, {"seq_len": 4096}]
    assert told["over"]["crossings"] == [
        {"value": solved.size, "passing": "attention", "passed": "mlp", "equal": False}
    ]
    assert {row["seq_len"] for row in found.records()} == {1024, 4096}


def test_the_crossing_of_products_is_where_both_are_equal() -> None:
    """8 s d² + 4 s² d in attention is 16 s d² where s is 2 d, between sizes or at one of them; none is beyond it."""
    for sizes in ("1k,2k", "1k,1536,2k", "1536,2k"):
        found = graphacct.compare("gpt2", over=f"seq_len={sizes}", by="role", convention="matmul")
        crossed = [(each.size, each.equal) for each in found.over.crossings]  # type: ignore[union-attr]
        assert crossed == ([] if sizes == "1536,2k" else [(1536, True)])


def test_sizes_of_a_configuration() -> None:
    """Another library's spelling; what the model refuses is left out, counted and named."""
    found = graphacct.compare("gpt2", over={"d_model": range(768, 960, 60)}, quantity="params", depth=1)
    assert found.over is not None
    assert (found.over.key, found.over.sizes) == ("n_embd", (768, 828, 888, 948))
    found = graphacct.compare("gpt2", over="d_model=768:780:4", quantity="params", depth=1)
    assert found.over is not None
    assert found.over.sizes == (768, 780)
    assert [size for size, _ in found.over.refused] == [772, 776]
    assert "2 sizes that the model refuses are left out, as 772: n_embd / n_head" in str(found)
    assert found.to_dict()["over"]["refused"][0]["value"] == 772


def test_many_columns_by_role_are_a_line_each() -> None:
    found = graphacct.compare("gpt2", over="batch=1:6:1", by="role")
    assert [line.cells[0] for line in found.sheet().lines] == list("123456")
    assert "100.00 %" not in str(found)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (("gpt2", "gpt2-xl"), {"over": "seq_len=1k"}, "over is of one model, and 2 are given"),
        (("gpt2",), {"over": "seq_len"}, "not of the form NAME=VALUES"),
        (("gpt2",), {"over": "seq_len=4k:1k"}, "over seq_len: '4k:1k' has no sizes: it goes up from 1 or more"),
        (("gpt2",), {"over": {"seq_len": []}}, "over seq_len: it has no values"),
        (("gpt2",), {"over": "seq_len=1:1e9"}, "1,000,000,000 columns, and the most are 1,000; a sweep takes as many"),
        (("gpt2",), {"over": "seq_len=1k,1024"}, "1024 is there twice"),
        (("gpt2",), {"over": {"seq_len": 0.5}}, "over seq_len: 0.5 is no size"),
        (("gpt2",), {"over": {"batch": [1], "seq_len": [1]}}, "over takes one size, and batch, seq_len is given"),
        (("gpt2",), {"over": "seq_len=1k", "seq_len": 8}, "leave seq_len=8 out"),
        (("gpt2",), {"over": "d_model=769,770"}, "refuses each of the 2 sizes, as 769: n_embd / n_head"),
        (("gpt2",), {"over": "batch=0"}, "the model refuses it, as 0: batch must be positive"),
        (("gpt2",), {"over": "image_size=8"}, "unknown size 'image_size'"),
    ],
)
def test_what_is_no_size_is_said(models: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.compare(*models, **options)


def test_roles_of_a_generation_are_refused() -> None:
    with pytest.raises(ConfigError, match="it is many steps"):
        graphacct.compare("gpt2", by="role", phase="generate", prompt_len=4, new_tokens=2)
