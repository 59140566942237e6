"""Diffs: nodes are matched by path, and what differs of them sums to the difference of the totals."""

from __future__ import annotations

from typing import Any

import pytest
import sympy

import graphacct
from graphacct.reports.diff import Diff

SIZES = {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
GPT2 = {"model_type": "gpt2", **SIZES}
WIDE = {**GPT2, "n_inner": 4096, "activation_function": "silu"}
S = 64


def diff(a: Any, b: Any, **options: Any) -> Diff:
    return graphacct.diff(a, b, **options)


def check_sums(found: Diff) -> None:
    """What is added, less what is removed, and what changed is the whole difference, of all that adds up."""
    for quantity in found.first.quantities:
        if quantity.adds_up:
            one, other = found.total[quantity.name]
            parts = 0
            for change in found.changes:
                for side, sign in ((change.first, -1), (change.other, 1)):
                    parts += sign * side.values[quantity.name] if side is not None else 0  # type: ignore[index,operator]
            assert parts == other - one, quantity.name


def test_a_wider_network_differs_in_three_nodes() -> None:
    """A width of 4,096 in place of 3,072 in 12 layers: two matrices of 768 · 1,024 more and 1,024 biases; per token and
    layer 2 FLOPs for each of their entries, 1 for each bias; and SiLU, 4 for each of 4,096, in place of GELU's 9 of
    3,072."""
    found = diff(GPT2, WIDE, seq_len=S)
    mlp = "transformer.h.*.mlp"
    assert [(change.path, change.kind, change.differs) for change in found.changes] == [
        (f"{mlp}.c_fc", "changed", ("shapes", "cost")),
        (f"{mlp}.act", "changed", ("operator", "shapes", "cost")),
        (f"{mlp}.c_proj", "changed", ("shapes", "cost")),
    ]
    assert found.unchanged == 22
    one, other = found.total["params"]
    assert other - one == 12 * (2 * 768 * 1024 + 1024) == 18_886_656
    one, other = found.total["flops"]
    assert other - one == 12 * S * (2 * 2 * 768 * 1024 + 1024 + 4 * 4096 - 9 * 3072) == 2_408_054_784
    check_sums(found)


def test_layers_that_are_added_are_repeats() -> None:
    """Each node of a layer runs 14 times in place of 12; outside the layers nothing differs."""
    found = diff(GPT2, {**GPT2, "n_layer": 14}, seq_len=S)
    assert {change.differs for change in found.changes} == {("repeat", "cost"), ("repeat",)}  # views cost nothing
    assert all(change.path.startswith("transformer.h.*.") for change in found.changes)
    one, other = found.total["params"]
    assert other - one == 2 * (12 * 768**2 + 13 * 768)
    check_sums(found)


def test_nodes_of_one_model_are_added_and_removed() -> None:
    """Experts in place of a network, the other way round removed in place of added; both sum."""
    found, back = diff("llama-3-8b", "mixtral-8x7b", seq_len=S), diff("mixtral-8x7b", "llama-3-8b", seq_len=S)
    added = {change.path for change in found.of_kind("added")}
    assert "model.layers.*.mlp.experts.gate_up_proj" in added
    assert added == {change.path for change in back.of_kind("removed")}
    assert {change.path for change in found.of_kind("removed")} == {change.path for change in back.of_kind("added")}
    for each in (found, back):
        check_sums(each)
    assert found.to_dict()["added"][0]["a"] is None


def test_layers_written_out_are_those_of_a_block() -> None:
    """Folded or not, a model is the same: its paths have `*` in place of an index."""
    graph = graphacct.build("gpt2", seq_len=8, set={"n_layer": 3})
    assert diff(graph, graph.unroll()).changes == ()


def test_a_step_compares_without_its_peak() -> None:
    """What is alive at a node is of the nodes before it too: its own cost is not other by that."""
    found = diff("gpt2", "gpt2", seq_len=8, phase="train", optimizer="sgd")
    assert found.changes == ()
    wide = diff(GPT2, WIDE, seq_len=8, phase="train", quantity="peak_bytes", fail_if="peak_bytes < -20%")
    assert {change.path.rpartition(".")[0] for change in wide.changes} == {"transformer.h.*.mlp"}
    assert [item.text for item in wide.failing] == ["peak_bytes < -20%"]  # GELU saves more
    check_sums(wide)


def test_formulas_have_differences_too() -> None:
    s = sympy.Symbol("s", integer=True, positive=True)
    found = diff(GPT2, WIDE, seq_len=s)
    one, other = found.total["flops"]
    assert sympy.expand(other - one) == 2_408_054_784 // S * s
    assert found.to_dict()["total"]["params"]["difference"] == 18_886_656
    assert "s" in str(found)
    with pytest.raises(graphacct.ConfigError, match="which is no number; give every size as a number"):
        diff(GPT2, WIDE, seq_len=s, fail_if=["flops > 3%"])


def test_a_node_without_a_cost_is_in_no_difference() -> None:
    """It is there, and says that it has none."""
    import networkx

    graphs = []
    for extra in (False, True):
        g = networkx.DiGraph(name="mystery")
        g.add_node("x", shape=(8, 16))
        g.add_node("fc", operator="linear", params={"weight": (4, 16)})
        g.add_edge("x", "fc")
        if extra:
            g.add_node("fold", operator="origami", shape=(8, 4))
            g.add_edge("fc", "fold")
        graphs.append(graphacct.Graph.from_nx(g))
    found = diff(*graphs, unknown="report")
    (entry,) = found.to_dict()["added"]
    assert (entry["path"], entry["operator"], entry["b"]["uncosted"]) == ("fold", "origami", True)
    assert "B: incomplete" in str(found)


def test_what_does_not_compare() -> None:
    with pytest.raises(graphacct.ConfigError, match="seq_len 1024 in A, 'gpt2', and 8192 in B, 'llama-3-8b': give"):
        diff("gpt2", "llama-3-8b")
    reports = [graphacct.account("gpt2", convention=name, seq_len=8) for name in ("exact", "matmul")]
    with pytest.raises(graphacct.ConfigError, match="under two conventions, exact and matmul"):
        diff(*reports)
    with pytest.raises(graphacct.ConfigError, match=r"only one of the reports has .*active_params"):
        diff(reports[0], graphacct.account("gpt2", seq_len=8, quantities=["params"]))
    with pytest.raises(graphacct.ConfigError, match="seq_len: A is a report already"):
        diff(reports[0], "gpt2", seq_len=8)
    with pytest.raises(graphacct.ConfigError, match="arithmetic_intensity is a ratio"):
        diff(reports[0], reports[0], quantity="arithmetic_intensity")
    with pytest.raises(graphacct.ConfigError, match="a diff of a generation"):
        diff("gpt2", "gpt2", phase="generate", prompt_len=4, new_tokens=2)
    with pytest.raises(graphacct.ConfigError, match="peak_bytes exists only in phase train"):
        diff(reports[0], reports[0], fail_if=["peak_bytes > 1GiB"])


def test_conditions_on_roles_and_scopes() -> None:
    """The network grows by itself: 12 layers, two matrices of 768 · 1,024 and 1,024 biases; attention does not."""
    asked = ["params(mlp) > 18886655", 'params("*.mlp") > 18886656', "flops(attention) > 0", "params(mlp) > +33%"]
    found = diff(GPT2, WIDE, seq_len=S, fail_if=asked)
    assert [item.text for item in found.failing] == [asked[0], asked[3]]
    one, other = found.parts["params", "mlp"]
    assert (one, other - one) == (12 * (2 * 768 * 3072 + 3072 + 768), 18_886_656)
    assert found.parts["params", "*.mlp"] == (one, other)


def test_a_part_that_one_model_lacks_is_0_there() -> None:
    """Experts in place of a network: all of theirs is more. What both lack is an error that says what there is."""
    found = diff("llama-3-8b", "mixtral-8x7b", seq_len=S, fail_if=["params(experts) > 0 and params(mlp) < 0"])
    assert len(found.failing) == 1
    assert (found.parts["params", "experts"][0], found.parts["params", "mlp"][1]) == (0, 0)
    with pytest.raises(graphacct.ConfigError, match=r"nothing of that role; it has embedding, attention, mlp"):
        diff(GPT2, WIDE, seq_len=S, fail_if=["flops(router) > 0"])
    with pytest.raises(graphacct.ConfigError, match="'atention'; did you mean 'attention'"):
        diff(GPT2, WIDE, seq_len=S, fail_if=["flops(atention) > 0"])
    with pytest.raises(graphacct.ConfigError, match="names single layers"):
        diff(GPT2, WIDE, seq_len=S, fail_if=['flops("transformer.h.3.*") > 0'])
