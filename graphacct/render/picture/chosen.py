"""Which scopes of a picture are open where no depth is given: those where the cost is, while it fits a screen."""

from __future__ import annotations

from collections.abc import Callable, Set

from graphacct.graph.paths import pattern
from graphacct.render.opening import Sizes
from graphacct.render.picture.content import Content
from graphacct.render.picture.scene import Chain, Scene
from graphacct.reports.opening import largest_first

LONGEST = 20
MOST = 40
"""The most boxes one after the other, and in all, that are readable on a screen. A Llama with its block open has 17."""
HIGHEST = 25
"""The most boxes one after the other together with the frames around them, whose heads are about as high."""
MAIN = 2 / 3
"""The part of what scopes of one name cost from which on one of them is opened alone."""
DEEPEST = 50
"""The most levels of scopes that can be open; anything deeper is collapsed, whatever the depth."""


def largest_open(content: Content, sizes: Sizes, set_: Callable[[Set[Chain]], Scene], most: int = MOST) -> Scene:
    """Returns the scene in which the scopes with the largest shares are open, as many as fit a screen, `most` boxes.

    `set_` returns the scene with these scopes open. Scopes of the same name, such as the stages of a network, are
    opened together, unless one has most of what they cost, as DeepSeek's later layers, or there is no room for all.
    """
    opened: set[Chain] = set()
    alike: dict[str, list[Chain]] = {}
    for chain in content.sums:
        if len(chain) < DEEPEST:
            alike.setdefault(pattern(chain[-1]), []).append(chain)
    best = set_(opened)
    refused: set[frozenset[Chain]] = set()

    def share(chain: Chain) -> float:
        return sizes.share(content.sums[chain])

    def inside(scopes: Set[Chain]) -> list[Chain]:
        return [chain for chain in content.sums if chain[:-1] in scopes and len(chain) < DEEPEST]

    def open_(chain: Chain) -> list[Chain] | None:
        """Opens a scope, with all of its name if they fit, and returns those in it; None if it does not fit alone."""
        nonlocal best
        if chain in opened:
            return []
        others = alike[pattern(chain[-1])]
        main = share(chain) >= MAIN * sum(map(share, others))
        for more in map(frozenset, [[chain]] if main else [others, [chain]]):
            if more in refused:
                continue
            found = set_(opened | more)
            if len(found.boxes) > most or found.length > LONGEST or found.height > HIGHEST:
                refused.add(more)
                continue
            best = found
            opened.update(more)
            return inside(more)
        return None

    largest_first(inside({()}), share, open_)
    return best
