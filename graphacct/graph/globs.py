"""Globs: which names of a graph a glob matches, at which indices.

A name with `*` stands for one name an index. A glob that matches some of them and not others names single repetitions,
which only a graph that is written out has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import product
from math import prod
from typing import TypeAlias

from graphacct.errors import GraphError, brief, suggest
from graphacct.graph.graph import Graph, Node
from graphacct.graph.paths import indexed, is_index
from graphacct.graph.places import Place, nodes

Names: TypeAlias = Mapping[str, list[Place]]
"""Names of a graph, each with the blocks that it stands in: the same name may be in several."""

MOST_INDICES = 100_000
"""The most indices at which a glob is compared with a name."""
MOST_DIGITS = 20
"""No index has more digits."""
INDEX_MATTERS = frozenset("0123456789?[+")
"""What a glob must contain to tell one index, or what stands for some (`2*+1`), from another."""


def names(graph: Graph, of: Callable[[Node], Iterable[str]]) -> Names:
    """Returns the names that `of` gives for the nodes of a graph, and the blocks around them."""
    found: dict[str, list[Place]] = {}
    for node, place in nodes(graph):
        for name in of(node):
            places, here = found.setdefault(name, []), place.around(name.count("*"))
            if here not in places:
                places.append(here)
    return found


def matching(glob: str, known: Names) -> list[str]:
    """Returns the names that a glob matches, at each index that `*` stands for."""
    return [name for name, places in known.items() if _matches(glob, name, places) == {True}]


def names_single(glob: str, known: Names) -> bool:
    """Returns whether a glob matches only some of the names that a name with `*` stands for."""
    return any(len(_matches(glob, name, places)) == 2 for name, places in known.items())


def closest(glob: str, known: Iterable[str]) -> str:
    """Returns the end of a message about a glob that matches nothing: the closest name, or the closest end of one."""
    known = list(known)
    parts = glob.count(".")
    ends = {"*." + ".".join(name.split(".")[-parts:]) for name in known} if parts and glob.startswith("*.") else set()
    found = suggest(glob, ends)
    return found if "did you mean" in found else suggest(glob, known)


def _matches(glob: str, name: str, places: Iterable[Place]) -> set[bool]:
    """Returns whether a glob matches a name, for each index that `*` stands for."""
    if "[" not in glob and len(glob) - glob.count("*") > len(name) + MOST_DIGITS * name.count("*"):
        return {False}  # all but a `*` is a character each: no pattern of a million of them is made
    if "*" not in name or INDEX_MATTERS.isdisjoint(glob) or _quotes(glob, name):
        return {fnmatchcase(name, glob)}
    found: set[bool] = set()
    for place in places:
        levels = list(zip(place.starts, place.repeats, strict=True))
        ranges = [range(start, start + repeat) for start, repeat in levels if type(repeat) is int]
        if len(ranges) < len(levels):
            found.add(fnmatchcase(name, glob))
            continue
        if prod(map(len, ranges)) > MOST_INDICES:
            raise GraphError(
                f"{brief(glob)} may name single layers of {brief(name)}, and there are more than {MOST_INDICES:,} "
                "of them: write * for the index"
            )
        for indices in product(*ranges):
            found.add(fnmatchcase(indexed(name, indices), glob))
            if len(found) == 2:
                return found
    return found


def _quotes(glob: str, name: str) -> bool:
    """Returns whether a glob has a `*` of some of the layers as the name writes it."""
    return any(part != "*" and "*" in part and is_index(part) for part in {*name.split(".")} & {*glob.split(".")})


def written_out(graph: Graph, globs: Iterable[str], of: Callable[[Node], Iterable[str]]) -> Graph:
    """Returns the graph, unrolled where a glob names single repetitions of what `of` names.

    Raises GraphError if that is a block that repeats a symbolic number of times.
    """
    known = names(graph, of)
    symbolic = any(type(repeat) is not int for places in known.values() for place in places for repeat in place.repeats)
    for glob in globs:
        if names_single(glob, known) or (symbolic and not matching(glob, known)):
            return graph.unroll()
    return graph
