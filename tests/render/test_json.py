"""The JSON contract (docs/json.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile
import partial
import pytest
from syrupy.assertion import SnapshotAssertion

from graphacct import OperatorError, Quantity, account, hookimpl
from graphacct.hooks.manager import load
from graphacct.render.json import json as text

QUANTITIES = [
    "params",
    "param_bytes",
    "matmul_flops",
    "vector_flops",
    "flops",
    "transcendentals",
    "macs",
    "activation_bytes",
    "read_bytes",
    "write_bytes",
    "active_params",
]
SCOPE_KEYS = ["path", "operator", "repeat", "share", *QUANTITIES]


@pytest.fixture(scope="module")
def xl() -> dict[str, Any]:
    """The parsed JSON of gpt2-xl."""
    parsed: dict[str, Any] = json.loads(
        text(account("gpt2-xl", attention="eager", seq_len=1024)), parse_constant=pytest.fail
    )
    return parsed


def test_the_keys_are_those_of_the_contract(xl: dict[str, Any]) -> None:
    """Every key that the contract promises, in its order, and no other."""
    assert list(xl) == [
        "schema",
        "model",
        "convention",
        "mask",
        "coverage",
        "workload",
        "config_keys",
        "total",
        "by_scope",
        "by_operator",
        "by_parameter",
    ]
    assert xl["schema"] == "graphacct.report/1"
    assert list(xl["coverage"]) == ["costed", "total", "uncosted"]
    assert xl["workload"] == {"batch": 1, "seq_len": 1024, "attention": "eager", "dtype": "float32"}
    assert list(xl["total"]) == QUANTITIES
    assert {tuple(row) for row in xl["by_scope"]} == {tuple(SCOPE_KEYS)}
    assert {tuple(row) for row in xl["by_operator"]} == {tuple(SCOPE_KEYS[1:])}
    assert {tuple(row) for row in xl["by_parameter"]} == {
        ("name", "shape", "dtype", "tied_to", "buffer", "count", "params", "param_bytes", "weights")
    }


def test_every_key_of_the_contract_is_documented(xl: dict[str, Any]) -> None:
    """docs/json.md names each key."""
    page = Path(__file__).parents[2].joinpath("docs", "json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(\w+)`", page))
    rows = [
        xl,
        xl["coverage"],
        xl["workload"],
        xl["config_keys"],
        xl["total"],
        xl["by_scope"][0],
        xl["by_parameter"][0],
    ]
    assert {key for row in rows for key in row} - documented == set()


def test_quantities_are_integers_and_shares_are_not(xl: dict[str, Any]) -> None:
    """gpt2-xl has 1,557,611,200 parameters (the published checkpoint), 4 bytes each; MACs are half the matmul FLOPs."""
    assert xl["total"]["params"] == 1_557_611_200
    assert xl["total"]["param_bytes"] == 4 * 1_557_611_200
    assert xl["total"]["macs"] * 2 == xl["total"]["matmul_flops"]
    for row in [xl["total"], *xl["by_scope"], *xl["by_operator"]]:
        assert all(type(row[name]) is int for name in QUANTITIES)
    assert all(type(row["share"]) is float and 0 <= row["share"] <= 1 for row in xl["by_scope"] + xl["by_operator"])


def test_operators_parameters_and_top_scopes_add_up(xl: dict[str, Any]) -> None:
    """Rows by operator, the outermost scopes, and the parameters each sum to the totals."""
    top = [row for row in xl["by_scope"] if "." not in row["path"]]
    for rows in (xl["by_operator"], top):
        assert {name: sum(row[name] for row in rows) for name in QUANTITIES} == xl["total"]
    for name in ("params", "param_bytes"):
        assert sum(row[name] for row in xl["by_parameter"]) == xl["total"][name]


def test_a_tied_tensor_names_the_one_it_shares(xl: dict[str, Any]) -> None:
    """GPT-2's head shares the token embedding's storage: it has a name and a shape, and no parameters of its own."""
    rows = {row["name"]: row for row in xl["by_parameter"]}
    head = rows["lm_head.weight"]
    assert (head["tied_to"], head["shape"], head["params"]) == ("transformer.wte.weight", [50257, 1600], 0)
    fc = rows["transformer.h.*.mlp.c_fc.weight"]
    assert (fc["tied_to"], fc["count"], fc["params"]) == (None, 48, 48 * 1600 * 6400)


def test_what_has_no_cost_is_marked_wherever_it_is_missing() -> None:
    """The node and every scope around it say how many nodes their figures lack."""
    parsed = partial.report().to_dict()
    assert parsed["coverage"]["costed"] == 29
    assert parsed["coverage"]["uncosted"] == [
        {"name": "transformer.h.*.attn.softmax", "operator": "mystery"},
        {"name": "transformer.h.*.mlp.act", "operator": "riddle"},
    ]
    lacking = {row["path"]: row["uncosted"] for row in parsed["by_scope"] if "uncosted" in row}
    assert lacking == {
        "transformer": 2,
        "transformer.h.*": 2,
        "transformer.h.*.attn": 1,
        "transformer.h.*.attn.softmax": 1,
        "transformer.h.*.mlp": 1,
        "transformer.h.*.mlp.act": 1,
    }
    assert {row["operator"] for row in parsed["by_operator"] if "uncosted" in row} == {"mystery", "riddle"}


def test_a_plugins_quantity_is_in_every_row() -> None:
    """A quantity that a plugin registers is in the totals and the rows, under its name."""
    plugins = load()
    plugins.register(_extra(lambda record: 7), "extra", "a test")
    parsed = account("gpt2", attention="eager", plugins=plugins).to_dict()
    # 31 nodes of which 24 stand in the block that runs 12 times: 7 * (7 + 24 * 12)
    assert parsed["total"]["extra_ops"] == 7 * (7 + 24 * 12)
    assert all("extra_ops" in row for row in parsed["by_scope"] + parsed["by_operator"])


def test_a_quantity_that_is_no_number_is_refused() -> None:
    """JSON has no NaN: the error names the quantity."""
    plugins = load()
    plugins.register(_extra(lambda record: float("nan")), "extra", "a test")
    with pytest.raises(OperatorError, match="'extra_ops' came out as nan"):
        account("gpt2", attention="eager", plugins=plugins).to_dict()


def test_hostile_names_stay_inside_their_strings() -> None:
    """The text is printable ASCII and parses back to the names."""
    written = text(hostile.report())
    assert written.isascii()
    assert hostile.harmless(written)
    assert json.loads(written)["by_scope"][-1]["path"] == hostile.COMMAND


def test_a_tiny_model_in_full(snapshot: SnapshotAssertion) -> None:
    """The whole text for one layer of width 8; transformer-lm has 1 head of 8 and a feed-forward width of 16 here."""
    sizes = {"vocab_size": 11, "context_length": 4, "d_model": 8, "n_layer": 1, "n_head": 1, "d_ff": 16}
    report = account("transformer-lm", attention="eager", set=sizes)
    # two embeddings, attention 4 d², SwiGLU 3 d d_ff, three norms
    assert report.total["params"] == 2 * 11 * 8 + 4 * 8 * 8 + 3 * 8 * 16 + 3 * 8
    assert text(report) == snapshot


def _extra(of: Callable[[Any], Any]) -> SimpleNamespace:
    """A plugin that registers one quantity."""
    return SimpleNamespace(graphacct_register_quantities=hookimpl(lambda: [Quantity("extra_ops", "op", of)]))
