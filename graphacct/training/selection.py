"""Selection by globs: names of a graph, and which parameters are frozen.

A name with `*` stands for one name an index. A glob that matches some of them and not others names single repetitions,
which only a graph that is written out has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import TypeAlias

from graphacct.dims import Dim
from graphacct.errors import ConfigError, brief, suggest
from graphacct.graph.graph import Block, Graph, Node, Parameter
from graphacct.graph.paths import indexed, is_index

Levels: TypeAlias = tuple[tuple[int, Dim], ...]
"""The first index and the repeat of each block around a node, outermost first."""
Names: TypeAlias = Mapping[str, list[Levels]]
"""Names of a graph, each with the blocks that it stands in: the same name may be in several."""

INDEX_MATTERS = frozenset("0123456789?[+")
"""What a glob must contain to tell one index, or what stands for some (`2*+1`), from another."""


def selected(recompute: str, freeze: Sequence[str]) -> dict[str, str]:
    """What is run again and what is not trained, as reports state it; nothing where that is nothing."""
    terms = {"recompute": recompute if recompute != "none" else "", "freeze": " ".join(freeze)}
    return {name: text for name, text in terms.items() if text}


def names(graph: Graph, of: Callable[[Node], Iterable[str]]) -> Names:
    """The names that `of` gives for the nodes of a graph, and the blocks around them."""
    found: dict[str, list[Levels]] = {}
    for node, levels in walk(graph):
        for name in of(node):
            places, here = found.setdefault(name, []), levels[: name.count("*")]
            if all(here is not other for other in places):  # a repeat may be an array, which has no single truth
                places.append(here)
    return found


def walk(graph: Graph, levels: Levels = ()) -> Iterator[tuple[Node, Levels]]:
    """The nodes in schedule order, each block's body once, and the blocks around each."""
    for node in graph.nodes:
        if isinstance(node, Block):
            yield from walk(node.body, (*levels, (node.start, node.repeat)))
        else:
            yield node, levels


def matching(glob: str, known: Names) -> list[str]:
    """The names that a glob matches, at each index that `*` stands for."""
    return [name for name, places in known.items() if _matches(glob, name, places) == {True}]


def names_single(glob: str, known: Names) -> bool:
    """Whether a glob matches some of what a name with `*` stands for and not the rest."""
    return any(len(_matches(glob, name, places)) == 2 for name, places in known.items())


def closest(glob: str, known: Iterable[str]) -> str:
    """The end of a message about a glob that matches nothing: the closest name, or the closest end of one."""
    known = list(known)
    parts = glob.count(".")
    ends = {"*." + ".".join(name.split(".")[-parts:]) for name in known} if parts and glob.startswith("*.") else set()
    found = suggest(glob, ends)
    return found if "did you mean" in found else suggest(glob, known)


def _matches(glob: str, name: str, places: Iterable[Levels]) -> set[bool]:
    """Whether a glob matches a name, for each index that `*` stands for."""
    if "*" not in name or INDEX_MATTERS.isdisjoint(glob) or _quotes(glob, name):
        return {fnmatchcase(name, glob)}
    found: set[bool] = set()
    for levels in places:
        ranges = [range(start, start + repeat) for start, repeat in levels if type(repeat) is int]
        if len(ranges) < len(levels):
            found.add(fnmatchcase(name, glob))
            continue
        for indices in product(*ranges):
            found.add(fnmatchcase(indexed(name, indices), glob))
            if len(found) == 2:
                return found
    return found


def _quotes(glob: str, name: str) -> bool:
    """Whether a glob has a `*` of some of the layers as the name writes it."""
    return any(part != "*" and "*" in part and is_index(part) for part in {*name.split(".")} & {*glob.split(".")})


def written_out(graph: Graph, globs: Iterable[str], of: Callable[[Node], Iterable[str]]) -> Graph:
    """The graph, unrolled where a glob names single repetitions of what `of` names.

    Raises GraphError where that is a block that repeats a symbolic number of times.
    """
    known = names(graph, of)
    symbolic = any(type(repeat) is not int for places in known.values() for levels in places for _, repeat in levels)
    for glob in globs:
        if names_single(glob, known) or (symbolic and not matching(glob, known)):
            return graph.unroll()
    return graph


def frozen(graph: Graph, globs: Sequence[str]) -> tuple[Graph, Callable[[Parameter], bool]]:
    """The graph, written out where a glob names single layers, and which parameters are trained.

    Parameters that share storage are frozen together. Raises ConfigError, which suggests the closest name, for a glob
    that matches no parameter.
    """
    globs = (globs,) if isinstance(globs, str) else globs
    if not globs:
        return graph, lambda parameter: parameter.trainable
    graph = written_out(graph, globs, _parameters)
    known = names(graph, _parameters)
    for glob in globs:
        if not matching(glob, known):
            raise ConfigError(f"--freeze {brief(glob)} (in Python, freeze=) matches no parameter{closest(glob, known)}")
    found = freezing(graph, globs)
    return graph, lambda parameter: parameter.trainable and (parameter.tied_to or parameter.name) not in found


def freezing(graph: Graph, globs: Sequence[str]) -> dict[str, str]:
    """The storages of parameters that globs freeze, and by which glob."""
    if not globs:
        return {}
    known = names(graph, _parameters)
    storage = {p.name: p.tied_to or p.name for node in graph.walk() for p in node.parameters}
    return {storage[name]: glob for glob in reversed(globs) for name in matching(glob, known)}


def _parameters(node: Node) -> list[str]:
    return [parameter.name for parameter in node.parameters]
