"""Regions that the model's own code has run again: the work in the step, and what is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import Builder, ConfigError, Graph, ReadError, Rerun
from graphacct.hooks.manager import default

OPERATORS = default().operators
TIMES = {"up": 1, "act": 1, "down": 0}


def layers(count: int = 3, rerun: bool = True) -> Graph:
    """Layers of two products, each a region: the second product is after the last that is needed."""
    b = Builder("net", OPERATORS)
    x = b.input("x", (4, 8))
    for index in range(count):
        with b.scope(f"layers.{index}"):
            y = b.apply("relu", b.apply("linear", x, b.parameter("up.weight", (16, 8)), name="up"), name="act")
            x = b.apply("linear", y, b.parameter("down.weight", (8, 16)), name="down")
    graph = b.graph(x)
    if not rerun:
        return graph
    nodes = [attrs.evolve(node, rerun=Rerun(2, 0, TIMES[node.name.rpartition(".")[2]])) for node in graph.walk()]
    return attrs.evolve(graph, nodes=tuple(nodes))


def test_what_runs_again_is_part_of_the_step() -> None:
    product = 2 * 4 * 8 * 16
    plain, own = (graphacct.account(layers(rerun=rerun), phase="train").total for rerun in (False, True))
    assert own["step_matmul_flops"] == plain["step_matmul_flops"] + 3 * product
    assert (own["recompute_matmul_flops"], own["forward_matmul_flops"]) == (0, plain["forward_matmul_flops"])
    assert own["hardware_matmul_flops"] == own["step_matmul_flops"]


def test_a_region_saves_what_enters_it() -> None:
    found = graphacct.memory(layers(), phase="train", profile="torch-eager-cpu")
    assert found.saved_activations == 2 * 4 * 8 * 4  # the input of the first is the model's
    asked = graphacct.memory(layers(rerun=False), phase="train", profile="torch-eager-cpu", recompute="full")
    assert (found.saved_activations, found.peak) == (asked.saved_activations, asked.peak)


def test_regions_of_one_scope_are_told_apart_by_their_number() -> None:
    graph = layers(2)
    nodes = [
        attrs.evolve(node, rerun=attrs.evolve(node.rerun, depth=1, ordinal=int(node.name[7]))) for node in graph.walk()
    ]
    apart = attrs.evolve(graph, nodes=tuple(nodes))
    saved = {
        name: graphacct.memory(item, phase="train").saved_activations for name, item in (("a", graph), ("b", apart))
    }
    assert saved["a"] == saved["b"]


def test_a_forward_pass_runs_nothing_again() -> None:
    plain, own = (graphacct.memory(layers(rerun=rerun), phase="forward").peak for rerun in (False, True))
    assert plain == own


def test_layers_fold_with_their_regions() -> None:
    folded = layers().fold()
    assert [node.rerun for node in folded.walk()] == [Rerun(2, 0, times) for times in TIMES.values()]
    assert folded.unroll() == layers()
    totals = [graphacct.account(graph, phase="train").total for graph in (folded, layers())]
    for name in ("step_flops", "saved_bytes", "peak_bytes", "backward_peak_bytes"):
        assert totals[0][name] == totals[1][name]


def test_a_layer_that_runs_again_is_not_like_one_that_does_not() -> None:
    graph = layers()
    nodes = [attrs.evolve(node, rerun=None) if ".2." in node.name else node for node in graph.nodes]
    assert len(attrs.evolve(graph, nodes=tuple(nodes)).fold().nodes) == 4


def test_the_explanation_has_what_runs_again() -> None:
    report = graphacct.account(layers(1), phase="train")
    text = str(graphacct.explain(report, "layers.0.up", "step_matmul_flops"))
    assert "the forward pass, run again by the model's own code" in text


def test_a_policy_beside_the_models_own_regions_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"recompute 'full': 'net' has parts of it run again by itself, 'layers.0.act'"
    ):
        graphacct.account(layers(), phase="train", recompute="full")


def test_files_keep_regions(tmp_path: Path) -> None:
    path = tmp_path / "net.graph.json"
    graphacct.save(layers(), path)
    assert graphacct.load(path) == layers()


@pytest.mark.parametrize("rerun", [{"ordinal": 1}, {"depth": -1}, {"depth": True}, {"depth": 1, "times": "2"}])
def test_a_file_with_a_wrong_region_is_refused(tmp_path: Path, rerun: Any) -> None:
    path = tmp_path / "net.graph.json"
    graphacct.save(layers(1), path)
    content = json.loads(path.read_text())
    content["nodes"][0]["rerun"] = rerun
    path.write_text(json.dumps(content))
    with pytest.raises(ReadError, match=r"node 'layers.0.up': 'rerun' has whole numbers from 0, 'depth' among them"):
        graphacct.load(path)
