"""Which scopes are opened where there is room for some: those where the cost is, the largest first.

Tables, pictures and formulas of default depth ask this. They say themselves what there is room for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")

LARGE = 0.01
"""The share from which on a scope is worth opening."""
LESS = 10
"""How much smaller a scope is than one that there was no room for, if it stays closed for that reason alone."""


def largest_first(
    shown: Iterable[Thing], share: Callable[[Thing], float], opened: Callable[[Thing], Iterable[Thing] | None]
) -> None:
    """Asks for scope after scope whether there is room for what is in it, the one with the largest share first.

    `opened` opens a scope and returns the scopes that it shows, which may be opened next; None if there is no room for
    them. Where there was none for a large one, much smaller ones stay closed too: they would look like what matters.
    """
    waiting, least = list(shown), LARGE
    while waiting:
        scope = max(waiting, key=share)  # of equal ones the first
        if share(scope) < least:
            return
        waiting.remove(scope)
        inner = opened(scope)
        if inner is None:
            least = max(least, share(scope) / LESS)
        else:
            waiting += inner
