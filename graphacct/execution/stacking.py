"""Stacking: the tensors that a block stacks from the results of its repetitions, one of which may stand for several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphacct.dims import Dim, has_value
from graphacct.execution.kernels import KernelCall, RepeatedSpan, Storage, Tensor, storages
from graphacct.graph.places import Place
from graphacct.graph.walk import BlockEnd
from graphacct.tensors import TensorSpec


def standing_for_several(end: BlockEnd) -> list[Place]:
    """Returns the repetitions of a block that stand for more than themselves; they are in a row."""
    return [place for place in end.repetitions if not (has_value(place.count) and place.count == 1)]


def repeated_span(several: Sequence[Place], starts: Sequence[int], stop: int) -> RepeatedSpan:
    """Returns the calls of the repetitions that stand for several.

    `starts` has the position of the first call of every repetition of the block, `stop` the one after its last call.
    """
    stops = [*starts[1:], stop]
    first, last = several[0].numbers[-1], several[-1].numbers[-1]
    return RepeatedSpan(starts[first], stops[last], several[-1].count, (starts[0], stop))


def standing_results(
    end: BlockEnd, several: Sequence[Place], made: Sequence[Place]
) -> tuple[frozenset[int], frozenset[int]]:
    """Returns the indices of stacked results that stand for several tensors, and of those that stand for several uses
    of one.

    `made` says where each result was made. Of 12 layers layer 1 stands for 10, and the block stacks h, which a layer
    makes, and x, which was there before it and is handed on by all:

        h0, h1, h11     ({1}, {}): ten tensors like h1, each of which gets its part of the stack's gradient
        x, x, x         ({}, {1}): one x, which gets ten parts there
    """
    inside = set(end.repetitions)
    many = [index for index, place in enumerate(made) if any(level in several for level in place.levels)]
    handed_on = [
        index
        for index, (level, place) in enumerate(zip(end.repetitions, made, strict=True))
        if level in several and inside.isdisjoint(place.levels)
    ]
    return frozenset(many), frozenset(handed_on)


def stacked_tensor(repeat: Dim, results: Sequence[Tensor]) -> Tensor:
    """Returns the results of a block's repetitions side by side: a view, each result in the storage it was made in."""
    first, *others = storages(results)
    spec = TensorSpec((repeat, *results[0].spec.shape), results[0].spec.dtype)
    return Tensor(spec, first, any(result.needs_grad for result in results), tuple(others))


def left_behind(
    stacked: Tensor, spans: Sequence[RepeatedSpan], calls: Sequence[KernelCall]
) -> Iterator[tuple[Storage, int]]:
    """Yields the storages of a stacked tensor that are made in a span, each with the span's start.

    Every repetition that the span stands for leaves such a storage behind, and it lives as long as the stack.
    """
    for span in spans:
        made = set(storages(tensor for call in calls[span.start : span.stop] for tensor in call.outputs))
        yield from ((storage, span.start) for storage in stacked.storages if storage in made)
