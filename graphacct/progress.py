"""How far a long piece of work has come, for whoever shows it.

What works says in how many steps; what shows it, a terminal's waiting line, asks now and then. Nothing is printed here.

    for part in steps(parts, "parts written"):  # told() is "12 of 40 parts written" meanwhile
        ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_AT: list[str] = []
"""What is under way, the innermost last."""


def steps(items: Sequence[T], what: str) -> Iterator[T]:
    """Yields the items, and says meanwhile how many of them are done."""
    place = len(_AT)
    _AT.append("")
    try:
        for done, item in enumerate(items):
            _AT[place] = f"{done:,} of {len(items):,} {what}"
            yield item
    finally:
        del _AT[place:]


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Says what is being done meanwhile, where nobody knows in how many steps."""
    place = len(_AT)
    _AT.append(what)
    try:
        yield
    finally:
        del _AT[place:]


def told() -> str:
    """Returns how far the innermost work has come; empty if none says it."""
    return _AT[-1] if _AT else ""
