"""Which scopes and nodes have a line of their own where lines are few, and which share one with their neighbours.

Lines go where the cost is: the scope with the largest share is opened first. What is small is one line with what is
beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

import attrs

from graphacct.graph.paths import last, parent
from graphacct.reports.opening import largest_first


@attrs.frozen
class Fold:
    """One line: a path, or several of one scope, the one with the largest share first.

    Attributes:
        paths: What the line stands for.
        small: Whether several share the line because each is small, and not for want of lines alone.
    """

    paths: tuple[str, ...]
    small: bool = False

    @property
    def path(self) -> str:
        """The path, or that of them with the largest share."""
        return self.paths[0]

    @property
    def gathered(self) -> int:
        """How many paths the line stands for; 0 for one."""
        return len(self.paths) if len(self.paths) > 1 else 0

    @property
    def label(self) -> str:
        """What the line is called below its scope: the name, and how many more share the line."""
        return f"{last(self.path)} and {self.gathered - 1} more" if self.gathered else last(self.path)


def gathered_note(lines: Iterable[Fold], small: str = "is less than 0.1 % each") -> tuple[str, ...]:
    """Returns what a reader must know of lines that stand for several paths, each of which is `small`."""
    gathered = [line for line in lines if line.gathered]
    if not gathered:
        return ()
    what = small if all(line.small for line in gathered) else "has no line of its own"
    return (f"lines “and … more” are sums of what {what}; give a depth to list each",)


def folded(
    paths: Iterable[str], share: Callable[[str], float], small: Callable[[str], bool], own: Container[str], lines: int
) -> list[Fold]:
    """Returns the lines of a tree, at most `lines` where something can share one, in the tree's order.

    Args:
        paths: Scopes and nodes, each below its scope if that is among them.
        share: The part of everything that a path is, 0 to 1.
        small: Whether a path is too small for a line of its own.
        own: Paths that have a line of their own in an open scope whatever their share.
        lines: For how many lines there is room.

    >>> sizes = {"block": 0.9, "block.mlp": 0.6, "block.attn": 0.3, "block.norm": 0.0, "block.add": 0.0, "head": 0.1}
    >>> [line.label for line in folded(sizes, sizes.__getitem__, lambda path: sizes[path] < 0.001, (), 36)]
    ['block', 'mlp', 'attn', 'norm and 1 more', 'head']
    """
    return _Folding(paths, share, small, own, lines).lines("")


class _Folding:
    """Which scopes are open, and for each what has a line of its own in it and what shares one."""

    def __init__(
        self,
        paths: Iterable[str],
        share: Callable[[str], float],
        small: Callable[[str], bool],
        own: Container[str],
        lines: int,
    ) -> None:
        self.share, self.small, self.own, self.room = share, small, own, lines
        known, self.children = set(), dict[str, list[str]]()
        for path in paths:
            scope = parent(path)
            self.children.setdefault(scope if scope in known else "", []).append(path)
            known.add(path)
        self.opened: dict[str, tuple[list[str], list[str]]] = {}
        self.left = lines
        largest_first(self._open("") or (), share, self._open)

    def _open(self, path: str) -> list[str] | None:
        """Opens a scope and returns the scopes that have a line of their own; None if there are too few lines left."""
        alone, together = self._divided(path)
        needed = len(alone) + bool(together)
        if path and needed > self.left:
            return None
        self.left -= needed
        self.opened[path] = alone, together
        return [inner for inner in alone if inner in self.children]

    def _divided(self, path: str) -> tuple[list[str], list[str]]:
        """Returns what of a scope has a line of its own, and what shares one."""
        inner = self.children.get(path, [])
        together = {each for each in inner if each not in self.own and self.small(each)}
        if len(together) == len(inner):  # many equal ones
            together = set()
        if len(inner) - len(together) + bool(together) > self.room:
            largest = sorted((each for each in inner if each not in together), key=self.share, reverse=True)
            together |= {each for each in largest[self.room - 1 :] if each not in self.own}
        if len(together) == 1:
            together = set()
        return [each for each in inner if each not in together], [each for each in inner if each in together]

    def lines(self, path: str) -> list[Fold]:
        """Returns the lines of what is in an open scope."""
        alone, together = self.opened[path]
        found: list[Fold] = []
        for each in alone:
            found.append(Fold((each,)))
            if each in self.opened:
                found += self.lines(each)
        if together:
            largest = max(together, key=self.share)  # of equal ones the first
            others = [each for each in together if each != largest]
            found.append(Fold((largest, *others), all(map(self.small, together))))
        return found
