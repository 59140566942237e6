"""Where boxes stand: which form a row, and which stand above which without an edge that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise

import attrs

from graphacct.render.picture.scene import STRAIGHT, Box, Chain, Scene, reached, shared


def above(scene: Scene) -> list[tuple[str, str]]:
    """Returns pairs of boxes, the first of which stands above the second.

    The graph's inputs stand above all other boxes that nothing flows into, and a box whose value flows into a scope
    above those in it. What is computed once for all repetitions of a block, such as rotary tables, stands above the
    block: beside it the picture would be wider.
    """
    fed = {edge.head for edge in scene.edges}
    used = fed | {edge.tail for edge in scene.edges if edge.kind != "tied"}
    inputs = [box.id for box in scene.boxes if box.kind == "input"]
    sources = [box for box in scene.boxes if box.kind in ("node", "scope") and box.id in used - fed]
    found = [(inputs[0], other.id) for other in sources] if inputs else []
    known = {box.id: box for box in scene.boxes}
    across = {(scene.edges[index].tail, scene.edges[index].head) for index in towers(scene)}
    for tail, head in pairwise(scene.spine()):
        scope = known[head].scopes[: shared(known[tail].scopes, known[head].scopes) + 1]
        if scope and not _within(known[tail], scope) and (tail, head) not in across:
            found += [(tail, source.id) for source in sources if _within(source, scope)]
    return list(dict.fromkeys([*found, *_before_blocks(scene), *_after_towers(scene), *_before_alone(scene)]))


def beside(scene: Scene) -> list[tuple[str, str]]:
    """Returns pairs of boxes of one scope, the second of which has no arrows, such as a bias that is only stored, and
    stands beside the first: what runs next there, or else before it."""
    joined = _joined_by_arrows(scene)
    rows = {name for row in scene.fans() for name in row}
    found = []
    for place, box in enumerate(scene.boxes):
        if box.id not in joined and box.kind in ("node", "scope"):
            near = [*scene.boxes[place + 1 :], *scene.boxes[:place][::-1]]
            of_scope = (other.id for other in near if other.scopes == box.scopes and other.kind in ("node", "scope"))
            first = next((name for name in of_scope if name in joined), None)
            if box.scopes and first is not None and first not in rows:
                found.append((first, box.id))
    return found


def after_merge(scene: Scene) -> list[str]:
    """Returns the part of the main path that is one column: after the last node in no block where values of inputs of
    their own meet, as an image's with a text's. That node stands below what it gets, not below one of them."""
    path = scene.spine()
    known = {box.id: box for box in scene.boxes}
    order = {name: place for place, name in enumerate(known)}
    blocks = {box.scopes for box in scene.boxes if box.kind == "entry"}
    inputs: dict[str, set[str]] = {box.id: {box.id} if box.kind == "input" else set() for box in scene.boxes}
    merges: set[str] = set()
    forward = [
        edge for edge in scene.edges if edge.kind not in ("loop", "tied") and order[edge.tail] < order[edge.head]
    ]
    for edge in sorted(forward, key=lambda edge: order[edge.head]):
        one, other = inputs[edge.tail], inputs[edge.head]
        if one and other and one.isdisjoint(other):
            merges.add(edge.head)
        other |= one
    for place in range(len(path) - 1, 0, -1):
        box = known[path[place]]
        if box.id in merges and box.kind == "node" and not any(_within(box, block) for block in blocks):
            return path[place:]
    return path


def alike(scene: Scene) -> list[tuple[str, ...]]:
    """Returns groups of nodes in one scope that one box feeds alone, with the same figures and shape, such as a cosine
    and a sine: which stands at the left nothing else says. Rows that `scene.fans` has are not among them."""
    rows = {name for row in scene.fans() for name in row}
    into: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.kind != "tied":
            into.setdefault(edge.head, []).append(edge.tail)
    found: dict[tuple[str, Chain, str], list[str]] = {}
    for box in scene.boxes:
        if box.record is not None and box.id not in rows and len(into.get(box.id, ())) == 1:
            shape = "" if box.shown is None else f"{box.shown.shape}"
            found.setdefault((into[box.id][0], box.scopes, f"{box.figures} {shape}"), []).append(box.id)
    return [tuple(names) for names in found.values() if len(names) > 1]


def _before_alone(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yields what runs before a box without arrows, in its scope, and that box, if nothing stands beside it: in the
    first row its frame would reach up to there."""
    joined, placed = _joined_by_arrows(scene), {alone for _, alone in beside(scene)}
    before: dict[Chain, str] = {}
    for box in scene.boxes:
        if box.id in joined:
            before |= {box.scopes[:level]: box.id for level in range(1, len(box.scopes) + 1)}
        elif box.scopes in before and box.id not in placed:
            yield before[box.scopes], box.id


def _joined_by_arrows(scene: Scene) -> set[str]:
    flow = [edge for edge in scene.edges if edge.kind != "tied"]
    return {edge.tail for edge in flow} | {edge.head for edge in flow}


def _after_towers(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yields the ends of towers with the boxes that come after the scope that both are in."""
    known = {box.id: box for box in scene.boxes}
    for index in towers(scene):
        tail, head = known[scene.edges[index].tail], known[scene.edges[index].head]
        around = tail.scopes[: shared(tail.scopes, head.scopes)]
        for edge in scene.edges if around else ():
            leaves = _within(known[edge.tail], around) and not _within(known[edge.head], around)
            if leaves and edge.kind not in ("loop", "tied"):
                yield tail.id, edge.head


def leftmost(scene: Scene) -> list[str]:
    """Returns the boxes that the layout begins with, which puts them at the left: those that compute what all
    repetitions of a block use. There their arrows to q and k do not cross v's."""
    into: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.kind not in ("loop", "tied"):
            into.setdefault(edge.head, []).append(edge.tail)
    early, rows = {box for box, _ in _before_blocks(scene)}, {name for row in scene.fans() for name in row}
    ahead = [edge.tail for edge in scene.edges if edge.tail in early and edge.head in rows]
    found = {*ahead}
    while ahead:
        for name in into.get(ahead.pop(), ()):
            if name not in found:
                found.add(name)
                ahead.append(name)
    return [box.id for box in scene.boxes if box.id in found and box.kind != "input"]


def towers(scene: Scene) -> set[int]:
    """Returns the indices of the edges from a scope that an input flows through into the middle of another that could
    stand beside it, as from an encoder to its decoder: nothing else of the second depends on the first."""
    known = {box.id: box for box in scene.boxes}
    into: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.kind not in ("loop", "tied"):
            into.setdefault(edge.head, []).append(edge.tail)
    fed: set[str] = set()
    for box in scene.boxes:
        if box.kind == "input" or not fed.isdisjoint(into.get(box.id, ())):
            fed.add(box.id)
    pairs: dict[tuple[Chain, Chain], list[int]] = {}
    for index, edge in enumerate(scene.edges):
        tail, head = known[edge.tail].scopes, known[edge.head].scopes
        level = shared(tail, head)
        if level < min(len(tail), len(head)) and edge.kind not in ("loop", "tied"):
            pairs.setdefault((tail[: level + 1], head[: level + 1]), []).append(index)
    found: set[int] = set()
    for (first, second), indices in pairs.items():
        between = {(scene.edges[index].tail, scene.edges[index].head) for index in indices}
        heads = {head for _, head in between}
        joins = all(any(_within(known[name], second) for name in into[head]) for head in heads)
        if joins and fed.issuperset(tail for tail, _ in between) and not _leads(first, second, into, known, between):
            found.update(indices)
    return found


def columns(scene: Scene, across: Set[int]) -> dict[tuple[str, str], int]:
    """Returns the weights of the edges on the main path of each tower, the edges `across` from one to another left out.
    The first of a path is the shortest."""
    rest = attrs.evolve(scene, edges=tuple(edge for index, edge in enumerate(scene.edges) if index not in across))
    found: dict[tuple[str, str], int] = {}
    while any(box.kind == "input" for box in rest.boxes):
        path = rest.spine()
        found |= {ends: STRAIGHT + (place == 0) for place, ends in enumerate(pairwise(path))}
        joined = _joined(path[:1], rest)
        boxes = tuple(box for box in rest.boxes if box.id not in joined)
        rest = attrs.evolve(rest, boxes=boxes, edges=tuple(edge for edge in rest.edges if edge.tail not in joined))
    return found


def _joined(ahead: Sequence[str], scene: Scene) -> set[str]:
    """Returns the boxes that edges join with some, in whichever direction."""
    beside: dict[str, list[str]] = {}
    for edge in scene.edges:
        beside.setdefault(edge.tail, []).append(edge.head)
        beside.setdefault(edge.head, []).append(edge.tail)
    return {*ahead} | reached(ahead, beside)


def _leads(
    first: Chain,
    second: Chain,
    into: Mapping[str, list[str]],
    known: Mapping[str, Box],
    between: Set[tuple[str, str]],
) -> bool:
    """Returns whether a scope depends on another by other edges than those between them."""
    ahead = [name for name, box in known.items() if _within(box, second)]
    seen = {*ahead}
    while ahead:
        head = ahead.pop()
        for name in into.get(head, ()):
            if (name, head) in between or name in seen:
                continue
            if _within(known[name], first):
                return True
            seen.add(name)
            ahead.append(name)
    return False


def _within(box: Box, scope: Chain) -> bool:
    return box.scopes[: len(scope)] == scope


def _before_blocks(scene: Scene) -> Iterator[tuple[str, str]]:
    """Yields the boxes that are computed once for all repetitions of a block, with the block's entry."""
    known = {box.id: box for box in scene.boxes}
    main = set(scene.spine())
    entries = {box.scopes: box.id for box in reversed(scene.boxes) if box.kind == "entry"}
    for edge in scene.edges:
        if edge.kind in ("loop", "tied") or edge.tail in main:
            continue
        tail, head = known[edge.tail].scopes, known[edge.head].scopes
        for level in range(1, len(head) + 1):
            block = head[:level]
            if block in entries and tail[:level] != block and edge.head != entries[block]:
                yield edge.tail, entries[block]
                break
