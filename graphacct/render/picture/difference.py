"""What a picture of a diff shows: the scenes of both models as one, each box with its side in either.

Boxes of the same kind and path are one box. Scopes without a change are collapsed. An edge is of both models, or of the
one that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from itertools import pairwise

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.paths import merged, outward, pattern
from graphacct.hooks.manager import Plugins
from graphacct.render.diff_lines import inside_of, moved_by
from graphacct.render.picture.chosen import HIGHEST, LONGEST, MOST
from graphacct.render.picture.content import Content
from graphacct.render.picture.scene import Box, Chain, Edge, Figures, Scene, Scope
from graphacct.render.picture.stage import scene
from graphacct.reports.diff import ADDED, CHANGED, REMOVED, Change, Diff
from graphacct.reports.opening import largest_first

SAME = "unchanged"


@attrs.frozen
class Pair:
    """A box in either model.

    Attributes:
        id: Unique in the picture.
        kind: The kind of the box: `node`, `scope`, `input`, `output` or `entry`.
        path: Its path.
        scopes: The chain of the scope that it is in.
        first: The box of the first model; None if it has none.
        other: That of the other one.
        state: `added`, `removed`, `changed` or `unchanged`.
        counts: Of a collapsed scope: how many changes of each kind it holds.
    """

    id: str
    kind: str
    path: str
    scopes: Chain
    first: Box | None
    other: Box | None
    state: str
    counts: Mapping[str, int]


@attrs.frozen
class Arrow:
    """An edge in either model.

    Attributes:
        edge: The edge, between ids of pairs.
        state: `added`, `removed` or `unchanged`.
    """

    edge: Edge
    state: str


@attrs.frozen
class Difference:
    """What the picture of a diff shows.

    Attributes:
        pairs: The boxes, in the order in which they run.
        arrows: The edges.
        scopes: The open scopes of each model, by chain: the first model's, and the other one's.
        work: What says how much of a model's work some figures are.
    """

    pairs: tuple[Pair, ...]
    arrows: tuple[Arrow, ...]
    scopes: tuple[Mapping[Chain, Scope], Mapping[Chain, Scope]]
    work: Callable[[Figures], float]

    def scene(self) -> Scene:
        """Returns both models as one scene, which says where boxes stand."""
        sides = [(pair.id, pair.other or pair.first) for pair in self.pairs]
        boxes = tuple(attrs.evolve(box, id=name) for name, box in sides if box is not None)
        edges, scopes = tuple(arrow.edge for arrow in self.arrows), {**self.scopes[0], **self.scopes[1]}
        return Scene(boxes, edges, scopes, 1, 1, work=self.work)


def difference(found: Diff, plugins: Plugins, depth: int | None, most: int = MOST) -> Difference:
    """Returns what the picture of a diff shows. `depth` None opens the scopes in which most differs, `most` boxes.

    Raises ConfigError when `depth` is below 1.
    """
    if depth is not None and depth < 1:
        raise ConfigError(f"the depth of a picture is at least 1 (top-level scopes), not {depth}")
    changes = {change.path: change for change in found.changes}
    counts = inside_of(found.changes)

    def closed(path: str) -> bool:
        return pattern(path) not in counts

    def at(level: int) -> Difference:
        scenes = [scene(report, plugins, level, closed=closed) for report in (found.first, found.other)]
        return _merged(scenes[0], scenes[1], changes, counts)

    if depth is not None:
        return at(depth)
    return _largest(found, plugins, changes, counts, most)


def _largest(
    found: Diff,
    plugins: Plugins,
    changes: Mapping[str, Change],
    counts: Mapping[str, Mapping[str, int]],
    most: int,
) -> Difference:
    """Returns both models with the scopes open in which most differs, as many as fit a screen, `most` boxes."""
    sides = [(report, Content(report)) for report in (found.first, found.other)]
    inside: dict[str, dict[str, None]] = {}
    for path in counts:
        for scope, part in pairwise(["", *[*outward(path)][::-1]]):
            inside.setdefault(scope, {})[part] = None
    moved = moved_by(found)
    whole = max(moved.values(), default=1)

    def set_(opened: Set[str]) -> Difference:
        scenes = [
            scene(report, plugins, closed=lambda path: pattern(path) not in opened, content=content)
            for report, content in sides
        ]
        return _merged(scenes[0], scenes[1], changes, counts)

    opened: set[str] = set()
    best = set_(opened)

    def open_(path: str) -> list[str] | None:
        nonlocal best
        if path not in inside:  # a node
            return []
        trial = set_(opened | {path})
        both = trial.scene()
        if len(trial.pairs) > most or both.length > LONGEST or both.height > HIGHEST:
            return None
        best = trial
        opened.add(path)
        return [*inside[path]]

    largest_first(inside.get("", ()), lambda path: moved[path] / whole, open_)
    return best


def _merged(
    first: Scene, other: Scene, changes: Mapping[str, Change], counts: Mapping[str, Mapping[str, int]]
) -> Difference:
    sides = [_named(each) for each in (first, other)]
    ids = {name: f"n{place}" for place, name in enumerate(merged([list(side) for side in sides]))}
    pairs = []
    for name, new in ids.items():
        one, two = sides[0].get(name), sides[1].get(name)
        box = two or one
        assert box is not None
        path = pattern(box.path)
        inside = counts.get(path, {}) if box.kind == "scope" else {}
        state = _state(one, two, path, changes, inside)
        pairs.append(Pair(new, box.kind, box.path, box.scopes, one, two, state, inside))
    arrows: dict[tuple[str, str, str], Arrow] = {}
    for each, side, state in ((first, sides[0], REMOVED), (other, sides[1], ADDED)):
        new_ids = {box.id: ids[name] for name, box in side.items()}
        for edge in each.edges:
            moved = attrs.evolve(edge, tail=new_ids[edge.tail], head=new_ids[edge.head])
            key = (moved.tail, moved.head, "tied" if edge.kind == "tied" else "")
            known = arrows.get(key)
            both = known is not None and (known.state == SAME or known.state != state)
            arrows[key] = Arrow(moved, SAME if both else state)
    return Difference(tuple(pairs), tuple(arrows.values()), (first.scopes, other.scopes), other.work)


def _named(each: Scene) -> dict[str, Box]:
    """Returns the boxes of a scene by what makes one the same in both models: kind, scope, path, and which of several
    such it is."""
    found: dict[str, Box] = {}
    for box in each.boxes:
        name = f"{box.kind} {box.scopes[-1] if box.scopes else ''} {box.path}"
        count = 0
        while f"{name} {count}" in found:
            count += 1
        found[f"{name} {count}"] = box
    return found


def _state(
    one: Box | None, two: Box | None, path: str, changes: Mapping[str, Change], inside: Mapping[str, int]
) -> str:
    """Returns what became of a box: of a node what the diff says, of a scope whether it or something in it did."""
    box = two or one
    assert box is not None
    if box.kind == "node":
        return changes[path].kind if path in changes else SAME
    if one is None or two is None:
        kinds = {*inside}
        alone = ADDED if one is None else REMOVED
        return alone if kinds <= {alone} else CHANGED
    return CHANGED if inside else SAME
