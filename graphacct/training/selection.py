"""Selection by globs: which parameters are frozen, and which nodes are run again in the backward pass.

A name with `*` stands for one name an index. A glob that matches some of them and not others names single repetitions,
which only a graph that is written out has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import TypeAlias

from graphacct.errors import ConfigError, brief, suggest
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.paths import indexed, is_index
from graphacct.graph.walk import Place, nodes
from graphacct.operators.operator import Operator
from graphacct.training.attention_core import attention_core

Names: TypeAlias = Mapping[str, list[Place]]
"""Names of a graph, each with the blocks that it stands in: the same name may be in several."""

INDEX_MATTERS = frozenset("0123456789?[+")
"""What a glob must contain to tell one index, or what stands for some (`2*+1`), from another."""


def selected(recompute: str, freeze: Sequence[str]) -> dict[str, str]:
    """What is run again and what is not trained, as reports state it; nothing where that is nothing."""
    terms = {"recompute": recompute if recompute != "none" else "", "freeze": " ".join(freeze)}
    return {name: text for name, text in terms.items() if text}


def names(graph: Graph, of: Callable[[Node], Iterable[str]]) -> Names:
    """The names that `of` gives for the nodes of a graph, and the blocks around them."""
    found: dict[str, list[Place]] = {}
    for node, place in nodes(graph):
        for name in of(node):
            places, here = found.setdefault(name, []), place.around(name.count("*"))
            if here not in places:
                places.append(here)
    return found


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


def _matches(glob: str, name: str, places: Iterable[Place]) -> set[bool]:
    """Whether a glob matches a name, for each index that `*` stands for."""
    if "*" not in name or INDEX_MATTERS.isdisjoint(glob) or _quotes(glob, name):
        return {fnmatchcase(name, glob)}
    found: set[bool] = set()
    for place in places:
        levels = list(zip(place.starts, place.repeats, strict=True))
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
    symbolic = any(type(repeat) is not int for places in known.values() for place in places for repeat in place.repeats)
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


def recomputed(graph: Graph, what: str, operators: Mapping[str, Operator] | None = None) -> frozenset[str]:
    """The names of the nodes that are run again in the backward pass.

    `what` is `none`, `full` (every repetition of a block), `selective` (the attention core: much memory, little work,
    Korthikanti et al., 2022) or a glob of nodes. `operators` are those of all installed plugins unless given.
    Raises ConfigError where there is nothing of the kind; it suggests the closest name for a glob.
    """
    if what == "none":
        return frozenset()
    asked = f"--recompute {what} (in Python, recompute={what!r})"
    if what == "full":
        inside = frozenset(node.name for node, place in nodes(graph) if place.repeats)
        if not inside:
            raise ConfigError(f"{asked} runs blocks again, and the graph has none: give a glob of nodes")
        return inside
    if what == "selective":
        if operators is None:
            from graphacct.hooks.manager import default

            operators = default().operators
        core = attention_core(graph, operators)
        if not core:
            raise ConfigError(
                f"{asked} runs the attention core again, and {graph.name!r} has none (a product of two activations, a "
                "softmax and another such product, or fused attention): give a glob of nodes"
            )
        return core
    known = names(graph, lambda node: [node.name])
    if names_single(what, known):
        raise ConfigError(
            f"--recompute {brief(what)} (in Python, recompute=) names single layers of a block, whose layers are all "
            "run again or none: write * for the index, or give the graph written out (Graph.unroll)"
        )
    found = frozenset(matching(what, known))
    if not found:
        hint = closest(what, (*known, "none", "full", "selective"))
        raise ConfigError(f"--recompute {brief(what)} (in Python, recompute=) matches no node{hint}")
    return found
