"""A graph with blocks has every figure of the graph written out: random graphs, and those that once did not."""

from __future__ import annotations

from typing import Any

import pytest
import random_blocks
import written_out
from draws import examples
from hypothesis import HealthCheck, given

import graphacct
from graphacct import Builder, Graph, Parameter, TensorSpec, Value
from graphacct.hooks.manager import default


@examples(100, 10_000, suppress_health_check=list(HealthCheck))
@given(random_blocks.steps())
def test_any_graph_has_the_figures_of_it_written_out(step: random_blocks.Step) -> None:
    """Random graphs with nested blocks, several carries, stacks and shared parameters, some frozen, some nodes run
    again: no figure of any row differs, and a step without gradients at its start takes no more than one with them."""
    assert written_out.differences(step.graph, **step.options) == []


def block(times: int, body: Any, *ends: Any, constants: int = 0, dtype: str = "float32") -> Graph:
    """A graph of one block over (1, 3, 4) values: `body` makes a repetition, `ends` the outputs of what it returns."""
    b = Builder("minimal", default().operators, workload={"phase": "train"})
    shape = (1, 3, 4)
    entering = b.apply("linear", b.input("x", shape), b.parameter("embed", (4, 4)), name="embed")
    found = b.repeat("layers", times, body, entering, constants=(entering,) * constants)
    return b.graph(*[end(b, *found) for end in ends])


def shared(b: Builder, x: Value) -> Value:
    """A product with the weight that all repetitions share."""
    weight = Parameter("shared.weight", TensorSpec((4, 4)))
    return b.apply("linear", x, weight, name="fc")  # type: ignore[no-any-return]


@pytest.mark.parametrize("profile", ["torch-eager-cpu", "torch-autocast-cuda"])
@pytest.mark.parametrize("times", [5, 6, 7, 20])
def test_the_gradient_of_a_weight_that_repetitions_share_is_one(times: int, profile: str) -> None:
    """Each repetition carries h w round and stacks up h, so that the last product leads nowhere. The parts of the
    weight's gradient meet first in the last but two, which stands for others from 6 repetitions on: what it makes there
    is the one gradient, not as many as it stands for."""
    graph = block(times, lambda b, h: (shared(b, h), h), lambda b, h, stack: b.apply("gelu", stack, name="act"))
    assert written_out.differences(graph, profile=profile) == []


@pytest.mark.parametrize("times", [5, 6, 13])
def test_a_value_that_all_repetitions_stack_up_gets_a_part_from_each(times: int) -> None:
    """A constant is returned by every repetition: its gradient is added up once for each but the first."""
    graph = block(
        times,
        lambda b, h, constant: (shared(b, h), constant),
        lambda b, h, stack: b.apply("sum", b.apply("gelu", stack, name="act"), name="loss"),
        constants=1,
    )
    assert written_out.differences(graph) == []
    rows = graphacct.memory(graph).timeline
    assert sum(row.repeat for row in rows if row.operator == "add") == times - 1


@pytest.mark.parametrize("times", [5, 8])
def test_parts_of_a_stacks_gradient_that_meet(times: int) -> None:
    """h is stacked as it enters a repetition and as it leaves it: for each repetition two parts meet, in the node after
    which the stacks are there."""

    def layer(b: Builder, h: Value) -> tuple[Value, ...]:
        left = b.apply("gelu", b.apply("mul", h, h, name="square"), name="act")
        return left, h, left

    graph = block(
        times,
        layer,
        lambda b, h, first, second: b.apply("sum", first, name="sum", dim=0),
        lambda b, h, first, second: b.apply("gelu", second, name="last"),
    )
    assert written_out.differences(graph) == []


def test_stacks_of_layers_that_alternate_have_names_of_their_own() -> None:
    """Two stacks of blocks that are some of the layers each: their nodes written out stand beside the layers' scope,
    and no scope is new."""
    b = Builder("some", default().operators, workload={"phase": "train"})
    x = b.input("x", (1, 3, 4))

    def layer(b: Builder, h: Value) -> tuple[Value, Value]:
        y = b.apply("gelu", h, name="act")
        return y, y

    for start in (0, 3):
        x, stack = b.repeat("layers", 3, layer, x, start=start)
    graph = b.graph(x, stack)
    names = [node.name for node in graph.unroll().nodes if node.operator == "stack"]
    assert names == ["layers_stack_0", "layers_3_stack_0"]
    assert written_out.differences(graph) == []


def test_a_step_without_gradients_takes_no_more_than_one_with_them() -> None:
    """Where each parameter's gradient is made in the step, the peak is at most that of a step whose gradients are there
    from its start, for every family's smallest preset."""
    for name in ("gpt2", "llama-3.2-1b", "bert-base-uncased", "t5-small"):
        for recompute in ("none", "full"):
            found = graphacct.memory(name, seq_len=16, recompute=recompute)
            assert found.fresh_peak <= found.peak + found.gradients <= found.total
