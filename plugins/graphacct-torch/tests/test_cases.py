"""The cases against what was measured: parameters and their names, ties, buffers, matmul FLOPs of a pass and a step."""

from __future__ import annotations

from typing import Any

import pytest
from measured import NAMES, factory, truth

import graphacct
from graphacct import Graph, Parameter


def parameters(graph: Graph) -> dict[str, Parameter]:
    """Every parameter and buffer of a graph by its name."""
    return {operand.name: operand for node in graph.unroll().nodes for operand in node.parameters}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_module(name: str) -> None:
    graph, known = graphacct.build(factory(name)), truth(name)
    found = parameters(graph)
    own = {path: p for path, p in found.items() if not p.buffer and not p.tied_to}
    assert {path: [*p.spec.shape] for path, p in own.items()} == known["parameters"]
    assert {path: p.tied_to for path, p in found.items() if p.tied_to} == known["tied"]
    assert {path for path, p in own.items() if p.frozen} == set(known["frozen"])
    assert {path for path, p in found.items() if p.buffer} == set(known["buffers"])


@pytest.mark.parametrize("name", NAMES)
def test_products_of_a_pass_by_module(name: str) -> None:
    written_out = graphacct.build(factory(name)).unroll()  # each layer under its own name
    report, known = graphacct.account(written_out), truth(name)
    by_module: dict[str, Any] = dict.fromkeys(known["forward_by_module"], 0)
    for record in report.annotated.costs:
        for path in by_module:
            if not path or f"{record.node.name}.".startswith(f"{path}."):
                by_module[path] += record.cost.matmul_flops * record.times
    assert report.total["matmul_flops"] == known["forward_matmul_flops"]
    assert by_module == known["forward_by_module"]


@pytest.mark.parametrize("name", NAMES)
def test_products_of_a_step(name: str) -> None:
    """What a checkpoint runs again is measured; the scores that a fused attention's kernel computes again are not."""
    total = graphacct.account(factory(name), phase="train", loss="sum", profile="as-recorded").total
    again = total["recompute_matmul_flops"] if name == "checkpointed" else 0
    assert total["step_matmul_flops"] + again == truth(name)["train_matmul_flops"]
