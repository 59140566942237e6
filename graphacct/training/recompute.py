"""Recomputation: which nodes the backward pass runs again, so that less has to be saved.

A policy decides. `--recompute NAME` asks for one, and a glob of nodes is a policy too. The nodes of a layer that run
again, and those whose outputs are saved instead, are one region. Its backward pass starts from the values that entered
the region and runs again what was not saved (Chen et al., 2016, arXiv:1604.06174).

A layer is the outermost scope with an index (`paths.outermost`): `model.layers.3`, `model.layers.*` in a block,
`model.layers.2*` and `model.layers.2*+1` in a block of layers that alternate. Names alone say so, hence a graph
has the same layers written out. The transformers library checkpoints these modules (GradientCheckpointingLayer).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from graphacct.errors import ConfigError, PluginError, brief, failure
from graphacct.graph.attention_core import attention_core
from graphacct.graph.globs import closest, matching, names, names_single
from graphacct.graph.graph import Graph, Node
from graphacct.graph.ordinals import Ordinals
from graphacct.graph.paths import outermost
from graphacct.graph.places import nodes
from graphacct.operators.operator import Operator

KEEP, RECOMPUTE, SAVE = "keep", "recompute", "save"
"""A policy's words for a node. `keep`: its backward pass finds all it needs saved, as without recomputation.
`recompute`: it runs again. `save`: its outputs are saved, so it does not; what else its backward pass needs, the
others' second run gives."""


@attrs.frozen(repr=False)
class RecomputePlan:
    """What a policy makes of a graph.

    Attributes:
        recompute: The names of the nodes that are run again.
        saved: The names of the nodes in the same regions whose outputs are saved, so that they do not run again.
    """

    recompute: frozenset[str] = frozenset()
    saved: frozenset[str] = frozenset()


NO_RECOMPUTE = RecomputePlan()


@attrs.frozen(eq=False, repr=False)
class RecomputePolicy:
    """Which nodes the backward pass runs again.

    Attributes:
        name: What users call it.
        doc: One sentence.
        of_node: `of_node(node, operator, ordinal)` is asked of each node in a layer: `keep`, `recompute` or `save`.
            `operator` is None if none is registered; `ordinal` counts the nodes of the same operator in the same
            layer, from 0.
        of_graph: Instead of `of_node`: returns the plan for a whole graph, given the registered operators by name.
        replaces: Whether it takes the place of a policy of this name from another plugin.
    """

    name: str
    doc: str
    of_node: Callable[[Node, Operator | None, int], str] | None = None
    of_graph: Callable[[Graph, Mapping[str, Operator]], RecomputePlan] | None = None
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<RecomputePolicy {self.name}>"

    def __attrs_post_init__(self) -> None:
        if (self.of_node is None) == (self.of_graph is None):
            raise ConfigError(f"recompute policy {self.name!r} has either of_node= or of_graph=")


def find_policy(name_or_glob: str, known: Mapping[str, RecomputePolicy]) -> RecomputePolicy:
    """Returns the policy of this name, or else the one that runs again the nodes that a glob matches."""
    if name_or_glob in known:
        return known[name_or_glob]
    return RecomputePolicy(
        name_or_glob, "", of_graph=lambda graph, operators: _matched(graph, name_or_glob, tuple(known))
    )


def recompute_plan(graph: Graph, policy: RecomputePolicy, operators: Mapping[str, Operator]) -> RecomputePlan:
    """Returns what the backward pass of a graph runs again under a policy; without one, what the model itself has it
    run again (`Node.rerun`).

    Raises ConfigError if the graph has no such nodes, with the closest name for a glob, and for a policy beside the
    model's own regions. Raises PluginError, which names
    the policy and the node, if the policy's function fails or returns another word.
    """
    own = frozenset(node.name for node in graph.walk() if node.in_region)
    if own:
        if policy.of_graph is not _nothing:
            raise ConfigError(
                f"recompute {brief(policy.name)}: {graph.name!r} has parts of it run again by itself, "
                f"{next(iter(sorted(own)))!r} among them: leave recompute out, or checkpointing in the model's code"
            )
        return RecomputePlan(own)
    if policy.of_graph is not None:
        return policy.of_graph(graph, operators)
    assert policy.of_node is not None
    ordinals = Ordinals()
    found: dict[str, set[str]] = {KEEP: set(), RECOMPUTE: set(), SAVE: set()}
    for node, place in nodes(graph):
        if not outermost(node.name):
            continue  # in no layer
        who = f"recompute policy {policy.name!r} on node {node.name!r}, operator {node.operator!r},"
        try:
            word: object = policy.of_node(node, operators.get(node.operator), ordinals.of(node, place.starts))
        except Exception as error:
            raise PluginError(failure(who, error)) from error
        if not isinstance(word, str) or word not in found:
            raise PluginError(f"{who} returned {brief(word)}, which is none of {', '.join(found)}")
        found[word].add(node.name)
    if not any(found.values()):
        raise ConfigError(
            f"recompute {policy.name} decides about the nodes of layers, and {graph.name!r} has none: give a glob of "
            "nodes"
        )
    return RecomputePlan(frozenset(found[RECOMPUTE]), frozenset(found[SAVE]))


def _nothing(graph: Graph, operators: Mapping[str, Operator]) -> RecomputePlan:
    return NO_RECOMPUTE


def _layers(graph: Graph, operators: Mapping[str, Operator]) -> RecomputePlan:
    inside = frozenset(node.name for node in graph.walk() if outermost(node.name))
    if not inside:
        raise ConfigError(
            f"recompute full runs layers again, scopes with an index such as layers.0, and {graph.name!r} has none: "
            "give a glob of nodes"
        )
    return RecomputePlan(inside)


def _attention(graph: Graph, operators: Mapping[str, Operator]) -> RecomputePlan:
    core = attention_core(graph, operators)
    if not core:
        raise ConfigError(
            f"recompute selective runs the attention core again, and {graph.name!r} has none (a product of two "
            "activations, a softmax and another such product, or fused attention): give a glob of nodes"
        )
    return RecomputePlan(core)


def _matched(graph: Graph, glob: str, policies: tuple[str, ...]) -> RecomputePlan:
    known = names(graph, lambda node: [node.name])
    if names_single(glob, known):
        raise ConfigError(
            f"recompute {brief(glob)} names single layers of a block, whose layers are all run again or none: write * "
            "for the index, or give the graph written out (Graph.unroll)"
        )
    found = frozenset(matching(glob, known))
    if not found:
        raise ConfigError(
            f"recompute {brief(glob)} matches no node{closest(glob, (*known, *policies))} "
            f"(policies: {', '.join(policies)}; or a glob of nodes)"
        )
    return RecomputePlan(found)


NONE = RecomputePolicy("none", "Nothing is run again: all that the backward pass needs is kept.", of_graph=_nothing)
FULL = RecomputePolicy("full", "Each layer is run again, from what entered it.", of_graph=_layers)
SELECTIVE = RecomputePolicy(
    "selective",
    "The attention core is run again: much memory, little work (Korthikanti et al., 2022).",
    of_graph=_attention,
)
