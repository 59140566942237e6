"""Sweeps: rows that equal single reports, conditions, fronts, refused points, and what is said of mistakes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy
import pytest

import graphacct
from graphacct.errors import ConfigError, UnknownNameError
from graphacct.sweeping import run as running

LAYERS_AND_WIDTHS = {"n_layer": "12:36:12", "d_model": [768, 1000, 1536]}
PARAMS = {"keep": "params", "seq_len": 8}


def params(layers: int, d: int) -> int:
    """GPT-2's: 12 L d² + 13 L d + 2 d + (50,257 + 1,024) d."""
    return layers * (12 * d**2 + 13 * d) + 2 * d + 51_281 * d


def test_rows_are_single_reports_in_the_grids_order() -> None:
    found = graphacct.sweep("gpt2", over={"n_layer": "1:3", "seq_len": [5, 8]}, exact=True)
    assert list(found.columns) == ["n_layer", "seq_len", "params", "flops", "activation_bytes"]
    rows = [dict(zip(found.columns, row, strict=True)) for row in zip(*found.columns.values(), strict=True)]
    assert [(row["n_layer"], row["seq_len"]) for row in rows] == [*product([1, 2, 3], [5, 8])]
    for row in rows:
        total = graphacct.account("gpt2", seq_len=int(row["seq_len"]), set={"n_layer": int(row["n_layer"])}).total
        assert {name: row[name] for name in ("params", "flops", "activation_bytes")} == {
            name: total[name] for name in ("params", "flops", "activation_bytes")
        }


def test_points_that_the_model_refuses_are_counted_and_named() -> None:
    """12 heads do not divide a width of 1,000; the name of the axis is another library's."""
    found = graphacct.sweep("gpt2", over=LAYERS_AND_WIDTHS, **PARAMS)
    expected = [params(layers, d) for layers in (12, 24, 36) for d in (768, 1536)]
    assert found["params"].tolist() == expected
    assert (found.rows, found.points, found.refused, found.left_out) == (6, 9, 3, 0)
    (refusal,) = found.refusals
    assert refusal.reason == "n_embd / n_head: 1000 is not divisible by 12"
    assert refusal.first == {"n_layer": 12, "d_model": 1000}
    assert found.request.keys == {"d_model": "n_embd"}
    assert found["params"].dtype == numpy.float64
    assert found.error == 2.0**-53
    with pytest.raises(ConfigError, match="'gpt2' refuses n_layer 12, d_model 1,000: n_embd / n_head: 1000 is not div"):
        graphacct.sweep("gpt2", over=LAYERS_AND_WIDTHS, strict=True, **PARAMS)


@pytest.mark.parametrize("exact", [False, True])
def test_conditions_choose_rows(exact: bool) -> None:
    """Quantities, sizes on an axis under either name and off it, roles, arithmetic, words."""
    where = [
        "params <= 3e8 or not n_layer < 99",
        "n_embd * 64 >= 12 * n_layer * n_head",
        "flops(mlp) > flops(attention)",
    ]
    found = graphacct.sweep("gpt2", over=LAYERS_AND_WIDTHS, where=where, exact=exact, **PARAMS)
    assert [*zip(found["n_layer"], found["d_model"], strict=True)] == [(12, 768), (24, 768), (36, 768)]
    assert found.left_out == 3
    assert [type(value) for value in found["params"].tolist()] == [int if exact else float] * 3


def test_columns_may_be_arithmetic() -> None:
    keep = "params,flops(attention),flops / params, n_head"
    found = graphacct.sweep("gpt2", over={"seq_len": "8,16"}, keep=keep, exact=True)
    report = graphacct.account("gpt2", seq_len=8)
    assert [*found.columns] == ["seq_len", "params", "flops(attention)", "flops / params", "n_head"]
    assert found["flops / params"][0] == report.total["flops"] / report.total["params"]
    assert found["n_head"].tolist() == [12, 12]


def test_words_are_the_outermost_axes() -> None:
    """An option, and a key of the configuration that is no size: a graph of its own for each."""
    over = {"seq_len": [4, 8], "dtype": "bf16,fp32", "tie_word_embeddings": "true,false"}
    found = graphacct.sweep("gpt2", over=over, keep="params,param_bytes")
    assert [*found.columns][:3] == ["dtype", "tie_word_embeddings", "seq_len"]
    assert found["dtype"].tolist() == ["bf16"] * 4 + ["fp32"] * 4
    assert found["tie_word_embeddings"].tolist() == [True, True, False, False] * 2
    untied = 124_439_808 + 50_257 * 768
    assert found["params"].tolist() == [124_439_808, 124_439_808, untied, untied] * 2
    assert found["param_bytes"].tolist()[::4] == [2 * 124_439_808, 4 * 124_439_808]


def test_a_front_over_many_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide and shallow against deep and narrow: no other row has fewer parameters and a wider model."""
    monkeypatch.setattr(running, "GATHERED", 4)
    monkeypatch.setattr("graphacct.sweeping.traced_evaluator.TracedEvaluator.most", 3)
    over = {"n_layer": "1:6", "d_model": "96:480:96", "n_head": "4,8"}
    found = graphacct.sweep("gpt2", over=over, pareto="params,-d_model", **PARAMS)
    assert [*zip(found["n_layer"], found["d_model"], found["n_head"], strict=True)] == [
        (1, d, heads) for d in (96, 192, 288, 384, 480) for heads in (4, 8)
    ], "heads change no parameter: equal rows all stay"


def test_the_closest_point_where_nothing_meets_a_budget() -> None:
    says = (
        r"none of the 9 points, of which 'gpt2' refuses 3, meets the conditions; the closest is n_layer 12, d_model "
        r"768, where params \(124,439,808\) <= 1e6 \(1,000,000\) does not hold"
    )
    with pytest.raises(ConfigError, match=says):
        graphacct.sweep("gpt2", over=LAYERS_AND_WIDTHS, where="params <= 1e6", **PARAMS)


def test_first_rows_are_held_and_all_are_counted() -> None:
    found = graphacct.sweep("gpt2", over={"n_layer": "1:300"}, first=3, **PARAMS)
    assert (found.rows, found["n_layer"].tolist()) == (300, [1, 2, 3])
    assert "the first 3 rows of 300: a file has them all" in str(found)
    assert "300 rows of 300 points" in repr(found)


def test_progress_is_told() -> None:
    told: list[tuple[int, int, int]] = []
    graphacct.sweep("gpt2", over={"n_layer": "1:300"}, progress=lambda *now: told.append(now), **PARAMS)
    assert told[0][2] == 300
    assert told[-1] == (300, 300, 300)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"over": {}}, ConfigError, "no axis is given"),
        ({"over": {"n_lyr": "1"}}, UnknownNameError, "unknown size 'n_lyr'; did you mean 'n_layer'. known: of"),
        ({"over": {"n_layer": "x"}}, ConfigError, "^over n_layer: 'x' is no integer"),
        ({"over": {"n_layer": "1"}, "set": {"n_layer": 3}}, ConfigError, "n_layer is swept: leave it out of set"),
        ({"over": {"batch": "1"}, "batch": 3}, ConfigError, "batch is swept: leave batch=3 out"),
        ({"over": {"dtype": "bf16"}, "dtype": "fp32"}, ConfigError, "dtype is swept: leave dtype=fp32 out"),
        ({"over": {"d_model": "768", "n_embd": "96"}}, ConfigError, "over n_embd: it is n_embd, which is over d_model"),
        ({"over": {"dtype": "bf16,,fp32"}}, ConfigError, "has an empty value"),
        ({"over": {"dtype": "bf16,bf16"}}, ConfigError, "'bf16' is there twice"),
        (
            {"over": {"seq_len": "5k"}},
            ConfigError,
            r"refuses every point of the grid \(1\): seq_len 5120 is beyond n_po",
        ),
        ({"over": {"seq_len": "5"}, "where": "params"}, ConfigError, "where 'params' is no condition"),
        ({"over": {"seq_len": "5"}, "where": "parms < 5"}, UnknownNameError, "'parms'; did you mean 'params'"),
        ({"over": {"seq_len": "5"}, "keep": "step_flops"}, ConfigError, "step_flops exists only in phase train"),
        ({"over": {"seq_len": "5"}, "keep": "flops < 5"}, ConfigError, "keep 'flops < 5' is a condition"),
        (
            {"over": {"batch": "1:2"}, "where": "flops / (batch - 1) < 5"},
            ConfigError,
            "divi.* by zero .*at a point of the",
        ),
        (
            {"over": {"batch": "1"}, "where": "3 % (batch - 1) < 5", "exact": True},
            ConfigError,
            "zero, at a point of the",
        ),
        ({"over": {"seq_len": "5"}, "where": "+".join(["1"] * 500_000)}, ConfigError, "at most 10,000 characters"),
        (
            {"over": {"n_layer": "1:1e9", "seq_len": "1:1e9"}},
            ConfigError,
            "has 1,000,000,000,000,000,000 points, about",
        ),
    ],
)
def test_mistakes_are_said(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        graphacct.sweep("gpt2", **{"keep": "params", **options})


def test_a_finished_graph_has_fixed_sizes() -> None:
    with pytest.raises(ConfigError, match="is a finished graph: its sizes are fixed"):
        graphacct.sweep(graphacct.build("gpt2"), over={"batch": "1"})
