"""The parts of a page: the nodes of a picture in the scopes that hold them, and the lines in each scope.

A scope that the model enters twice, and leaves in between, is two parts: as one it would make lines go in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from graphacct.render.page.layers import Layers, Line, layers
from graphacct.render.picture.scene import Box, Chain, Edge, Scene

ROOT = 0


@attrs.define(eq=False)
class Part:
    """A node, an input or output of the model, or a scope with the parts in it.

    Attributes:
        number: Its place in the page's list.
        chain: Its path with the scopes around it; of an input or output empty.
        parent: The scope that it is in.
        box: Its box in the picture, by its place; None for a scope.
        children: The parts in a scope.
        entry: Of a scope that the model enters more than once: which one this is, from 1.
    """

    number: int
    chain: Chain
    parent: int
    box: int | None = None
    children: list[int] = attrs.field(factory=list)
    entry: int = 0


@attrs.frozen
class Flow:
    """A line of a scope.

    Attributes:
        line: Its ends, as places in the scope, and its value.
        edge: The picture's edge that it shows, by its place.
    """

    line: Line
    edge: int


@attrs.frozen
class Inside:
    """The lines in one scope.

    Attributes:
        entering: The nodes whose values come in, each at a place of its own above the parts.
        leaving: The nodes whose values go out.
        flows: The lines.
        layers: The rows.
    """

    entering: tuple[int, ...]
    leaving: tuple[int, ...]
    flows: tuple[Flow, ...]
    layers: Layers


@attrs.frozen(eq=False)
class Tree:
    """The parts of a page.

    Attributes:
        parts: The parts; the first one is the whole model.
        insides: The lines in each scope, by its number.
        ties: Pairs of parts that share a parameter.
    """

    parts: tuple[Part, ...]
    insides: Mapping[int, Inside]
    ties: tuple[tuple[int, int], ...]


def tree(scene: Scene) -> Tree:
    """Returns the parts of a picture in which all scopes are open."""
    edges = list(_through_entries(scene))
    parts, of_box = _parts(scene.boxes, [(tail, head) for tail, head, _ in edges])
    insides = _insides(parts, of_box, edges)
    ties = tuple((of_box[edge.tail], of_box[edge.head]) for edge in scene.edges if edge.kind == "tied")
    return Tree(tuple(parts), insides, ties)


def _through_entries(scene: Scene) -> Iterator[tuple[str, str, int]]:
    """Yields tail, head and place of each edge, from what comes before a block to what is in it: its entries are no
    parts."""
    entries = {box.id for box in scene.boxes if box.kind == "entry"}
    before: dict[str, list[str]] = {}
    for place, edge in enumerate(scene.edges):
        if edge.kind in ("loop", "tied"):
            continue
        tails = _sources(edge.tail, entries, before)
        if edge.head in entries:
            before.setdefault(edge.head, []).extend(tails)
        else:
            yield from ((tail, edge.head, place) for tail in tails)


def _sources(tail: str, entries: set[str], before: Mapping[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(before.get(tail, ()))) if tail in entries else [tail]


def _parts(boxes: Sequence[Box], edges: Sequence[tuple[str, str]]) -> tuple[list[Part], dict[str, int]]:
    parts = [Part(ROOT, (), ROOT)]
    of_box: dict[str, int] = {}
    arriving: dict[str, list[str]] = {}
    for tail, head in edges:
        arriving.setdefault(head, []).append(tail)
    current: dict[tuple[int, Chain], int] = {}
    following: dict[int, set[int]] = {}  # what each part leads to in its scope

    def within(number: int, scope: int) -> int | None:
        """Returns the part of a scope that another part is in."""
        while number != ROOT:
            if parts[number].parent == scope:
                return number
            number = parts[number].parent
        return None

    def reaches(start: int, end: int) -> bool:
        ahead, seen = [start], {start}
        while ahead:
            for number in following.get(ahead.pop(), ()):
                if number == end:
                    return True
                if number not in seen:
                    seen.add(number)
                    ahead.append(number)
        return False

    for place, box in enumerate(boxes):
        if box.kind == "entry":
            continue
        sources = [of_box[tail] for tail in arriving.get(box.id, ()) if tail in of_box]
        scope = ROOT
        for level in range(1, len(box.scopes) + 1):
            chain = box.scopes[:level]
            beside = {each for source in sources if (each := within(source, scope)) is not None}
            known = current.get((scope, chain))
            if known is None or any(each != known and reaches(known, each) for each in beside):
                entry = 0 if known is None else max(parts[known].entry, 1) + 1
                if entry == 2 and known is not None:
                    parts[known].entry = 1
                known = _added(parts, chain, scope)
                parts[known].entry = entry
                current[scope, chain] = known
            for each in beside - {known}:
                following.setdefault(each, set()).add(known)
            scope = known
        number = _added(parts, (*box.scopes, box.path) if box.kind == "node" else (), scope)
        parts[number].box = place
        of_box[box.id] = number
        for source in sources:
            if (each := within(source, scope)) is not None:
                following.setdefault(each, set()).add(number)
    return parts, of_box


def _added(parts: list[Part], chain: Chain, scope: int) -> int:
    parts.append(Part(len(parts), chain, scope))
    parts[scope].children.append(len(parts) - 1)
    return len(parts) - 1


def _insides(
    parts: Sequence[Part], of_box: Mapping[str, int], edges: Sequence[tuple[str, str, int]]
) -> Mapping[int, Inside]:
    """Returns the lines of each scope: an edge is a line in every scope that it passes through."""
    segments: dict[int, dict[tuple[int | str, int | str, int], int]] = {}
    entering: dict[int, dict[int, None]] = {}
    leaving: dict[int, dict[int, None]] = {}
    for tail_box, head_box, place in edges:
        tail, head = of_box[tail_box], of_box[head_box]
        up, down = [*_outward(parts, tail)], [*_outward(parts, head)]
        common = next(scope for scope in up if scope in set(down))
        inner: int | str = tail
        for scope in up[: up.index(common)]:
            segments.setdefault(scope, {}).setdefault((inner, "out", tail), place)
            leaving.setdefault(scope, {})[tail] = None
            inner = scope
        below = down[: down.index(common)]
        segments.setdefault(common, {}).setdefault((inner, below[-1] if below else head, tail), place)
        for scope, following in zip(below, [head, *below], strict=False):
            segments.setdefault(scope, {}).setdefault(("in", following, tail), place)
            entering.setdefault(scope, {})[tail] = None
    found = {}
    for part in parts:
        if part.children or part.number == ROOT:
            comes, goes = tuple(entering.get(part.number, ())), tuple(leaving.get(part.number, ()))
            found[part.number] = _inside(part, comes, goes, segments.get(part.number, {}))
    return found


def _inside(
    part: Part,
    entering: tuple[int, ...],
    leaving: tuple[int, ...],
    segments: Mapping[tuple[int | str, int | str, int], int],
) -> Inside:
    count = len(part.children)
    place: dict[int | str, int] = {child: index for index, child in enumerate(part.children)}
    ins = {value: count + index for index, value in enumerate(entering)}
    outs = {value: count + len(ins) + index for index, value in enumerate(leaving)}
    flows = []
    for (tail, head, value), edge in segments.items():
        start = ins[value] if tail == "in" else place[tail]
        end = outs[value] if head == "out" else place[head]
        flows.append(Flow(Line(start, end, value), edge))
    total = count + len(ins) + len(outs)
    numbers = {flow.line.value: index for index, flow in enumerate(reversed(flows))}
    lines = tuple(attrs.evolve(flow.line, value=numbers[flow.line.value]) for flow in flows)  # alike in scopes alike
    made = layers(total, tuple(ins.values()), tuple(outs.values()), lines)
    return Inside(entering, leaving, tuple(flows), made)


def _outward(parts: Sequence[Part], number: int) -> Iterator[int]:
    """Yields the scopes around a part, the innermost first."""
    while number != ROOT:
        number = parts[number].parent
        yield number


def same_shape(one: Scene, other: Scene) -> bool:
    """Returns whether two pictures have the same boxes and edges, so that one's tree is the other's."""
    return [(box.kind, box.path, box.scopes) for box in one.boxes] == [
        (box.kind, box.path, box.scopes) for box in other.boxes
    ] and [_ends(edge) for edge in one.edges] == [_ends(edge) for edge in other.edges]


def _ends(edge: Edge) -> tuple[str, str, str]:
    return edge.tail, edge.head, edge.kind
