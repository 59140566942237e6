"""Work has a limit: what is walked is linear in a graph's size, or refused with a way out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphacct import Builder, Graph, GraphacctError, GraphError, ShapeError, Value, account, build, memory, suggest
from graphacct.graph.walk import MOST_RUNS, RUNS_PER_NODE, Run, runs
from graphacct.hooks.manager import default

MANY = 1_000_000_000


def builder() -> Builder:
    return Builder("hostile", default().operators)


def nested(levels: int, times: int, step: str = "gelu") -> Graph:
    """One node in so many blocks, each in the one before."""

    def body(level: int) -> Any:
        def run(b: Builder, x: Value) -> Value:
            if level == levels:
                return b.apply(step, x)
            inside: Value = b.repeat("h", times, body(level + 1), x)
            return inside

        return run

    b = builder()
    return b.graph(body(0)(b, b.input("x", (2, 4))))


def turning(cycles: Sequence[int], times: int) -> Graph:
    """A block whose carried values change places in cycles of these lengths."""
    b = builder()

    def body(inner: Builder, *values: Value) -> list[Value]:
        turned: list[Value] = []
        for length in cycles:
            group = values[len(turned) : len(turned) + length]
            turned += [*group[1:], group[0]]
        return [inner.apply("relu", turned[0]), *turned[1:]]

    return b.graph(*b.repeat("h", times, body, *[b.input("x", (4,))] * sum(cycles)))


def walked(graph: Graph) -> int:
    return sum(isinstance(event, Run) for event in runs(graph))


def test_the_runs_walked_do_not_depend_on_how_often_blocks_repeat() -> None:
    """Five of each block in a block: the first two, one for the middle, the last two."""
    assert [walked(nested(levels, MANY)) for levels in (1, 2, 3)] == [5, 25, 125]
    assert account(nested(2, MANY), phase="train").total["activation_bytes"] == 2 * 4 * 4 * MANY**2  # 8 floats each


def test_the_runs_walked_are_linear_in_the_number_of_nodes() -> None:
    """A chain of blocks has five runs a block."""

    def chain(count: int) -> Graph:
        b = builder()
        x = b.input("x", (2, 4))
        for index in range(count):
            x = b.repeat(f"h{index}", MANY, lambda inner, y: inner.apply("gelu", y), x)
        return b.graph(x)

    assert [walked(chain(count)) for count in (1, 10, 100)] == [5, 50, 500]


@pytest.mark.parametrize("question", [memory, lambda graph: account(graph, phase="train")])
@pytest.mark.parametrize("graph", [nested(9, MANY), nested(16, 2), nested(30, 10)])
def test_nested_blocks_are_refused_before_they_take_long(graph: Graph, question: Any) -> None:
    """Their runs are a power of the depth of nesting: ten thousand are walked, and five more a node."""
    most = f"{MOST_RUNS + RUNS_PER_NODE:,}"
    message = (
        f"the blocks inside 'h.*' have more than {most} runs that may differ, too many to walk one by one: nest fewer "
        "blocks, or ask for a forward report"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        question(graph)
    assert account(graph).total["flops"] > 0


@pytest.mark.parametrize("question", [memory, lambda graph: account(graph, phase="train")])
def test_carried_values_that_take_long_to_come_back_are_refused(question: Any) -> None:
    """Cycles of 2, 3, 5, 7, 11 and 13 are in their old places after 30,030 repetitions."""
    message = (
        "block 'h.*' carries values that change places, so that more than 1,000 repetitions in a row differ, too many "
        "to walk one by one: carry fewer values round, or ask for a forward report"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        question(turning((2, 3, 5, 7, 11, 13), 10**12))
    assert question(turning((2, 3, 5), 10**12)) is not None


def test_a_block_that_is_recomputed_as_a_whole_is_not_written_out_a_billion_times() -> None:
    """All its repetitions are alive at once, so that each counts by itself."""
    b = builder()

    def layer(inner: Builder, x: Value) -> Value:
        y: Value = inner.repeat("blocks", MANY, lambda most, z: most.apply("gelu", z), x)
        return y

    graph = b.graph(b.repeat("layers", 4, layer, b.input("x", (2, 4))))
    message = (
        "is recomputed as a whole, with 1,000,000,000 repetitions that are all alive at once, too many to walk one by "
        r"one (at most 5,000): recompute other nodes"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        memory(graph, recompute="full")


def test_a_split_has_256_equal_parts_at_most() -> None:
    """Each part is a value of its own, of which a line could ask for a billion."""
    b = builder()
    x = b.input("x", (MANY, 3))
    message = "1,000,000,000 parts are too many (at most 256): reshape it, or give the parts' sizes"
    with pytest.raises(ShapeError, match=re.escape(message)):
        b.apply("split", x, parts=MANY, dim=0)


def test_a_name_has_1000_parts_at_most(tmp_path: Path) -> None:
    """Each part is a scope with a row of its own, and a file of a few lines could ask for thousands."""
    name = ".".join("a" * 20_000)
    node = {"name": name, "operator": "relu", "inputs": ["x"]}
    document = {"schema": "graphacct.graph/1", "inputs": [{"name": "x", "shape": [4]}], "nodes": [node]}
    path = tmp_path / "deep.json"
    path.write_text(json.dumps({**document, "outputs": [name]}))
    with pytest.raises(
        GraphacctError, match=r"node 'a\.a.*\(20,000 characters|has a name of 20,000 parts: at most 1,000"
    ):
        account(path)


def test_unnamed_nodes_are_numbered_in_one_step_each() -> None:
    """The builder remembers the last number: it does not look for a free one from 2 on."""

    class Names(set[str]):
        asked = 0

        def __contains__(self, name: object) -> bool:
            Names.asked += 1
            return super().__contains__(name)

    b = builder()
    b._names = Names()
    x = b.input("x", (4,))
    Names.asked = 0
    for _ in range(500):
        x = b.apply("relu", x)
    assert Names.asked <= 4 * 500
    assert [node.name for node in b.graph(x).nodes][-2:] == ["relu_499", "relu_500"]


def test_presets_are_far_below_the_limit() -> None:
    """Jamba, with eight layers in a repetition, walks 1,775 runs of its 363 nodes."""
    graph = build("jamba-1.5-large", phase="train")
    assert walked(graph) < 2_000


def test_a_misspelt_name_is_not_compared_with_endless_ones() -> None:
    """Comparing takes the product of two lengths: a message about a name of 100,000 letters suggests none."""
    assert suggest("a" * 100_000, ["a" * 100_001]) == ""
    assert suggest("lineer", ["b" * 100_000, "linear"]) == "; did you mean 'linear'?"


def test_what_is_written_out_has_a_limit() -> None:
    """A glob of one layer in a billion, and a graph of as many nodes."""
    graph = nested(1, MANY)
    with pytest.raises(
        GraphError, match=r"'hostile' written out has 1000000000 nodes, at most 300,000: leave its blocks"
    ):
        graph.unroll()
    with pytest.raises(
        GraphError, match=r"'h.1.\*' may name single layers of 'h.\*.*more than 100,000 of them: write \* for"
    ):
        memory(graph, recompute="h.1.*")
