"""Folding any graph that is written out: random ones, random changes of them, and the presets."""

from __future__ import annotations

from random import Random

import attrs
import pytest
import random_blocks
import strategies
import written_out
from draws import MANY, examples
from folded import count, folded
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import graphacct
from graphacct import Graph, GraphacctError, Parameter, Value
from graphacct.graph.validate import validate
from graphacct.models.find import presets


@examples(30, 10_000, suppress_health_check=list(HealthCheck))
@given(random_blocks.steps())
def test_fold_is_the_way_back(step: random_blocks.Step) -> None:
    """Random graphs with nested blocks, several carries, stacks, held values, and shared, tied and frozen parameters:
    written out, folded and written out again they are the same, and every figure of the folded one is that of it
    written out."""
    flat = step.graph.unroll()
    again = folded(flat)
    assert count(step.graph) <= count(flat)
    assert count(again) <= count(flat)
    assert written_out.differences(again, **step.options) == []


@examples(30, 3_000, suppress_health_check=list(HealthCheck))
@given(strategies.graphs())
def test_fold_is_the_way_back_from_small_blocks(graph: Graph) -> None:
    """The same for random graphs whose blocks repeat at most three times."""
    folded(graph.unroll())


@examples(30)
@given(strategies.dags())
def test_a_graph_without_layers_stays_as_it_is(graph: Graph) -> None:
    """Names without an index are of no list."""
    assert graph.fold() is graph


BIG = (
    *("llama-3-70b", "gpt2-xl", "t5-large", "whisper-large-v2", "mamba-codestral-7b", "deepseek-v3", "gemma-3-1b"),
    *(
        "mixtral-8x7b",
        "jamba-v0.1",
        "convnext-tiny-224",
        "hf-resnet-34",
        "gpt-oss-20b",
        "bart-large",
        "vit-base-patch16-224",
    ),
)


@pytest.mark.parametrize("name", [name for name in presets() if name != "deepseek_v2"] if MANY else BIG)
def test_presets_fold_into_their_blocks(name: str) -> None:
    """A preset that is written out and folded has no more nodes than its family describes it with."""
    graph = graphacct.build(name)
    again = folded(graph.unroll())
    assert count(again) <= count(graph)


@pytest.mark.parametrize("name", ["gpt2", "llama-3.2-1b", "t5-small", "gemma-3-1b"])
def test_a_folded_preset_has_the_figures_of_its_family(name: str) -> None:
    """Every figure of a training step, of memory and of its timeline."""
    graph = graphacct.build(name, seq_len=16, phase="train")
    assert written_out.figures(graph.unroll().fold()) == written_out.figures(graph)


def changed(graph: Graph, random: Random) -> Graph:
    """A graph that is written out with one to three changes: another output, operand or parameter, another hold."""
    nodes, held, outputs = list(graph.nodes), dict(graph.held), list(graph.outputs)
    made = [(index, value) for index, node in enumerate(nodes) for value in node.outputs]
    for _ in range(random.choice((1, 1, 2, 3))):
        kind, index = (
            random.choice(("output", "hold", "drop", "value", "value", "parameter")),
            random.randrange(len(nodes)),
        )
        node, value = nodes[index], random.choice(made)[1]
        if kind == "output" and value not in outputs:
            outputs.append(value)
        elif kind == "hold":
            parts = node.name.split(".")
            held[value.name] = ".".join(parts[: random.randint(0, len(parts))])
        elif kind == "drop" and held:
            held.pop(random.choice(list(held)))
        elif kind in ("value", "parameter") and node.operator != "stack":
            wanted = Value if kind == "value" else Parameter
            places = [place for place, operand in enumerate(node.inputs) if isinstance(operand, wanted)]
            if places:
                operands, place = list(node.inputs), random.choice(places)
                known = [*graph.inputs, *(each for maker, each in made if maker < index)]
                if kind == "parameter":
                    known = [operand for other in nodes for operand in other.inputs if isinstance(operand, Parameter)]
                operands[place] = random.choice([each for each in known if each.spec == operands[place].spec])
                nodes[index] = attrs.evolve(node, inputs=tuple(operands))
    return attrs.evolve(graph, nodes=tuple(nodes), held=held, outputs=tuple(outputs))


@examples(30, 3_000, suppress_health_check=list(HealthCheck))
@given(random_blocks.steps(), st.integers(0, 2**32))
def test_where_layers_differ_no_figure_changes(step: random_blocks.Step, seed: int) -> None:
    """Layers of which one has another operand, parameter, hold or result fold as far as nothing changes."""
    graph = changed(step.graph.unroll(), Random(seed))
    try:
        validate(graph)
        expected = written_out.figures(graph, **step.options)
    except (GraphacctError, AssertionError):
        return  # a change that makes no graph
    assert written_out.figures(folded(graph), **step.options) == expected
