"""Nodes whose own code says what they keep for the backward pass (`Node.keeps`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import Builder, Graph, ReadError, Rerun
from graphacct.hooks.manager import default

X = 4 * 8 * 4


def net(keeps: tuple[int, ...] | None, times: int = 0) -> Graph:
    """A linear layer, then x * x for another x, then a sum; the product keeps what it is told."""
    b = Builder("net", default().operators)
    h = b.apply("linear", b.input("x", (4, 8)), b.parameter("a.weight", (8, 8)), name="a")
    y = b.apply("mul", h, b.apply("scale", h, name="twice"), name="y")
    graph = b.graph(b.apply("sum", y, dim=(0, 1), keepdim=False, name="loss"))
    rerun = Rerun(0, 0, times) if times else None
    nodes = [attrs.evolve(n, keeps=keeps, rerun=rerun) if n.name == "y" else n for n in graph.walk()]
    return attrs.evolve(graph, nodes=tuple(nodes))


@pytest.mark.parametrize(("keeps", "saved"), [(None, 2 * X), ((), 0), ((1,), X), ((0, -1), 2 * X), ((0, 1, -1), 3 * X)])
def test_operands_and_outputs_are_kept_by_their_places(keeps: Any, saved: int) -> None:
    assert graphacct.memory(net(keeps), phase="train", profile="torch-eager-cpu").saved_activations == saved


def test_what_runs_again_is_work_and_no_region() -> None:
    once, twice = (graphacct.account(net((0,), times), phase="train").total for times in (0, 1))
    assert twice["step_flops"] - once["step_flops"] == 4 * 8
    assert twice["saved_bytes"] == once["saved_bytes"] == X


def test_in_place_nothing_is_copied_for_a_function() -> None:
    def calls(keeps: Any) -> list[str]:
        b = Builder("net", default().operators)
        h = b.apply("linear", b.input("x", (4, 8)), b.parameter("a.weight", (8, 8)), name="a")
        y = b.apply("mul", h, b.parameter("w", (8,)), name="y", in_place=True)
        graph = b.graph(b.apply("sum", y, dim=(0, 1), keepdim=False, name="loss"))
        nodes = [attrs.evolve(n, keeps=keeps) if n.name == "y" else n for n in graph.walk()]
        from graphacct.execution.schedule import schedule

        return [call.name for call in schedule(attrs.evolve(graph, nodes=tuple(nodes)), default().operators).calls]

    assert "copy of an overwritten tensor" in calls(None)
    assert "copy of an overwritten tensor" not in calls(())


def test_a_file_has_it_and_a_wrong_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    graphacct.save(net((1, -1)), str(path))
    assert graphacct.load(str(path)) == net((1, -1))
    content = json.loads(path.read_text())
    next(node for node in content["nodes"] if node["name"] == "y")["keeps"] = [2]
    path.write_text(json.dumps(content))
    with pytest.raises(ReadError, match=r"node 'y': 'keeps' has places of operands, and -1 less those of outputs"):
        graphacct.load(str(path))
