"""Globs select the same parameters and nodes whether layers are folded or written out."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphacct
from graphacct import Builder, Graph, Parameter, Value
from graphacct.errors import ConfigError
from graphacct.graph.paths import indexed
from graphacct.graph.places import nodes
from graphacct.hooks.manager import default
from graphacct.training.recompute import find_policy, recompute_plan
from graphacct.training.selection import frozen


def stack() -> Graph:
    """Twelve layers of one name in three blocks: three, then six by turns, then three."""

    def layer(name: str) -> Callable[[Builder, Value], Value]:
        return lambda b, x: b.apply("linear", x, b.parameter(f"{name}.weight", (4, 4)), name=name)

    b = Builder("stack", default().operators)
    x = b.input("x", (2, 4))
    x = b.repeat("layers", 3, layer("fc1"), x)
    x = b.repeat("layers", 3, [layer("fc1"), layer("fc2")], x, start=3)
    return b.graph(b.repeat("layers", 3, layer("fc1"), x, start=9))


STACK = stack()
NAMES = [node.name for node in STACK.unroll().walk()]


PIECES = ["*", "layers", ".", "1", "10", "?", "[0-4]", "[!3]", "fc1", "fc2", "weight", "+", "2*+3"]


@given(st.lists(st.sampled_from(PIECES), max_size=7))
def test_a_glob_selects_what_it_matches_written_out(parts: list[str]) -> None:
    """Whatever the glob, the parameters that are frozen are those whose own names it matches; unless it repeats the
    `*` of some of the layers, as a folded graph writes them."""
    glob = "".join(parts)
    expected = {f"{name}.weight" for name in NAMES if fnmatchcase(f"{name}.weight", glob)}
    if "2*+3" in glob.split("."):
        expected |= {f"layers.{i}.fc1.weight" for i in (3, 5, 7) if fnmatchcase("layers.2*+3.fc1.weight", glob)}
    if not expected:
        with pytest.raises(ConfigError, match="matches no parameter"):
            frozen(STACK, [glob])
        return
    assert names_of(*frozen(STACK, [glob])) == expected


def names_of(graph: Graph, trained: Callable[[Parameter], bool]) -> set[str]:
    """The full names of the parameters that are not trained."""
    found: set[str] = set()
    for node, place in nodes(graph):
        indices = [range(start, start + repeat) for start, repeat in zip(place.starts, place.repeats, strict=True)]
        left_out = [parameter.name for parameter in node.parameters if not trained(parameter)]
        found.update(indexed(name, index) for name in left_out for index in product(*indices))
    return found


def again(graph: graphacct.Graph, glob: str) -> frozenset[str]:
    """The nodes that a glob has run again."""
    plugins = default()
    return recompute_plan(graph, find_policy(glob, plugins.recompute_policies), plugins.operators).recompute


def test_a_folded_name_may_be_repeated() -> None:
    """What a report prints can be asked for: the `*` of the layers that alternate, or that of all."""
    three, twelve = (names_of(*frozen(STACK, [f"layers.{which}.*"])) for which in ("2*+3", "*"))
    assert three == {f"layers.{i}.fc1.weight" for i in (3, 5, 7)}
    assert len(twelve) == 12


def test_layers_are_run_again_all_or_none() -> None:
    """A glob of single layers is no choice for a folded block; written out, it is."""
    assert again(STACK, "*.fc1") == {"layers.*.fc1", "layers.2*+3.fc1", "layers.*+9.fc1"}
    message = (
        r"recompute 'layers\.1\*' names single layers of a block, whose layers are all run "
        r"again or none: write \* for the index, or give the graph written out \(Graph\.unroll\)"
    )
    with pytest.raises(ConfigError, match=message):
        again(STACK, "layers.1*")
    assert again(STACK.unroll(), "layers.1*") == {f"layers.{index}.fc1" for index in (1, 10, 11)}


def test_adapters_beside_layers_that_alternate() -> None:
    """Rank 1 beside every second layer: A and B of 4 elements each."""
    report = graphacct.account(STACK, lora=["1:*.fc2"])
    assert report.total["params"] == 12 * 16 + 3 * (4 + 4)
    single = graphacct.account(STACK, lora=["1:layers.[0-4].*"])
    assert single.total["params"] == 12 * 16 + 5 * (4 + 4)
