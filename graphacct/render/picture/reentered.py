"""Open scopes that the model enters more than once: each time has a frame of its own.

BERT's `attention` ends in a norm after the residual, which is outside of it; a language model's embedding runs before
images are merged in, and its layers after that. In one frame, arrows would leave it and turn round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import reduce

import attrs

from graphacct.render.picture.scene import AGAIN, Box, Chain, Figures, Scene, Scope


def parted(scene: Scene, add: Callable[[Figures, Figures], Figures]) -> Scene:
    """Returns the scene with a frame for each time that an open scope is entered, with the figures of what is in it;
    a box that is alone then needs none."""
    into: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.kind not in ("loop", "tied"):
            into.setdefault(edge.head, []).append(edge.tail)
    boxes = {box.id: box for box in scene.boxes}
    numbers: dict[Chain, tuple[int, int]] = {}
    for level in range(1, max(map(len, scene.scopes), default=0) + 1):
        for chain in [*dict.fromkeys(box.scopes[:level] for box in boxes.values() if len(box.scopes) >= level)]:
            _part(chain, boxes, into, numbers)
    if all(box.scopes == given.scopes for box, given in zip(boxes.values(), scene.boxes, strict=True)):
        return scene
    inside: dict[Chain, list[Box]] = {}
    for box in boxes.values():
        for level in range(1, len(box.scopes) + 1):
            inside.setdefault(box.scopes[:level], []).append(box)
    scopes = {chain: _scope(scene, chain, found, numbers.get(chain, (1, 1)), add) for chain, found in inside.items()}
    return attrs.evolve(scene, boxes=tuple(boxes.values()), scopes=scopes)


def _scope(
    scene: Scene,
    chain: Chain,
    inside: Sequence[Box],
    visit: tuple[int, int],
    add: Callable[[Figures, Figures], Figures],
) -> Scope:
    """Returns a scope with the figures of the boxes in it."""
    plain = tuple(path.partition(AGAIN)[0] for path in chain)
    given = scene.scopes[plain]
    if len(inside) == sum(box.scopes[: len(plain)] == plain for box in scene.boxes):
        return given
    figures = reduce(add, (box.figures for box in inside))
    return attrs.evolve(given, chain=chain, figures=figures, uncosted=sum(box.uncosted for box in inside), visit=visit)


def _part(
    chain: Chain,
    boxes: MutableMapping[str, Box],
    into: Mapping[str, Sequence[str]],
    numbers: MutableMapping[Chain, tuple[int, int]],
) -> None:
    """Gives the boxes of each time that a scope is entered the chain of their own frame."""
    visits = _visits(chain, boxes, into)
    frames = [visit for visit in visits if len(visit) > 1]
    for visit in visits if len(visits) > 1 else ():
        outer = chain[:-1]
        if len(visit) == 1:
            box = boxes[visit[0]]
            around = f"{outer[-1].partition(AGAIN)[0]}." if outer else ""
            name = box.path.removeprefix(around)
            boxes[box.id] = attrs.evolve(box, scopes=outer, called=name)
            continue
        number = frames.index(visit) + 1
        own = chain if number == 1 else (*outer, f"{chain[-1]}{AGAIN}{number}")
        numbers[own] = (number, len(frames))
        for name in visit:
            boxes[name] = attrs.evolve(boxes[name], scopes=own + boxes[name].scopes[len(chain) :])


def _visits(chain: Chain, boxes: Mapping[str, Box], into: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Returns the boxes of a scope for each time that it is entered: again, where one of them needs what was computed
    outside of it from those before. What only a later time needs, as rotary tables, is part of that."""
    visits: list[list[str]] = []
    here: set[str] = set()
    after: set[str] = set()
    for name, box in boxes.items():
        sources = into.get(name, ())
        if box.scopes[: len(chain)] == chain:
            if not visits or not after.isdisjoint(sources):
                visits.append([])
                here, after = set(), set()
            visits[-1].append(name)
            here.add(name)
        elif any(source in here or source in after for source in sources):
            after.add(name)
    leaving: dict[str, list[str]] = {}
    for head, tails in into.items() if len(visits) > 1 else ():
        for tail in tails:
            leaving.setdefault(tail, []).append(head)
    for place, later in reversed([*enumerate(visits[1:])]):
        for name in visits[place][::-1]:
            if name in leaving and {*leaving[name]} <= {*later}:
                visits[place].remove(name)
                later.insert(0, name)
    return [visit for visit in visits if visit]
