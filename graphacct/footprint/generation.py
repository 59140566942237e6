"""The memory of a generation: its highest step, and the cache that it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError
from graphacct.footprint.memory import Memory, memory, total
from graphacct.graph.graph import Graph
from graphacct.graph.places import nodes
from graphacct.hooks.manager import Plugins
from graphacct.keywords import check_no_training, separated
from graphacct.models.find import find_model
from graphacct.models.finished import untrainable
from graphacct.phases import DECODE, GENERATE, PREFILL

if TYPE_CHECKING:
    from graphacct.models.generate import Generation
    from graphacct.models.steps import Sample


def memory_of(model: object, *, unknown: str, plugins: Plugins, **options: Any) -> Memory:
    """Returns the memory of a model in any phase, a generation among them. The arguments are those of `memory`, and so
    are the errors."""
    if options.get("phase") != GENERATE:
        return memory(model, unknown=unknown, plugins=plugins, **options)
    from graphacct.models.generate import generation

    asked, others = separated(options)
    found = find_model(model, plugins, others.get("set") or {})
    check_no_training(asked, untrainable(found), allowed=("profile", "dp", "zero"))
    return generation_memory(generation(found, others, plugins), unknown, asked)


def total_of(model: object, *, unknown: str, plugins: Plugins, **options: Any) -> Any:
    """Returns the total of that alone."""
    if options.get("phase") != GENERATE:
        return total(model, unknown=unknown, plugins=plugins, **options)
    return memory_of(model, unknown=unknown, plugins=plugins, **options).total


def generation_memory(asked: Generation, unknown: str, training: Mapping[str, Any]) -> Memory:
    """Returns the memory of the step of a generation that needs the most, with the cache at the generation's end.

    The prefill is looked at, and the steps at both ends of each piece in which steps have the same nodes. There each
    tensor is a polynomial in the length of the cache, without a maximum inside: what is alive together is highest at an
    end. `training` are the options of `memory` that are none of `build`'s.

    Raises ConfigError if sizes are symbols or arrays.
    """
    prefill = asked.prefill()
    how = {"unknown": unknown, "plugins": asked.plugins, **training}
    highest = memory(asked.found, **how, **asked.prefill_options(prefill))
    if type(highest.total) is not int:
        raise ConfigError("a generation looks at whole steps: give a number for every size, no symbol and no array")
    last, step, cached = highest, None, None
    if asked.first <= asked.last:
        from graphacct.models.steps import Steps, marks

        steps = Steps(lambda length: _sample(asked.step(length, prefill)), asked.first, asked.last)
        ends = [steps.sample(length).source for length in (asked.first, asked.last)]
        step = ends[1]
        for length in sorted({end for piece in steps.pieces(marks(ends)) for end in piece}):
            last = memory(asked.found, **how, **asked.step_options(length, prefill))
            if last.total > highest.total:
                highest, cached = last, length
    return attrs.evolve(
        highest,
        phase=GENERATE,
        workload=asked.workload(prefill, step),
        kv_cache_bytes=last.kv_cache_bytes,
        kv_bytes_next_token=last.kv_bytes_next_token,
        peak_phase=PREFILL if cached is None else DECODE,
        peak_cache_len=cached,
    )


def _sample(graph: Graph) -> Sample:
    """Returns what a step's memory depends on: its nodes, and the sizes of what they make."""
    from graphacct.models.steps import Sample

    names = tuple((node.name, node.operator, place.times) for node, place in nodes(graph))
    return Sample(names, tuple(_sizes(graph)), graph)


def _sizes(graph: Graph) -> Iterator[Any]:
    for node, _ in nodes(graph):
        for value in node.outputs:
            yield from value.spec.shape
