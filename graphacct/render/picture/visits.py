"""Scopes that the model enters more than once, as BERT's attention, whose norm comes after the residual.

As one box, such a scope would need what it gives, and the picture of a model would have circles.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence

import attrs

from graphacct.render.picture.content import Content
from graphacct.render.picture.scene import Box


def needs(visit: str, sources: Iterable[str], into: Mapping[str, Collection[str]]) -> bool:
    """Returns whether one of the sources, other than the box itself, is computed from a box; `into` has the boxes that
    each box gets its values from."""
    ahead = [source for source in sources if source != visit]
    seen = {*ahead}
    while ahead:
        for name in into.get(ahead.pop(), ()):
            if name == visit:
                return True
            if name not in seen:
                seen.add(name)
                ahead.append(name)
    return False


def part_visits(
    boxes: MutableMapping[str, Box],
    collapsed: Iterable[Sequence[str]],
    inside: Mapping[str, Sequence[int]],
    content: Content,
) -> None:
    """Gives each box of a collapsed scope the number of nodes in it, without views that are in the arrows; if the scope
    is entered more than once, their figures too. Then a box of a single node is that node."""
    for visits in collapsed:
        if len(visits) < 2:
            boxes[visits[0]] = attrs.evolve(boxes[visits[0]], members=len(inside[visits[0]]))
            continue
        parts = [name for name in visits if len(inside[name]) > 1]
        for name in visits:
            members = inside[name]
            records = [content.records[index] for index in members]
            figures = content.figures[members[0]]
            for index in members[1:]:
                figures = content.add(figures, content.figures[index])
            uncosted = sum(record.cost is None for record in records)
            box = attrs.evolve(boxes[name], figures=figures, members=len(members), uncosted=uncosted)
            if len(members) == 1:
                node = records[0].node
                shown = node.outputs[0].spec if node.outputs else None
                box = attrs.evolve(box, kind="node", path=node.name, record=records[0], shown=shown, repeat=1)
            else:
                box = attrs.evolve(box, visit=(parts.index(name) + 1, len(parts)))
            boxes[name] = box
