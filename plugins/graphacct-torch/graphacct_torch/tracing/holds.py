"""Holds: tensors that Python keeps after their last use, as a variable of a module's function does.

The capture saw when each storage died. Where that is after the last call that read it, the graph holds the value until
the end of the module that ran then, so that the peaks of a profile are those of the module's own code.
"""

from __future__ import annotations

from bisect import bisect_right

import attrs

from graphacct import Graph, Node
from graphacct_torch.calls import ACTIVATION, StorageRecord
from graphacct_torch.captured import Captured
from graphacct_torch.tracing.graph import Traced


def with_holds(graph: Graph, captured: Captured, traced: Traced) -> Graph:
    """Returns the graph of a capture's forward calls with what its module's code holds."""
    nodes = traced.nodes
    made = {node.name: node for node in graph.nodes if isinstance(node, Node)}
    read: dict[int, int] = {}
    storages: dict[int, StorageRecord] = {}
    for call in captured.calls:
        read.update((tensor.storage.index, call.position) for tensor in call.operands)
        storages.update((tensor.storage.index, tensor.storage) for tensor in call.outputs)
    places = sorted(nodes)
    order = {name: index for index, name in enumerate(made)}
    ends = {scope: order[name] for name in made for scope in _scopes(name)}
    starts = {scope: order[name] for name in reversed(made) for scope in _scopes(name)}
    held = dict(graph.held)
    for index, storage in storages.items():
        maker = made.get(nodes.get(storage.born, ""))
        value = traced.made.get(index)
        if storage.kind != ACTIVATION or storage.died is None or maker is None or value is None:
            continue
        last = max(read.get(index, storage.born), storage.born)
        until = bisect_right(places, storage.died) - 1
        if until >= 0 and places[until] > last and nodes[places[until]] != maker.name:
            end = nodes[places[until]]
            after = [scope for scope in _scopes(end) if ends[scope] == order[end] and starts[scope] > order[maker.name]]
            # an argument stays until the function that was called with it returns, the outermost one
            held[value] = after[0] if after else end
    return attrs.evolve(graph, held=held)


def _scopes(name: str) -> list[str]:
    """Returns the scopes that a node is in, the widest first, and its own name: `a`, `a.b`, `a.b.c`."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
