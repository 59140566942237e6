"""What stands in each frame of a picture: boxes, and the frames inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from graphacct.render.picture.scene import Chain


class Placed(Protocol):
    """What stands in scopes."""

    @property
    def scopes(self) -> Chain:
        """The chain of the scope that it is in."""


Thing = TypeVar("Thing", bound=Placed)


def nested(things: Iterable[Thing]) -> dict[Chain, list[Thing | Chain]]:
    """Returns by chain, `()` for no scope, what stands in it. A scope stands where its first thing is."""
    content: dict[Chain, list[Thing | Chain]] = {(): []}
    for thing in things:
        for level in range(1, len(thing.scopes) + 1):
            chain = thing.scopes[:level]
            if chain not in content:
                content[chain] = []
                content[chain[:-1]].append(chain)
        content[thing.scopes].append(thing)
    return content
