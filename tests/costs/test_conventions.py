"""Conventions: what each counts of one node, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from graphacct_operators.conventions import WORKSHEET

import graphacct
from graphacct import Builder, Convention, Cost, Graph, Node, Report, Value
from graphacct.costs.conventions import EXACT, MATMUL
from graphacct.errors import PluginError, UnknownNameError
from graphacct.hooks.manager import default


def layers(repeat: int = 2) -> Graph:
    """Two RMSNorms and two rotary embeddings in each layer, and an RMSNorm after all."""
    b = Builder("model", default().operators)
    x, table = b.input("x", (1, 8, 4)), b.input("table", (8, 2))

    def layer(inner: Builder, x: Value, table: Value) -> Value:
        for index in (1, 2):
            x = inner.apply("rms_norm", x, inner.parameter(f"ln{index}.weight", (4,)), name=f"ln{index}")
            x = inner.apply("rotary_embedding", x, table, table, name=f"rope{index}")
        return inner.apply("linear", x, inner.parameter("fc.weight", (4, 4)), name="fc")

    x = b.repeat("layers", repeat, layer, x, constants=(table,))
    return b.graph(b.apply("rms_norm", x, b.parameter("ln_final.weight", (4,)), name="ln_final"))


def flops(graph: Graph, convention: str) -> dict[str, Any]:
    report = graphacct.account(graph, convention=convention)
    return {row.path: row.values["flops"] for row in report.by_scope if row.operator}


def test_exact_counts_everything() -> None:
    """Under `exact`, each node has its operator's own work."""
    # per layer 32 elements, 8 rows: rms_norm 4 * 32 + 3 * 8, rotary 3 * 32, linear 2 * 32 * 4; two layers
    assert flops(layers(), "exact") == {
        "layers.*.ln1": 2 * (4 * 32 + 3 * 8),
        "layers.*.rope1": 2 * 3 * 32,
        "layers.*.ln2": 2 * (4 * 32 + 3 * 8),
        "layers.*.rope2": 2 * 3 * 32,
        "layers.*.fc": 2 * 2 * 32 * 4,
        "ln_final": 4 * 32 + 3 * 8,
    }


def test_matmul_counts_contractions() -> None:
    """Under `matmul`, contractions stay and all other arithmetic is left out."""
    assert {path: value for path, value in flops(layers(), "matmul").items() if value} == {
        "layers.*.fc": 2 * 2 * 32 * 4
    }


@pytest.mark.parametrize("unrolled", [False, True])
def test_the_worksheet_counts_one_norm_and_one_rotation_of_a_layer(unrolled: bool) -> None:
    """Under `worksheet`, of each layer the first RMSNorm (2) and the first rotary embedding (3) count, per element."""
    graph = layers().unroll() if unrolled else layers()
    assert flops(graph, "worksheet") == {
        "layers.*.ln1": 2 * 2 * 32,
        "layers.*.rope1": 2 * 3 * 32,
        "layers.*.ln2": 0,
        "layers.*.rope2": 0,
        "layers.*.fc": 2 * 2 * 32 * 4,
        "ln_final": 2 * 32,
    }


@pytest.mark.parametrize("convention", [EXACT, MATMUL, WORKSHEET])
@pytest.mark.parametrize("model", ["gpt2", "transformer-lm-small"])
def test_conventions_touch_arithmetic_only(model: str, convention: Convention) -> None:
    """No convention changes contractions, parameters or bytes: what differs is which other arithmetic counts."""
    exact = graphacct.account(model).total
    ours = graphacct.account(model, convention=convention).total
    for name in ("params", "param_bytes", "matmul_flops", "macs", "activation_bytes", "read_bytes", "write_bytes"):
        assert ours[name] == exact[name], name
    assert ours["flops"] == ours["matmul_flops"] + ours["vector_flops"]
    if convention is not EXACT:
        assert ours["transcendentals"] == 0


def test_a_report_states_its_convention() -> None:
    """The report knows the convention it was made under."""
    assert [graphacct.account("gpt2", convention=name).convention for name in ("exact", "matmul", "worksheet")] == [
        "exact",
        "matmul",
        "worksheet",
    ]


def test_an_unknown_convention() -> None:
    """The closest name is suggested."""
    with pytest.raises(
        UnknownNameError,
        match=r"^unknown convention 'matmull'; did you mean 'matmul'\? \(graphacct list conventions shows all\)$",
    ):
        graphacct.account("gpt2", convention="matmull")


def test_a_convention_of_ones_own() -> None:
    """A Convention can be given as it is; its ordinal counts nodes of one operator within a repetition."""
    seen: list[tuple[str, int]] = []

    def adjust(node: Node, cost: Cost, ordinal: int) -> Cost:
        seen.append((node.name, ordinal))
        return cost * 2

    report = graphacct.account(layers(), convention=Convention("double", "Twice.", adjust))
    assert report.total["flops"] == 2 * graphacct.account(layers()).total["flops"]
    assert seen == [
        ("layers.*.ln1", 0),
        ("layers.*.rope1", 0),
        ("layers.*.ln2", 1),
        ("layers.*.rope2", 1),
        ("layers.*.fc", 0),
        ("ln_final", 0),
    ]


def test_a_convention_that_fails() -> None:
    """A convention that raises, or gives no Cost, is named with the node and the operator."""
    broken = Convention("broken", "Divides by zero.", lambda node, cost, ordinal: cost * (1 // ordinal))
    message = (
        r"^convention 'broken' on node 'layers\.\*\.ln1', operator 'rms_norm', failed: ZeroDivisionError: .* at .*:\d+$"
    )
    with pytest.raises(PluginError, match=message):
        graphacct.account(layers(), convention=broken)
    empty = Convention("empty", "Nothing.", lambda node, cost, ordinal: None)  # type: ignore[arg-type,return-value]
    message = "convention 'empty' on node .*, operator 'rms_norm', returned None, which is no Cost"
    with pytest.raises(PluginError, match=message):
        graphacct.account(layers(), convention=empty)


def test_a_convention_holds_for_training_too() -> None:
    """Without a function of its own for it, what training adds goes through the same one: all but the head is without
    the head's gradients and update; with one, that counts."""

    def without_head(node: Node, cost: Cost, ordinal: int) -> Cost:
        return Cost() if node.name == "lm_head" else cost

    def trained(convention: str | Convention) -> Report:
        sizes = {"n_layer": 2, "n_embd": 64, "n_head": 4, "tie_word_embeddings": False}
        return graphacct.account("gpt2", phase="train", seq_len=16, set=sizes, convention=convention)

    exact, partly = trained("exact"), trained(Convention("no-head", "All but the head.", without_head))
    for quantity in ("step_flops", "hardware_flops", "optimizer_flops", "input_grad_flops", "weight_grad_flops"):
        assert exact.total[quantity] - partly.total[quantity] == exact["lm_head"].values[quantity] > 0
    own = Convention("forward", "No gradients.", backward=lambda node, cost, ordinal: Cost())
    total = trained(own).total
    assert total["step_flops"] == total["forward_flops"] == exact.total["flops"]
