"""Sharing: parameters that several blocks use, repetition by repetition.

A siamese encoder runs twice, as two blocks whose nodes use the same `layers.*.weight`. Repetition i of both uses tensor
i, so both repeat equally often, and a step schedules every repetition of both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphacct.dims import Dim, dim_text, same
from graphacct.errors import GraphError, brief
from graphacct.graph.graph import Block, Graph
from graphacct.graph.paths import index_of, is_index, pattern
from graphacct.graph.places import nodes


def check_repeats(where: str, name: str, repeats: Sequence[Dim], before: Sequence[Dim]) -> None:
    """Raises GraphError unless a parameter's `*`s stand for the same indices at both of its uses."""
    if not all(map(same, repeats, before)):
        here, there = (" × ".join(map(dim_text, count)) for count in (repeats, before))
        raise GraphError(
            f"{where}: parameter {brief(name)} is that of {here} repetitions here but of {there} elsewhere; blocks "
            "that share it repeat equally often: split the longer block where the shorter one ends"
        )


def check_apart(names: Sequence[tuple[str, Sequence[int], Sequence[Dim]]]) -> None:
    """Checks that names which are spelled in different ways stand for different tensors.

    Takes each name with the first index and the number of repetitions of every block around it. Raises GraphError for
    `layers.*` of five layers beside `layers.3`, which is one of them.
    """
    starred = {pattern(name) for name, _, _ in names if "*" in name}
    levels = {row.count(".") for row in starred}
    alike: dict[str, list[tuple[str, Sequence[int], Sequence[Dim]]]] = {}
    for item in names:
        name = item[0]
        if name.count(".") in levels and (row := pattern(name)) in starred:
            alike.setdefault(row, []).append(item)
    checked = set()  # the indices of the parameters of one module are those of another
    for found in alike.values():
        if len(found) > 1:
            indexed = [(name, _indices(name, starts, repeats)) for name, starts, repeats in found]
            stood = tuple([("*" in name, *indices) for name, indices in indexed])
            if stood not in checked:
                _check_apart(indexed)
                checked.add(stood)


def _check_apart(names: list[tuple[str, Sequence[range]]]) -> None:
    """Compares each name with those whose outermost indices begin among its own."""
    names.sort(key=lambda item: (item[1][0].start, item[1][0].stop))
    open_: list[tuple[str, Sequence[range]]] = []
    for name, indices in names:
        open_ = [other for other in open_ if other[1][0].stop > indices[0].start]
        for other, theirs in open_:
            if ("*" in name or "*" in other) and all(map(_meet, indices, theirs)):
                who = f"parameters {brief(other)} and {brief(name)} are"
                if name == other:
                    who = f"parameter {brief(name)}, from index {theirs[0].start} and from {indices[0].start} on, is"
                raise GraphError(
                    f"{who} the same tensor at some indices: blocks that share it start and repeat alike, so split "
                    "them where the shared indices begin and end"
                )
        open_.append((name, indices))


def _indices(name: str, starts: Sequence[int], repeats: Sequence[Dim]) -> Sequence[range]:
    """Returns the indices that each index of a name stands for; a symbolic number of repetitions has the first."""
    found, level = [], 0
    for part in filter(is_index, name.split(".")):
        if "*" not in part:
            found.append(range(int(part), int(part) + 1))
            continue
        repeat = repeats[level] if level < len(repeats) else 1
        first, step = index_of(part, starts[level] if level < len(starts) else 0), index_of(part, 1) - index_of(part, 0)
        count = repeat if type(repeat) is int else 1
        found.append(range(first, first + step * (count - 1) + 1, step or 1))
        level += 1
    return found


def _meet(a: range, b: range) -> bool:
    """Returns whether two ranges have a number in common: the longer one is not gone through."""
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    inside = range(max(few.start, many.start), min(few.stop, many.stop))
    if few.step == many.step:  # as of layers that alternate in one block
        return bool(inside) and (few.start - many.start) % few.step == 0
    first = inside.start + (few.start - inside.start) % few.step
    return any(number in many for number in range(first, inside.stop, few.step)[: many.step])


def shared_blocks(graph: Graph) -> Collection[int]:
    """Returns the ids of the blocks that use tensors of which each repetition has one and another block uses too."""
    found: set[int] = set()
    first: dict[tuple[str, tuple[int, ...]], Block] = {}
    for node, place in nodes(graph):
        for parameter in node.parameters:
            name = parameter.tied_to or parameter.name
            for depth, level in enumerate(place.levels[: name.count("*")]):
                assert level.block is not None
                other = first.setdefault((name, place.starts[: depth + 1]), level.block)
                if other is not level.block:
                    found |= {id(other), id(level.block)}
    return found
