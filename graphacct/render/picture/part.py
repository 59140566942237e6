"""The picture of one scope: what is in it, with what comes in and goes out as its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import attrs

from graphacct.dims import Dim, same
from graphacct.errors import ConfigError, brief, suggest
from graphacct.graph.paths import last, pattern
from graphacct.hooks.manager import Plugins
from graphacct.render.picture.chosen import DEEPEST, LONGEST, MOST
from graphacct.render.picture.content import Content, check_depth
from graphacct.render.picture.scene import Box, Chain, Edge, Scene, Scope
from graphacct.render.picture.stage import scene
from graphacct.reports.report import Report


def part(report: Report, plugins: Plugins, scope: str, depth: int | None = None, views: bool = False) -> Scene:
    """Returns the content of the picture of the scopes that a path or glob names, or the end of one.

    `depth` is the number of levels that are open, the scope's own the first; None takes the deepest at which the
    picture fits a screen. Raises ConfigError for a scope that the model does not have and for a depth below 1.
    """
    check_depth(depth)
    content = Content(report)
    found = _named(content, scope)
    if not found:
        paths = list(dict.fromkeys(path for chain in content.chains for path in chain[:-1]))
        alike = [path for path in paths if f".{pattern(path)}".endswith(f".{pattern(scope)}")]
        known = f"; there are {len(alike)}, {alike[0]} to {alike[-1]}" if len(alike) > 1 else suggest(scope, paths)
        raise ConfigError(f"no scope of this model is {brief(scope)}{known}")
    if depth is not None:
        return _inside(report, plugins, content, found, min(depth, DEEPEST), views)
    best = _inside(report, plugins, content, found, 1, views)
    for deeper in range(2, content.levels + 1):
        trial = _inside(report, plugins, content, found, deeper, views)
        if len(trial.boxes) > MOST or trial.length > LONGEST:
            break
        best = trial
    return best


def of_one_repetition(report: Report, scope: str) -> bool:
    """Returns whether a scope is one repetition of a block that the report has folded, or in one, as `layers.0`."""
    general = pattern(scope)
    if general == scope:
        return False
    content = Content(report, summed=False)
    return not _named(content, scope) and bool(_named(content, general))


def _named(content: Content, scope: str) -> dict[Chain, int]:
    """Returns for each node's chain in a named scope the level of that scope, the outermost one that is named."""
    for glob in (scope, f"*.{scope}"):
        found = {}
        for chain in content.chains:
            level = next((at for at, path in enumerate(chain[:-1]) if _is(path, glob)), None)
            if level is not None:
                found[chain] = level
        if found:
            return found
    return {}


def _is(path: str, glob: str) -> bool:
    return path == glob or pattern(path) == glob or fnmatchcase(path, glob)


def _inside(
    report: Report, plugins: Plugins, content: Content, found: dict[Chain, int], depth: int, views: bool
) -> Scene:
    """Returns the scene with a number of levels open in the named scopes, and all else left out."""
    opened = {path for chain, level in found.items() for path in chain[: level + depth]}
    whole = scene(report, plugins, DEEPEST, views, lambda path: path not in opened)
    named = {chain[: level + 1]: _runs(content, chain[: level + 1]) for chain, level in found.items()}
    boxes: dict[str, Box] = {}
    for box in whole.boxes:
        level = next((at for at in range(len(box.scopes)) if box.scopes[: at + 1] in named), None)
        if level is not None:
            boxes[box.id] = attrs.evolve(box, scopes=box.scopes[level:])
    ends: dict[str, Box] = {}
    edges: list[Edge] = []
    outside = {box.id: box for box in whole.boxes}
    for edge in whole.edges:
        tail, head = edge.tail in boxes, edge.head in boxes
        if tail and head:
            edges.append(edge)
        elif edge.kind == "tied":
            continue  # with a weight that is not in the picture
        elif head:
            name = f"{edge.tail}in"
            word = outside[edge.tail].path
            ends.setdefault(name, Box(name, "input", last(word), (), content.nothing, shown=edge.spec))
            entering = attrs.evolve(edge, tail=name, views=())
            if not any((one.tail, one.head) == (name, edge.head) for one in edges):
                edges.append(entering)
        elif tail and edge.kind != "loop":
            name = f"{edge.tail}out"
            if name not in ends:
                ends[name] = Box(name, "output", outside[edge.tail].path, (), content.nothing, shown=edge.spec)
                edges.append(attrs.evolve(edge, head=name, kind="data"))
    inputs = [box for box in ends.values() if box.kind == "input"]
    outputs = [box for box in ends.values() if box.kind == "output"]
    scopes = {}
    for chain, one in whole.scopes.items():
        level = next((at for at in range(len(chain)) if chain[: at + 1] in named), None)
        if level is not None:
            scopes[chain[level:]] = attrs.evolve(one, chain=chain[level:], repeat=named.get(chain, one.repeat))
    every, total = (*inputs, *boxes.values(), *outputs), _sum(content, named)
    return Scene(every, tuple(edges), scopes, depth, content.levels, part=total, work=whole.work)


def _runs(content: Content, chain: Chain) -> Dim:
    """Returns how often a scope runs: the product of how often it and the blocks around it repeat."""
    times: Dim = 1
    for level in range(1, len(chain) + 1):
        block = content.blocks.get(chain[:level])
        times = times if block is None else times * block.repeat
    return times


def _sum(content: Content, named: Mapping[Chain, Dim]) -> Scope:
    """Returns the sums over some scopes, and how often they run if all run as often."""
    first, *others = named
    figures, uncosted, times = content.sums[first], content.uncosted[first], named[first]
    for chain in others:
        figures, uncosted = content.add(figures, content.sums[chain]), uncosted + content.uncosted[chain]
        times = times if same(times, named[chain]) else 1
    return Scope(first, figures, uncosted, times)
