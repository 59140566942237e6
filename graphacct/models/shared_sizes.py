"""One workload for several models: where the lengths that they take by themselves differ, the shortest is for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphacct.graph.graph import Graph
from graphacct.models.find import ModelChoice
from graphacct.models.read_choice import ReadChoice
from graphacct.models.size import own_size
from graphacct.phases import GENERATE

LENGTHS = ("seq_len", "encoder_seq_len")
"""The sizes that every model of text takes, each with a default of its own."""


def shared_sizes(
    found: Sequence[Graph | ModelChoice | ReadChoice], options: Mapping[str, Any]
) -> dict[str, tuple[int | None, ...]]:
    """Returns each length that the options leave open and of which models have different ones, with each model's own;
    None of a model without it.

    The shortest is the one that all can run: a model may have learned no position beyond its own. A finished graph that
    is longer than that cannot, so nothing is shared with it.
    """
    if options.get("phase") == GENERATE or options.get("cache_len") is not None:
        return {}
    shared = {}
    for name in LENGTHS:
        if options.get(name) is None:
            own = tuple(_own(each, name, options.get("set") or {}) for each in found)
            sizes = {size for size in own if size is not None}
            fixed = {size for size, each in zip(own, found, strict=True) if isinstance(each, Graph)} - {None}
            if len(sizes) > 1 and fixed <= {min(sizes)}:
                shared[name] = own
    return shared


def _own(found: Graph | ModelChoice | ReadChoice, name: str, keys: Mapping[str, Any]) -> int | None:
    if isinstance(found, Graph):
        size = found.workload.get(name)
        return size if type(size) is int else None
    return own_size(found, name, keys) if isinstance(found, ModelChoice) else None
