"""Matching: which node of the graph each call of a training step belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphacct import Block, Graph, Node
from graphacct_torch.calls import FORWARD, RECOMPUTE, CallRecord
from graphacct_torch.captured import Captured
from graphacct_torch.capturing.autograd import DETACH
from graphacct_torch.tracing.gradients import STARTS, STOPS
from graphacct_torch.training.functions import made_again


def standing(plain: Graph, graph: Graph) -> dict[str, str] | None:
    """Returns the name that each node of a graph without blocks has in the same graph with blocks: that of the node in
    a block's body which stands for it. None if the graphs are not the same."""
    given, found = list(_nodes(plain)), list(_nodes(graph))
    if [node.operator for node in given] != [node.operator for node in found]:
        return None
    return {node.name: other.name for node, other in zip(given, found, strict=True)}


def _nodes(graph: Graph) -> Iterator[Node]:
    """Yields the nodes in the order in which they run, a block's once for each repetition; not those that only stop
    or start gradients, of which a pass without any has none."""
    for item in graph.nodes:
        if isinstance(item, Block):
            assert isinstance(item.repeat, int)
            inside = list(_nodes(item.body))
            for _ in range(item.repeat):
                yield from inside
        elif item.operator not in (STOPS, STARTS):
            yield item


def forward_calls(captured: Captured) -> dict[int, int]:
    """Returns the forward call that each call of the backward pass belongs to, as positions: the one that it makes
    again, or whose gradient it computes. Those that add up a parameter's gradient are not in it.

    A region of torch.utils.checkpoint runs again as a stretch of the same calls. Where a module's calls are alike, the
    last of the stretches that has not run again is taken: the backward pass goes from the end.
    """
    calls = captured.calls
    found = made_again(captured)
    forward = [call for call in calls if call.region and call.func is not DETACH]
    places: dict[Any, list[int]] = {}
    for index, call in enumerate(forward):
        places.setdefault(_key(call), []).append(index)
    makers: dict[int, int] = {}
    for call in calls:
        if call.run == FORWARD:
            makers.setdefault(call.nodes, call.position)
    used: set[int] = set()
    again = [call for call in calls if call.run == RECOMPUTE and call.position not in found]
    index = 0
    while index < len(again):
        starts = places.get(_key(again[index]), ())
        lengths = {start: _length(forward, start, again, index) for start in starts}
        if not lengths:
            index += 1
            continue
        start = max(lengths, key=lambda start: (lengths[start], start not in used, start))
        for step in range(lengths[start]):
            found[again[index + step].position] = forward[start + step].position
            used.add(start + step)
        index += lengths[start]
    for call in calls:
        if call.position in found:
            makers.setdefault(call.nodes, found[call.position])
    for call in calls:
        if call.gradient_of in makers and call.run not in (FORWARD, RECOMPUTE) and call.position not in found:
            found[call.position] = makers[call.gradient_of]
    return found


def _length(forward: Sequence[CallRecord], start: int, again: Sequence[CallRecord], index: int) -> int:
    """How many calls from `start` are made again in the same order."""
    length = 0
    while (
        start + length < len(forward)
        and index + length < len(again)
        and (length == 0 or again[index + length].position == again[index + length - 1].position + 1)
        and _key(forward[start + length]) == _key(again[index + length])
    ):
        length += 1
    return length


def _key(call: CallRecord) -> Any:
    """What two runs of a call have in common."""
    return (call.func, call.scope, tuple((tensor.shape, tensor.dtype) for tensor in call.operands))


def node_names(calls: Sequence[CallRecord], nodes: Mapping[int, str], forward: Mapping[int, int]) -> list[str]:
    """Returns the node that each call belongs to, given those that calls became and what `forward_calls` found."""
    readers: dict[int, int] = {}
    names: dict[int, str] = dict(nodes)
    for call in reversed(calls):
        if call.run == FORWARD:
            if call.position not in names:
                reader = next((readers[made.index] for made in call.outputs if made.index in readers), -1)
                if reader in names:
                    names[call.position] = names[reader]
            readers.update((tensor.index, call.position) for tensor in call.operands)
    following = ""
    for call in reversed(calls):
        if call.run == FORWARD:
            following = names.get(call.position, following)
            if call.position not in names and following:
                names[call.position] = following
    last = next(iter(names.values()), "")
    found = []
    for call in calls:
        if call.run == FORWARD:
            last = names.get(call.position, last)
        else:
            last = names.get(forward.get(call.position, -1), last)
        found.append(last)
    return found
