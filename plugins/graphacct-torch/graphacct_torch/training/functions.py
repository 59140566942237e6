"""What a torch.autograd.Function keeps: what its own code saves, not what the operators of its forward declare.

Its forward runs while nothing is recorded, as one node of autograd. A capture of a step says which tensors that node
saved. Each is noted at the first node of the function that reads or makes it, since the last that the backward pass
reaches frees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from graphacct import FLOATING, Graph, Node, Rerun, Value
from graphacct_torch.calls import ACTIVATION, FORWARD, CallRecord, StorageRecord, TensorRecord
from graphacct_torch.captured import Captured
from graphacct_torch.tracing.graph import Traced


def functions(captured: Captured) -> dict[int, list[int]]:
    """Returns the positions of the calls that ran within a Function each, by the number of its node. What it returns
    needs a gradient, unlike what runs under `no_grad`. Not those whose cost is stated, nor checkpoints."""
    wanted = set(captured.graded).union(*[call.graded for call in captured.calls if call.grads])
    stated = {place for whole in captured.wholes for place in range(whole.first, whole.last + 1)}
    found: dict[int, list[int]] = {}
    for call in captured.calls:
        if call.run == FORWARD and not call.grads and not call.region and call.position not in stated:
            found.setdefault(call.nodes, []).append(call.position)
    calls = captured.calls
    made = {
        number: {made.index for place in inside for made in calls[place].outputs} for number, inside in found.items()
    }
    return {number: inside for number, inside in found.items() if not wanted.isdisjoint(made[number])}


def kept(step: Captured, traced: Traced) -> dict[str, tuple[int, ...]]:
    """Returns what the nodes in Functions keep, as `Node.keeps`, given the capture of a step and its graph."""
    made = {node.name: node for node in traced.graph.nodes if isinstance(node, Node)}
    roots = _roots(made.values())
    found: dict[str, tuple[int, ...]] = {}
    for positions in functions(step).values():
        inside = set(positions)
        names = dict.fromkeys(traced.nodes[place] for place in positions if place in traced.nodes)
        nodes = [made[name] for name in names]
        saves = {save.tensor.storage for save in step.saved if save.position in inside} | _left(step, inside)
        places: dict[str, list[int]] = {name: [] for name in names}
        for storage in saves:
            if storage.kind == ACTIVATION:
                where = _place(traced.made.get(storage.index, ""), nodes, roots)
                if where is None:
                    break
                places[where[0]].append(where[1])
        else:
            found |= {name: tuple(sorted(numbers)) for name, numbers in places.items()}
    return found


def _left(step: Captured, inside: Collection[int]) -> set[StorageRecord]:
    """Returns what a Function's forward made and lives in the backward pass without having been saved or returned: a
    tensor that its code set on ctx, which no hook sees."""
    first = next((call.position for call in step.calls if call.run != FORWARD), len(step.calls))
    made = {tensor.storage for place in inside for tensor in step.calls[place].outputs}
    read = {tensor.storage for call in step.calls[:first] if call.position not in inside for tensor in call.operands}
    read |= {tensor.storage for tensor in (*step.outputs, *step.starts)}
    return {
        storage
        for storage in made - read
        if storage.kind == ACTIVATION and storage.born in inside and (storage.died is None or storage.died >= first)
    }


def with_functions(graph: Graph, keeps: Mapping[str, tuple[int, ...]], times: Mapping[str, int]) -> Graph:
    """Returns a graph whose nodes keep what they are said to, and run again as often."""

    def said(node: Node) -> Node:
        count = times.get(node.name, 0)
        made = attrs.evolve(node, keeps=keeps[node.name], rerun=Rerun(0, 0, count) if count else None)
        return made if node.application is None else made.applied(node.application)

    nodes = [said(node) if isinstance(node, Node) and node.name in keeps else node for node in graph.nodes]
    return attrs.evolve(graph, nodes=tuple(nodes))


def _roots(nodes: Iterable[Node]) -> dict[str, str]:
    """Returns the value in whose storage each value is, if it is in another's."""
    found: dict[str, str] = {}
    for node in nodes:
        application = node.application
        if application is not None and (application.view or application.in_place):
            source = next((operand.name for operand in node.inputs if isinstance(operand, Value)), "")
            found.update((value.name, found.get(source, source)) for value in node.outputs)
    return found


def _place(value: str, nodes: Iterable[Node], roots: Mapping[str, str]) -> tuple[str, int] | None:
    """Returns the first node that a gradient may pass and that reads or makes a value, with the value's place."""
    root = roots.get(value, value)
    for node in nodes:
        application = node.application
        if application is None or application.view or node.outputs[0].spec.dtype not in FLOATING:
            continue
        for place, operand in enumerate(node.inputs):
            if isinstance(operand, Value) and roots.get(operand.name, operand.name) == root:
                return node.name, place
        for place, made in enumerate(node.outputs):
            if roots.get(made.name, made.name) == root:
                return node.name, -1 - place
    return None


def again(step: Captured, traced: Traced) -> dict[str, int]:
    """Returns how often the backward passes of Functions run the nodes of their forward again, those that they do."""
    return Counter(traced.nodes[place] for place in made_again(step).values() if place in traced.nodes)


def made_again(step: Captured) -> dict[int, int]:
    """Returns the calls that the backward passes of Functions make again, by position, with that of the forward call.

    A call is one of the forward's again if it reads the same, or, where the code records gradients once more, if it is
    the same operator on the same shapes.
    """
    groups = functions(step)
    same: dict[int, int] = {}  # the storage of the forward pass that one of the backward pass is again
    found: dict[int, int] = {}
    for call in step.calls:
        if call.run == FORWARD or call.gradient_of not in groups:
            continue
        for place in groups[call.gradient_of]:
            first = step.calls[place]
            if call.func is first.func and _alike(call, first, same, exactly=not call.grads):
                pairs = zip(call.outputs, first.outputs, strict=True)
                same.update((made.storage.index, before.storage.index) for made, before in pairs)
                found[call.position] = place
                break
    return found


def _alike(call: CallRecord, first: CallRecord, same: Mapping[int, int], exactly: bool) -> bool:
    """Whether two calls of an operator read operands of the same shapes, or exactly the same operands."""

    def key(tensor: TensorRecord) -> Any:
        storage = tensor.storage.index
        where = (same.get(storage, storage), tensor.strides, tensor.offset) if exactly else ()
        return (tensor.shape, tensor.dtype, where)

    return [*map(key, call.operands)] == [*map(key, first.operands)]
