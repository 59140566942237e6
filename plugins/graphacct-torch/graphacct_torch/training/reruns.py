"""Reruns: which nodes of a checkpointed region run again in a training step, and how often.

Not those after the last that the region's gradients need, and those of a region within another twice.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct import Graph, Node, Rerun
from graphacct_torch.calls import FORWARD, RECOMPUTE, CallRecord


def again(calls: Sequence[CallRecord], nodes: Mapping[int, str], forward: Mapping[int, int]) -> dict[str, int]:
    """Returns how often each node runs again in a training step, given the node that each call became and the forward
    call that each call of the backward pass belongs to."""
    positions = (forward.get(call.position, -1) for call in calls if call.run == RECOMPUTE)
    return Counter(nodes[position] for position in positions if position in nodes)


def with_reruns(graph: Graph, calls: Sequence[CallRecord], nodes: Mapping[int, str], times: Mapping[str, int]) -> Graph:
    """Returns the graph of a capture, whose nodes in regions say so."""
    regions: dict[str, int] = {}
    for call in calls:
        if call.run == FORWARD and call.region and call.position in nodes:
            regions.setdefault(nodes[call.position], call.region)
    members: dict[int, list[str]] = {}
    for name, region in regions.items():
        members.setdefault(region, []).append(name)
    found: dict[str, Rerun] = {}
    ordinals: Counter[tuple[str, ...]] = Counter()
    for names in members.values():
        shared = _shared(names)
        for name in names:
            found[name] = Rerun(len(shared), ordinals[shared], times.get(name, 0))
        ordinals[shared] += 1
    return attrs.evolve(graph, nodes=tuple(_with_rerun(node, found) for node in graph.nodes))


def _shared(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the parts that begin the scopes of all names."""
    scopes = [name.split(".")[:-1] for name in names]
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*scopes, strict=False))
    return tuple(parts[0] for parts in shared)


def _with_rerun(node: Any, found: Mapping[str, Rerun]) -> Any:
    if not isinstance(node, Node) or node.name not in found:
        return node
    made = attrs.evolve(node, rerun=found[node.name])
    return made if node.application is None else made.applied(node.application)
