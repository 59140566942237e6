"""Arrows that are drawn as one, and those that are a word in the box where they end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import attrs

from graphacct.render.picture.scene import Edge, Scene

OFTEN = 5
"""How many boxes use a value from which on arrows to all of them would fill the picture, as those of a U-Net's step."""


@attrs.frozen
class Bundle:
    """One arrow of a picture.

    Attributes:
        edges: The edges that it stands for, all from one box to one box, of one kind.
        weight: How straight and short it is drawn.
        index: The place of the first edge in the scene.
    """

    edges: Sequence[Edge]
    weight: int
    index: int

    @property
    def ends(self) -> tuple[str, str]:
        """The boxes at its ends."""
        return self.edges[0].tail, self.edges[0].head


def bundled(scene: Scene) -> tuple[list[Bundle], dict[str, list[str]]]:
    """Returns the arrows of a picture, and for each box the boxes whose values it says that it uses.

    The values between two boxes are one arrow if one of these is a closed scope; a node has one for each operand that a
    node gives it. Of a value that many boxes use, only the arrows to the first of them and along the main path are
    drawn. Tied weights have no arrows.
    """
    known = {box.id: box for box in scene.boxes}
    together: dict[tuple[object, ...], list[int]] = {}
    for index, edge in enumerate(scene.edges):
        closed = "scope" in (known[edge.tail].kind, known[edge.head].kind) and edge.kind in ("data", "side")
        if edge.kind != "tied":
            together.setdefault((edge.tail, edge.head, edge.kind) if closed else (index,), []).append(index)
    weights = scene.weights()
    arrows = [
        Bundle([scene.edges[index] for index in indices], sum(weights[index] for index in indices), indices[0])
        for indices in together.values()
    ]
    main = {*pairwise(scene.spine())}
    uses: dict[str, dict[str, None]] = {}
    for arrow in arrows:
        edge = arrow.edges[0]
        if edge.kind in ("data", "side") and known[edge.head].kind in ("node", "scope"):
            uses.setdefault(edge.tail, {})[edge.head] = None
    said: dict[str, dict[str, None]] = {}
    drawn = []
    for arrow in arrows:
        edge = arrow.edges[0]
        heads = [*uses.get(edge.tail, ())]
        far = edge.head in heads[1:] and (edge.tail, edge.head) not in main and edge.kind in ("data", "side")
        if far and len(heads) >= OFTEN:
            said.setdefault(edge.head, {})[edge.tail] = None
        else:
            drawn.append(arrow)
    return drawn, {head: [*tails] for head, tails in said.items()}
