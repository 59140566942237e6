"""A training step in tables, files, comparisons and pictures."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from graphacct import ConfigError, account
from graphacct.explanations.explanation import explain
from graphacct.graph.paths import parent
from graphacct.render.compare import compare
from graphacct.render.csv import csv as csv_of
from graphacct.render.markdown import markdown
from graphacct.render.picture.dot import draw
from graphacct.render.sheet import default_columns, sheet
from graphacct.render.table import table

CASES = {
    "gpt2": {"seq_len": 32, "set": {"n_layer": 3}, "attention": "eager"},
    "transformer-lm-small": {"seq_len": 32, "set": {"n_layer": 3}, "recompute": "selective"},
    "resnet50": {"image_size": 64},
}
CONTRACT = [
    f"{part}_{kind}"
    for part in ("forward", "input_grad", "weight_grad", "step", "recompute", "hardware", "optimizer")
    for kind in ("matmul_flops", "flops")
]
MEMORY = ["saved_bytes", "peak_bytes", "gradient_bytes", "optimizer_state_bytes"]


@pytest.fixture(scope="module", params=CASES)
def step(request):
    return account(request.param, phase="train", **CASES[request.param])


def test_json_holds_every_quantity_of_the_step(step) -> None:
    """In the total and in every row, as integers."""
    found = json.loads(json.dumps(step.to_dict()))
    for values in (found["total"], *found["by_scope"], *found["by_operator"]):
        for name in (*CONTRACT, *MEMORY):
            assert type(values[name]) is int, name


def test_a_scope_is_the_sum_of_its_children_and_a_peak_the_largest(step) -> None:
    """Every row by scope, in every quantity; the total likewise of the topmost rows."""
    rows = step.to_dict()["by_scope"]
    children: dict[str, list[dict]] = {}
    for row in rows:
        children.setdefault(parent(row["path"]), []).append(row)
    whole = {"path": "", **step.to_dict()["total"]}
    for row in (whole, *rows):
        below = children.get(row["path"], [])
        for name in (*CONTRACT, "saved_bytes", "gradient_bytes", "optimizer_state_bytes") if below else ():
            assert row[name] == sum(child[name] for child in below), (row["path"], name)
        if below:
            assert row["peak_bytes"] == max(child["peak_bytes"] for child in below)


def test_every_format_holds_any_column(step) -> None:
    """CSV has all quantities as integers; tables and Markdown those that are asked for."""
    rows = list(csv.DictReader(StringIO(csv_of(step, "scope"))))
    by_path = {row.path: row.values for row in step.by_scope}
    for row in rows:
        for name in (*CONTRACT, *MEMORY):
            assert int(row[name]) == by_path[row["path"]][name]
    for rendered in (table(step, columns=["saved_bytes", "peak_bytes"]), markdown(step, columns=["saved_bytes"])):
        assert "Saved" in rendered
    assert "Saved" in step._repr_html_()
    assert [column.title for column in sheet(step, columns=CONTRACT[:2]).columns[2:]] == [
        "forward_matmul_flops",
        "Forward",
    ]


def test_the_table_of_a_step_has_its_parts_side_by_side(step) -> None:
    """Forward, the two gradients, their sum, the update, what is kept and the peak; no total stands there twice."""
    assert default_columns(step) == (
        "params",
        "forward_flops",
        "input_grad_flops",
        "weight_grad_flops",
        "step_flops",
        "optimizer_flops",
        "saved_bytes",
        "peak_bytes",
    )
    rest = sheet(step).notes[0]
    assert "all work" not in rest
    assert "forward_" not in rest


def test_peaks_have_no_shares_of_a_sum(step) -> None:
    """A largest value is no sum, so its rows are no parts of it: neither a comparison nor a picture says so."""
    found = compare([step, step], "peak_bytes")
    assert set(sum(found.shares, ())) == {None}
    assert all(cell["share"] is None for row in found.to_dict()["rows"] for cell in row["models"])
    lines = str(found).splitlines()
    assert not any("Share" in line or "%" in line for line in lines)
    assert any(line.strip().startswith("Largest") for line in lines)
    assert "%" not in draw(step, color_by="peak_bytes").source.replace("0 %)", "")
    kept = compare([step], "saved_bytes", depth=1)
    assert sum(share for (share,) in kept.shares) == pytest.approx(1)


@pytest.mark.parametrize("quantity", ["saved_bytes", "peak_bytes", "step_flops"])
def test_a_picture_is_coloured_by_what_training_needs(step, quantity) -> None:
    """The legend names the quantity, the tooltips say what a node keeps and why, views fold as in a forward pass."""
    picture = draw(step, color_by=quantity, depth=9).source
    assert f"{quantity}:" in picture
    assert "keeps " in picture
    assert ">q_heads<" not in picture
    assert ">flatten<" not in picture


def test_a_quantity_of_another_phase_says_which() -> None:
    """Asked for what only a training step has, a forward pass says what to add, wherever it is asked."""
    forward = account("gpt2", seq_len=16)
    message = r"saved_bytes exists only in phase train: add phase='train'"
    for ask in (
        lambda: draw(forward, color_by="saved_bytes"),
        lambda: compare([forward], "saved_bytes"),
        lambda: sheet(forward, columns=["saved_bytes"]),
        lambda: explain(forward, "lm_head", "saved_bytes"),
    ):
        with pytest.raises(ConfigError, match=message):
            ask()
    with pytest.raises(ConfigError, match="add phase='prefill' or phase='decode'"):
        compare([forward], "kv_cache_bytes")
